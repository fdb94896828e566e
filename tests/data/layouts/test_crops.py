"""Features of several crops of a frame: the mean or one crop where that is said, refused where it is not."""

import json

import numpy as np
import pytest

from amsx.cli import main
from amsx.data.layouts import read_dataset

ROWS = (12, 30, 10, 17)


def make(root, axis, rows=ROWS, crops=10, width=6):
    rng = np.random.default_rng(0)
    (root / "features").mkdir(parents=True)
    arrays, database = {}, {}
    for i, n in enumerate(rows):
        whole = rng.random((n, crops, width), dtype=np.float32)
        arrays[f"v{i}"] = whole
        np.save(root / "features" / f"v{i}.npy", whole if axis else whole.swapaxes(0, 1))
        label = [{"label": "ab"[i % 2], "segment": [0.1, 0.5]}]
        database[f"v{i}"] = {"subset": "train", "duration": n * 16 / 25, "fps": 25, "annotations": label}
    (root / "annotation.json").write_text(json.dumps({"database": database}))
    return arrays


@pytest.mark.parametrize("axis", [0, 1])
def test_the_mean_or_one_crop_is_taken_from_either_axis(tmp_path, axis):
    arrays = make(tmp_path, axis)
    mean, third = read_dataset(tmp_path, crops="mean"), read_dataset(tmp_path, crops=2)
    for a, b in zip(mean.videos, third.videos, strict=True):
        np.testing.assert_allclose(a.streams["features"].load(), arrays[a.id].mean(axis=1), rtol=1e-6)
        np.testing.assert_array_equal(b.streams["features"].load(), arrays[b.id][:, 2])
    assert f"features: 10 crops of each snippet in 4 videos, on axis {axis}: their mean is taken" in mean.notes
    assert f"features: 10 crops of each snippet in 4 videos, on axis {axis}: crop 2 is taken" in third.notes


def test_without_a_word_crops_are_refused_with_the_option_that_takes_them(tmp_path):
    make(tmp_path, 1)
    with pytest.raises(ValueError, match=r"v0\.npy: shape \(12, 10, 6\), .* give crops=mean, or crops=0 for the first"):
        read_dataset(tmp_path)


def test_a_video_of_one_snippet_is_no_video_of_ten(tmp_path):
    arrays = make(tmp_path, 1, rows=(12, 1, 30))
    data = read_dataset(tmp_path, crops="mean")
    assert [video.length for video in data.videos] == [12, 1, 30]
    np.testing.assert_allclose(data.videos[1].streams["features"].load(), arrays["v1"].mean(axis=1), rtol=1e-6)


def test_videos_of_as_many_snippets_as_crops_leave_the_axis_open(tmp_path):
    make(tmp_path, 1, rows=(10, 10))
    with pytest.raises(ValueError, match=r"either axis of the features .* may count crops; give crop_axis=0 for"):
        read_dataset(tmp_path, crops="mean")
    make(tmp_path / "three", 1, rows=(8, 8), crops=3)
    with pytest.raises(ValueError, match="either axis of the features"):
        read_dataset(tmp_path / "three", crops="mean")
    assert read_dataset(tmp_path / "three", crops="mean", crop_axis=1).videos[0].length == 8
    assert read_dataset(tmp_path / "three", crops="mean", crop_axis=0, stride=16, num_frames=16).videos[0].length == 3


def test_options_that_mean_nothing_are_refused(tmp_path):
    make(tmp_path, 1)
    for options, message in (
        ({"crops": 10}, "has 10 crops, counted from 0, on axis 1; expected crop 10"),
        ({"crops": "max"}, "crops must be mean, or the number of one crop from 0 on, got 'max'"),
        ({"crops": -1}, "crops must be mean"),
        ({"crops": "mean", "crop_axis": 2}, "crop_axis must be 0"),
        ({"crop_axis": 1}, "give crops, too"),
    ):
        with pytest.raises(ValueError, match=message):
            read_dataset(tmp_path, **options)


def test_bundles_in_memory_and_the_command(tmp_path, capsys):
    arrays = make(tmp_path, 1)
    for path in (tmp_path / "features").iterdir():
        path.unlink()
    np.savez(tmp_path / "features" / "all.npz", **{name: array.swapaxes(0, 1) for name, array in arrays.items()})
    main(["data", str(tmp_path), "--data-option", "crops=mean"])
    assert "10 crops of each snippet in 4 videos, on axis 0" in capsys.readouterr().out
