"""The CMCS layout: frames counted in the files, file names, streams of their own."""

import numpy as np
import pytest
from data.layouts import made_up

from amsx.data.layouts import read_dataset


@pytest.fixture
def videos():
    return made_up.make(sliding=True, width=2, train=3, test=2)


def test_one_stream_alone_and_names_with_v(videos, tmp_path):
    made_up.cmcs(tmp_path, videos)
    for path in list(tmp_path.glob("*/*-flow.npz")):
        path.unlink()
    for path in list(tmp_path.glob("*/*-rgb.npz")):
        path.rename(path.with_name("v_" + path.name))
    data = read_dataset(tmp_path)
    assert data.layout == "cmcs" and data.dims == {"rgb": 2} and len(data.videos) == 5


def test_a_file_that_occurs_twice_is_refused(videos, tmp_path):
    made_up.cmcs(tmp_path, videos)
    path = next(iter(sorted(tmp_path.glob("train/*-rgb.npz"))))
    (tmp_path / "test" / path.name).write_bytes(path.read_bytes())
    with pytest.raises(ValueError, match="a file of this name is also"):
        read_dataset(tmp_path)


@pytest.mark.parametrize("count", [0, -3, [1, 2]])
def test_a_count_of_frames_that_is_none_is_refused(videos, tmp_path, count):
    made_up.cmcs(tmp_path, videos)
    path = next(iter(sorted(tmp_path.glob("train/*-rgb.npz"))))
    np.savez(path, feature=np.load(path)["feature"], frame_cnt=count)
    with pytest.raises(ValueError, match=rf"{path.name}: frame_cnt must be one positive number"):
        read_dataset(tmp_path)


def test_streams_of_unequal_length_and_missing_ones_are_errors(videos, tmp_path):
    made_up.cmcs(tmp_path, videos)
    path = next(iter(sorted(tmp_path.glob("train/*-rgb.npz"))))
    np.savez(path, feature=np.load(path)["feature"][:, 9:], frame_cnt=9)
    with pytest.raises(ValueError, match=r"streams of .* snippets, expected equal"):
        read_dataset(tmp_path)
    path.unlink()
    with pytest.raises(FileNotFoundError, match="1 of 5 listed videos lack features"):
        read_dataset(tmp_path)
    (tmp_path / "annotations" / "thumos14.json").unlink()
    with pytest.raises(ValueError, match="one candidate for annotation, found none; give annotation"):
        read_dataset(tmp_path)
