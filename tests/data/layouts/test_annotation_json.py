"""Annotation files in the ActivityNet form."""

import json

import pytest

from amsx.data.layouts.shared.annotation_json import read_database
from amsx.evaluation.ground_truth import read_ground_truth


def write(folder, database):
    path = folder / "gt.json"
    path.write_text(database if isinstance(database, str) else json.dumps({"database": database}))
    return path


def test_numbers_may_be_strings_and_extra_keys_are_no_matter(tmp_path):
    entry = {
        "subset": "test",
        "duration": "12.5",
        "fps": 25,
        "frame": 312,
        "url": "x",
        "annotations": [
            {"label": "b", "segment": ["1.5", "2"], "label_id": 3},
            {"label": "a", "segment": [0, 9]},
            {"label": "b", "segment": [3, 4]},
        ],
    }
    found = read_database(write(tmp_path, {"v": entry})).entries["v"]
    assert (found.subset, found.duration, found.fps, found.frames) == ("test", 12.5, 25.0, 312.0)
    assert found.labels == ("a", "b")
    assert [(s.start, s.end, s.label) for s in found.segments] == [(1.5, 2, "b"), (0, 9, "a"), (3, 4, "b")]


def test_a_segment_without_length_leaves_its_label_and_is_counted(tmp_path):
    entry = {"subset": "train", "annotations": [{"label": "a", "segment": [2, 2]}]}
    found = read_database(write(tmp_path, {"v": entry})).entries["v"]
    assert (found.labels, found.segments, found.empty_segments) == (("a",), (), 1)


@pytest.mark.parametrize(
    "entry",
    [
        {"labels": ["b", "a"]},
        {"annotations": [{"label": "a"}, {"label": "b"}]},
        {"annotations": [{"label": ["a", "b"]}]},
    ],
)
def test_labels_without_a_segment_label_the_whole_video(tmp_path, entry):
    path = tmp_path / "labels_alone.json"
    path.write_text(json.dumps({"database": {"v": {"subset": "train", **entry}}}))
    found = read_database(path).entries["v"]
    assert (found.labels, found.segments) == (("a", "b"), ())


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ([], "holds a list; expected an object"),
        ({"subset": 3}, "subset is 3; expected the name of a subset"),
        ({"subset": " "}, "expected the name of a subset"),
        ({"subset": "train", "annotations": {}}, "must be a list"),
        ({"subset": "train", "annotations": [{"segment": [0, 1]}]}, "expected"),
        ({"subset": "train", "annotations": [{"label": "a", "segment": [1]}]}, "expected"),
        ({"subset": "train", "annotations": [{"label": "a", "segment": ["x", 1]}]}, "expected"),
        ({"subset": "train", "annotations": [{"label": "a", "segment": [3, 1]}]}, "ends before it starts"),
        ({"subset": "train", "annotations": [{"label": "a", "segment": ["nan", 1]}]}, "two finite numbers"),
        ({"subset": "train", "annotations": [{"label": None, "segment": [0, 1]}]}, "label None"),
        ({"subset": "train", "annotations": [{"label": " ", "segment": [0, 1]}]}, "not blank"),
        ({"subset": "train", "annotations": [{"label": ["a", ["b"]], "segment": [0, 1]}]}, "string or an integer"),
        ({"subset": "train", "annotations": [{"label": [], "segment": [0, 1]}]}, "string or an integer"),
        ({"subset": "train", "annotations": [{"label": 1.5, "segment": [0, 1]}]}, "string or an integer"),
        ({"subset": "train", "annotations": [{"label": True, "segment": [0, 1]}]}, "string or an integer"),
        ({"subset": "train", "annotations": [{"label": "a", "segment": "14"}]}, "expected"),
        ({"subset": "train", "annotations": [{"label": "a", "segment": [False, True]}]}, "two finite numbers"),
        ({"subset": "train", "duration": -1}, "duration must be a positive number"),
        ({"subset": "train", "fps": "fast"}, "fps must be a positive number"),
        ({"subset": "train", "fps": True}, "fps must be a positive number"),
    ],
)
def test_a_bad_entry_is_an_error_that_names_the_file_and_the_video(tmp_path, entry, message):
    path = write(tmp_path, {"good": {"subset": "train"}, "the_bad": entry})
    with pytest.raises(ValueError, match=message) as error:
        read_database(path)
    assert str(path) in str(error.value) and "the_bad" in str(error.value)


@pytest.mark.parametrize("text", ["", "{", '{"results": {}}', "[]", '{"database": {}}', '{"database": []}'])
def test_what_is_no_annotation_is_an_error_that_names_the_file(tmp_path, text):
    with pytest.raises(ValueError, match=r"gt\.json"):
        read_database(write(tmp_path, text))


@pytest.mark.parametrize("label", [None, "", [], 1.5, True, {"a": 1}, "a", 3, "Ambiguous"])
@pytest.mark.parametrize("segment", [[0, 1], ["0", "1.5"], "14", [False, True], [1, 1], [2, 1], [0], None, {"0": 1}])
def test_training_and_evaluation_judge_an_annotation_alike(tmp_path, label, segment):
    sound = {"label": "b", "segment": [0, 9]}
    path = write(tmp_path, {"v": {"subset": "test", "annotations": [sound, {"label": label, "segment": segment}]}})
    messages = []
    for read in (read_database, read_ground_truth):
        try:
            read(path)
        except ValueError as error:
            messages.append(str(error))
        else:
            messages.append("")
    assert bool(messages[0]) == bool(messages[1])
    assert messages[0].partition("annotation 1")[1:] == messages[1].partition("annotation 1")[1:]


def test_segments_labelled_ambiguous_are_counted_and_make_no_label(tmp_path):
    actions = [{"label": label, "segment": [1, 2]} for label in ("a", "Ambiguous", "Ambiguous")]
    found = read_database(write(tmp_path, {"v": {"subset": "train", "annotations": actions}})).entries["v"]
    assert (found.labels, len(found.segments), found.ambiguous) == (("a",), 1, 2)


def test_an_id_that_occurs_twice_is_an_error(tmp_path):
    text = '{"database": {"v": {"subset": "train"}, "w": {"subset": "train"}, "v": {"subset": "test"}}}'
    with pytest.raises(ValueError, match="'v' occurs twice"):
        read_database(write(tmp_path, text))


def test_no_file_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gt\.json"):
        read_database(tmp_path / "gt.json")


def test_thumos14_as_published(shared_data):
    found = read_database(shared_data("thumos14-basnet") / "gt.json").entries
    assert len(found) == 410
    assert len({label for entry in found.values() for label in entry.labels}) == 20
    assert sum(entry.empty_segments for entry in found.values()) == 0


def test_activitynet_as_published(shared_data):
    found = read_database(shared_data("activitynet12") / "activity_net.v1-2.min.json").entries
    assert len(found) == 4819 + 2383 + 2480
    assert sum(entry.empty_segments for entry in found.values()) == 10
