"""The A2CL-PT layout: labels without segments, features in one dict a subset, and what can be amiss."""

import json
import os

import numpy as np
import pytest
from data.layouts import made_up

from amsx.data.layouts import read_dataset


@pytest.fixture
def videos():
    return made_up.make(width=2, train=4, test=3)


@pytest.fixture
def root(videos, tmp_path):
    made_up.a2cl_pt(tmp_path, videos)
    return tmp_path


def change(root, edit):
    path = root / "annotation.json"
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def test_labels_without_segments_are_labels(root, videos):
    def bare(content):
        for entry in content["database"].values():
            if entry["subset"] == "train":
                entry["annotations"] = [{"label": a["label"]} for a in entry["annotations"]]

    change(root, bare)
    data = read_dataset(root)
    assert [v.labels for v in data.subset("train")] == [v.labels for v in videos[:4]]
    assert all(not v.segments for v in data.subset("train"))
    assert [v.segments for v in data.subset("test")] == [v.segments for v in videos[4:]]


def test_videos_without_action_are_left_out_with_or_without_features(root, videos):
    def quiet(content):
        content["database"]["video_test_0000001"] = {"subset": "val", "annotations": []}
        content["database"][videos[-1].id]["annotations"] = []

    change(root, quiet)
    data = read_dataset(root)
    assert len(data.subset("test")) == 2
    assert any("left out: 2 videos without an annotated action" in note for note in data.notes)


def test_the_rate_is_what_the_annotation_says(root):
    change(root, lambda content: content.update(miscellany={"fps_extracted": 10, "len_feature_chunk": 16}))
    assert read_dataset(root).videos[0].timebase.snippet_seconds == 1.6
    assert read_dataset(root, snippet_seconds=0.5).videos[0].timebase.snippet_seconds == 0.5
    for wrong in ({"fps_extracted": 0, "len_feature_chunk": 16}, {"fps": 25}, [25, 16]):
        change(root, lambda content, wrong=wrong: content.update(miscellany=wrong))
        with pytest.raises(ValueError, match=r"annotation.json: miscellany .* or give snippet_seconds"):
            read_dataset(root)
    change(root, lambda content: content.pop("miscellany"))
    assert read_dataset(root).videos[0].timebase.snippet_seconds == 0.64


def test_ambiguous_spans_are_said(videos, tmp_path):
    made_up.a2cl_pt(tmp_path, videos, set_ambiguous={videos[-1].id: [[0.0, 1.4]]})
    assert "ambiguous spans of 1 videos are no action and are not read" in read_dataset(tmp_path).notes


def test_classes_that_the_list_lacks_are_refused(root):
    change(root, lambda content: content.update(list_classes=["Juggling"]))
    with pytest.raises(ValueError, match=r"labels \[.*\] are not in list_classes"):
        read_dataset(root)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.ones((3, 2)), r"expected one dict, video id -> \(snippets, channels\), got float64 of shape \(3, 2\)"),
        (np.array({1: np.ones((3, 2))}, dtype=object), "expected one dict, .* got dict"),
        (np.array("text", dtype=object), "expected one dict, .* got str"),
    ],
)
def test_features_of_another_form_are_refused(root, value, message):
    np.save(root / "feature_val.npy", value, allow_pickle=True)
    with pytest.raises(ValueError, match=message):
        read_dataset(root)


def test_a_video_in_both_files_is_refused(root, videos):
    features = {v.id: v.joint for v in videos}
    np.save(root / "feature_val.npy", np.array(features, dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=rf"feature_val.npy: video '{videos[0].id}' is also in .*feature_train.npy"):
        read_dataset(root)


def test_one_subset_alone_lacks_the_features_of_the_other(root):
    (root / "feature_train.npy").unlink()
    with pytest.raises(FileNotFoundError, match="4 of 7 listed videos lack features"):
        read_dataset(root)
    assert len(read_dataset(root, missing="skip").videos) == 3


class Bad:
    def __reduce__(self):
        return os.system, ("touch amsx_was_here",)


def test_a_malicious_file_is_refused_and_runs_nothing(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save(root / "feature_val.npy", np.array({"v": Bad()}, dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"refused, it asks for (posix|nt)\.system"):
        read_dataset(root)
    assert not (tmp_path / "amsx_was_here").exists()
