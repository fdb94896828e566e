"""HDF5 files that hold many videos: arrays or groups, one file or several, and what can be amiss."""

import numpy as np
import pytest
from data.layouts import made_up

from amsx.data.layouts import read_dataset

h5py = pytest.importorskip("h5py")
NAME = "sub_activitynet_v1-3.c3d.hdf5"


@pytest.fixture
def videos():
    return made_up.make(sliding=True, width=2, train=3, test=2)


@pytest.mark.parametrize("name", [None, "c3d_features", "deep/er"])
def test_an_array_or_a_group_for_every_video(videos, tmp_path, name):
    made_up.activity_net_in_one_file(tmp_path, videos, name)
    data = read_dataset(tmp_path, split=True)
    assert data.layout == "activity_net" and [v.id for v in data.videos] == [v.id for v in videos]
    assert any(f"features of 5 videos in {NAME}" in note for note in data.notes)
    assert any("begin with 'v_'" in note for note in data.notes)
    for made, video in zip(videos, data.videos, strict=True):
        np.testing.assert_array_equal(video.streams["flow"].load(), made.flow.astype("f4"))


def test_a_group_of_several_arrays_needs_a_key(videos, tmp_path):
    made_up.activity_net_in_one_file(tmp_path, videos, "c3d")
    with h5py.File(tmp_path / NAME, "a") as file:
        for v in videos:
            file[f"v_{v.id}/tsn"] = v.rgb
    with pytest.raises(ValueError, match=r"5 of 5 videos have broken features: .*holds \['c3d', 'tsn'\]"):
        read_dataset(tmp_path)
    assert len(read_dataset(tmp_path, key="c3d").videos) == 5


def test_missing_broken_and_unlisted_videos(videos, tmp_path):
    made_up.activity_net_in_one_file(tmp_path, videos)
    with h5py.File(tmp_path / NAME, "a") as file:
        del file[f"v_{videos[0].id}"]
        file[f"v_{videos[1].id}_"] = np.ones((3, 4))
    with pytest.raises(FileNotFoundError, match=rf"1 of 5 listed videos lack features: .*{NAME}/v_{videos[0].id}"):
        read_dataset(tmp_path)
    data = read_dataset(tmp_path, missing="skip")
    assert len(data.videos) == 4
    assert any(f"left out: 1 features of videos that are not listed: {tmp_path / NAME}/v_" in n for n in data.notes)
    with h5py.File(tmp_path / NAME, "a") as file:
        del file[f"v_{videos[1].id}"]
        file[f"v_{videos[1].id}"] = np.ones(3)
    with pytest.raises(ValueError, match=r"1 of 5 videos have broken features: .*shape \(3,\), expected"):
        read_dataset(tmp_path, missing="skip")
    assert len(read_dataset(tmp_path, missing="skip", broken="skip").videos) == 3


def test_several_files_hold_different_videos(videos, tmp_path):
    made_up.activity_net_in_one_file(tmp_path, videos)
    with h5py.File(tmp_path / NAME, "a") as file, h5py.File(tmp_path / "more.hdf5", "w") as more:
        file.copy(f"v_{videos[0].id}", more)
        del file[f"v_{videos[0].id}"]
    assert len(read_dataset(tmp_path).videos) == 5
    assert len(read_dataset(tmp_path, features=tmp_path / NAME, missing="skip").videos) == 4
    with h5py.File(tmp_path / NAME, "a") as file, h5py.File(tmp_path / "more.hdf5") as more:
        more.copy(f"v_{videos[0].id}", file)
    with pytest.raises(ValueError, match=rf"'v_{videos[0].id}' is also in"):
        read_dataset(tmp_path)


def test_a_truncated_file_is_refused(videos, tmp_path):
    made_up.activity_net_in_one_file(tmp_path, videos)
    path = tmp_path / NAME
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match=rf"{NAME}: truncated, or not a readable HDF5 file"):
        read_dataset(tmp_path, broken="skip")
