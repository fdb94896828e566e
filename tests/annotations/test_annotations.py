"""Annotation in JSON in every form of the field: one reading, whatever the form."""

import json
import re

import pytest

from amsx.annotations import Instance, VideoAnnotation, parse_annotation, read_annotation, same_names

PLAIN = {
    "subset": "training",
    "duration": 12.5,
    "fps": 24,
    "frames": 300,
    "annotations": [{"label": "run", "segment": [0, 9]}, {"label": "jump", "segment": [1.5, 2]}],
}
READ = VideoAnnotation("training", 12.5, 24, 300, instances=(Instance("run", 0, 9), Instance("jump", 1.5, 2)))


def one(entry, **more):
    return parse_annotation({"database": {"v": entry}, **more}, "gt.json").videos["v"]


def changed(without=(), **keys):
    return {key: value for key, value in {**PLAIN, **keys}.items() if key not in without}


@pytest.mark.parametrize(
    "entry",
    [
        PLAIN,
        changed(subset=" training "),
        changed(duration="12.5", fps="24", frames="300"),
        changed(("duration", "frames"), duration_second=12.5, duration_frame=300),
        changed(("duration", "frames", "fps"), seconds=12.5, numFrame=300, FPS=24),
        changed(("frames", "fps"), num_frames=300, frame_rate=24),
        changed(("frames", "fps"), nframes=300.0, frame=None, frameRate=24),
        changed(duration_second=12.5, frame=300),  # two spellings that agree
        changed(("annotations",), actions=[["run", 0, 9], ["jump", "1.5", 2]]),
        changed(annotations=[[0, 9, "run"], ["jump", 1.5, 2]]),
        changed(annotations=[{"class": "run", "start": 0, "end": 9}, {"action": "jump", "segment": ["1.5", "2"]}]),
        changed(("annotations",), segments=[[0, 9], [1.5, 2]], labels=["run", "jump"]),
        changed(annotations=[{"label": "run", "class": "run", "segment": [0, 9]}, ["jump", 1.5, 2]], url="x", id=7),
    ],
)
@pytest.mark.parametrize("bare", [False, True])
def test_every_spelling_is_read_alike(entry, bare):
    read = parse_annotation({"v": entry} if bare else {"database": {"v": entry}, "version": "1"}, "gt.json")
    assert dict(read.videos) == {"v": READ}
    assert read.notes == (("the annotation is a bare {id: {...}}, without 'database'",) if bare else ())


def test_what_an_entry_does_not_say_is_none():
    assert one({"annotations": []}) == VideoAnnotation()
    assert one({"feature_frame": 288}).feature_frames == 288


def test_a_list_of_labels_is_several_labels():
    entry = {"annotations": [{"label": ["a", "b", "a"], "label_id": [0, 1, 0], "segment": [0, 1]}]}
    read = parse_annotation({"database": {"v": entry}}, "gt.json")
    assert read.videos["v"].instances == (Instance("a", 0, 1), Instance("b", 0, 1))


def test_labels_alone_where_they_are_allowed():
    entry = {"annotations": [{"label": "a"}, {"label": "b", "segment": [0, 1]}]}
    read = parse_annotation({"database": {"v": entry, "w": {"labels": ["c"]}}}, "gt.json", labels_alone=True)
    assert read.videos == {
        "v": VideoAnnotation(instances=(Instance("b", 0, 1),), labels=("a",)),
        "w": VideoAnnotation(labels=("c",)),
    }
    with pytest.raises(ValueError, match=r"gt\.json: video 'v', annotation 0 has no 'segment'"):
        one(entry)


def test_any_order_keeps_an_end_before_the_start():
    content = {"database": {"v": {"annotations": [{"label": "a", "segment": [3, 1]}]}}}
    assert parse_annotation(content, "x", any_order=True).videos["v"].instances == (Instance("a", 3, 1),)
    with pytest.raises(ValueError, match="ends before it starts"):
        parse_annotation(content, "x")


@pytest.mark.parametrize("label", ["Ambiguous", "ambiguous", " AMBIGUOUS"])
def test_ambiguous_has_one_spelling(label):
    assert one({"annotations": [{"label": label, "segment": [0, 1]}]}).instances[0].label == "Ambiguous"


@pytest.mark.parametrize("number", [1, "1"])
@pytest.mark.parametrize(
    ("others", "beside", "origin"),
    [
        ([{"label": "jump", "label_id": 1, "segment": [0, 1]}], {}, "the label_id of"),
        ([{"label": "jump", "label_id": "1", "segment": [0, 1]}], {}, "the label_id of"),
        ([[0, 5, 6]], {"classes": ["run", "jump", "fly"]}, "'classes' in gt.json, counted from 0"),
        ([[3, 5, 6]], {"class_list": ["jump", "run", "fly"]}, "'class_list' in gt.json, counted from 1"),
        ([], {"classes": {"1": "jump", "2": "run"}}, "'classes' in"),
        ([], {"classes": {"jump": 1, "run": "2"}}, "'classes' in"),
    ],
)
def test_numbers_are_named_by_what_the_file_says(number, others, beside, origin):
    for record in ([number, 2, 3], {"label": number, "segment": [2, 3]}, {"label_id": number, "segment": [2, 3]}):
        content = {"database": {"v": {"actions": [*others, record]}}, **beside}
        read = parse_annotation(content, "gt.json")
        assert read.videos["v"].instances[-1] == Instance("jump", 2, 3)
        assert len(read.notes) == 1 and origin in read.notes[0]


def test_numbers_that_nothing_names_are_labels_themselves():
    read = parse_annotation({"v": {"actions": [[7, 0, 1], ["12", 1, 2]]}}, "gt.json")
    assert [instance.label for instance in read.videos["v"].instances] == ["7", "12"]
    stated = one({"annotations": [{"label": 30, "label_id": 0, "segment": [0, 1]}]})
    assert stated.instances[0].label == "30"


@pytest.mark.parametrize(
    ("entry", "beside", "message"),
    [
        ({"fps": 25, "frame_rate": 30}, {}, "has fps 25 and frame_rate 30, two spellings of one thing"),
        ({"frame": 100, "num_frames": 99}, {}, "has frame 100 and num_frames 99"),
        ({"annotations": [], "actions": [["a", 0, 1]]}, {}, "two spellings of one thing"),
        (
            {"annotations": [{"label": "a", "class": "b", "segment": [0, 1]}]},
            {},
            "annotation 0 has label 'a' and class",
        ),
        ({"annotations": [[1, 2, 3]]}, {}, "annotation 0 is [1, 2, 3], which does not show which"),
        ({"actions": [["a", 2]]}, {}, "annotation 0 is a list of 2; expected [class, start, end]"),
        ({"actions": [["a", "b", 2]]}, {}, "annotation 0 has segment ['b', 2]; expected two finite numbers"),
        ({"annotations": None}, {}, "annotations must be a list, got NoneType"),
        ({"labels": ["a"], "segments": []}, {}, "labels and segments are not lists of one length"),
        ({"segments": 3}, {}, "segments are not lists"),
        ({"actions": [[1, 0, 1], [2, 0, 1]]}, {"classes": ["a", "b", "c"]}, "from 1 to 2 may count the 3 names"),
        ({"actions": [[5, 0, 1]]}, {"classes": {"1": "a"}}, "annotation 0 has the class number 5, which 'classes'"),
        (
            {"actions": [[1, 0, 1], *({"label": x, "label_id": 1, "segment": [0, 1]} for x in "ab")]},
            {},
            "label_id 1 stands for 'a' and for 'b'",
        ),
        (
            {
                "actions": [
                    ["1", 0, 1],
                    *({"label": x, "label_id": i, "segment": [0, 1]} for i, x in ((1, "a"), (2, "1"))),
                ]
            },
            {},
            "annotation 0 has the label '1', which is the name of a class elsewhere and the number of 'a'",
        ),
    ],
)
def test_what_can_be_read_in_two_ways_is_an_error_that_says_where(entry, beside, message):
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        one(entry, **beside)
    assert str(error.value).startswith("gt.json: ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "gt.json: holds a list"),
        ({}, "keys: none"),
        ({"results": {"v": [{"label": "a", "segment": [0, 1], "score": 1}]}}, "no videos .keys: 'results'"),
        ({"database": {}}, "'database' holds no video"),
        ({"database": []}, "'database' holds a list"),
        ({"v": {"annotations": []}, "w": []}, "holds videos, and 'w', which is none"),
        ({"v": {"annotations": []}, "w": {"url": "x"}}, "holds videos, and 'w', which is none"),
    ],
)
def test_what_is_no_annotation_is_an_error(content, message):
    with pytest.raises(ValueError, match=message):
        parse_annotation(content, "gt.json")


def test_files(tmp_path):
    path = tmp_path / "gt.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps({"v": PLAIN}).encode())
    assert read_annotation(path).videos == {"v": READ}
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_annotation(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("ids", "others", "names", "how"),
    [
        (["a", "b"], {"a", "b"}, ["a", "b"], ""),
        (["a", "b"], {"v_a", "v_b"}, ["v_a", "v_b"], "added"),
        (["v_a", "v_b"], {"a"}, ["a", "b"], "removed"),
        (["v_a", "b"], {"a", "v_b"}, ["v_v_a", "v_b"], "added"),
        (["a", "b"], {"a", "v_b"}, ["a", "b"], ""),
        (["v_a", "b"], {"a"}, ["v_a", "b"], ""),
        (["a"], set(), ["a"], ""),
        (["v_a", "v_b"], {"v_a", "b"}, ["v_a", "v_b"], ""),
    ],
)
def test_the_prefix_of_one_side(ids, others, names, how):
    assert same_names(ids, others) == (dict(zip(ids, names, strict=True)), how)
