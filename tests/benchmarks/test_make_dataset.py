"""The simulated sets are readable, and have the numbers of the sets they imitate."""

import json

import numpy as np
import pytest

from amsx.data.layouts import read_dataset
from benchmarks import make_dataset, reading, storages


def test_a_set_is_readable_and_has_the_shape_asked_for(tmp_path, capsys):
    out = tmp_path / "data"
    make_dataset.main(["thumos14", str(out), "--videos", "40", "--width", "4", "--streams", "rgb"])
    data = read_dataset(out)
    assert data.layout == "bas_net"
    assert data.dims == {"rgb": 4}
    assert len(data.videos) == 40
    assert len(data.subset("train")) == 19  # 200 of 413
    assert all(video.segments and video.streams["rgb"].load().shape[0] == video.length for video in data.videos)
    assert "40 videos" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        make_dataset.main(["thumos14", str(out)])


def test_given_annotation_gives_videos_labels_and_lengths(tmp_path):
    annotation = {
        "a": {"subset": "training", "duration": 64.0, "annotations": [{"segment": ["1.5", 9], "label": "x"}]},
        "b": {"subset": "validation", "annotations": [{"segment": [2, 59.0], "label": "y"}]},
        "c": {"subset": "testing", "duration": 9, "annotations": []},
    }
    path = tmp_path / "annotation.json"
    path.write_text(json.dumps({"database": annotation}))
    make_dataset.main(["activitynet13", str(tmp_path / "out"), "--annotation", str(path), "--width", "3"])
    data = read_dataset(tmp_path / "out")
    assert {video.id: (video.subset, video.length) for video in data.videos} == {
        "a": ("train", 100),
        "b": ("test", 100),
    }
    path.write_text("[]")
    with pytest.raises(ValueError, match="under 'database'"):
        make_dataset.given_annotation(path)


def test_lengths_are_those_of_the_sets():
    rng = np.random.default_rng(0)
    for shape in make_dataset.SHAPES.values():
        lengths = shape.lengths(5000, rng)
        assert lengths.mean() == pytest.approx(shape.mean, rel=0.05)
        assert lengths.min() >= shape.snippets[0]
        assert lengths.max() <= shape.snippets[1]


def test_the_benchmark_of_reading_prints_a_line_for_every_number_of_videos(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("AMSX_CACHE", str(tmp_path / "cache"))
    for i in range(reading.FILES):
        np.save(tmp_path / f"{i:02d}.npy", np.zeros((5, 3), np.float32))
    reading.main(["--folder", str(tmp_path), "--videos", "100", "--snippets", "5", "--width", "3"])
    assert capsys.readouterr().out.split()[:2] == ["100", "0.00"]


def test_the_benchmark_of_storages_prints_a_line_for_each(tmp_path, capsys):
    part = {"segment": [1, 2], "label": "a"}
    entries = {f"v{i}": {"subset": "train", "duration": 4.0, "annotations": [part]} for i in range(3)}
    make_dataset.make(tmp_path / "set", entries, width=2, streams=["rgb"], seed=0)
    storages.main([str(tmp_path / "set"), "--epochs", "1", "--hdf5", "gzip"])
    lines = capsys.readouterr().out.splitlines()[-3:]
    assert [line.split()[0] for line in lines] == list(storages.STORAGES)
    assert all(line.count(" s") == len(storages.STAGES) for line in lines)


def test_the_subsets_of_few_videos_have_classes_in_common():
    entries = make_dataset.drawn_annotation(make_dataset.ACTIVITYNET13, 90, 0).values()
    classes: dict[str, set[str]] = {"train": set(), "test": set()}
    for entry in entries:
        classes[entry["subset"]] |= {part["label"] for part in entry["annotations"]}
    assert len(classes["train"]) == 60
    assert len(classes["test"]) == 30
    assert classes["test"] < classes["train"]
