"""The spellings that files come in, and what is said of broken ones."""

import json
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from amsx.evaluation import Selection, evaluate

TRUTH: dict[str, Any] = {
    "database": {
        "v1": {"subset": "test", "annotations": [{"label": "3", "segment": [1.0, 2.5]}]},
        "v2": {"subset": "test", "annotations": [{"label": "12", "segment": [0.5, 4.0]}]},
        "v3": {"subset": "training", "annotations": [{"label": "7", "segment": [0.0, 4.0]}]},
    }
}
FOUND: dict[str, Any] = {
    "results": {
        "v1": [{"label": "3", "score": 0.5, "segment": [1.0, 2.5]}],
        "v2": [{"label": "12", "score": 0.25, "segment": [0.5, 4.0]}],
    }
}


def test_spellings_score_alike(tmp_path: Path) -> None:
    expected = evaluate(FOUND, TRUTH)
    assert expected.average == 100.0
    assert list(expected.per_class) == ["3", "12"]  # as numbers, not as text
    strings, numbers, arrays = deepcopy(TRUTH), deepcopy(FOUND), deepcopy(FOUND)
    for entry in strings["database"].values():
        for annotation in entry["annotations"]:
            annotation["segment"] = [str(t) for t in annotation["segment"]]
    for records in numbers["results"].values():
        for record in records:
            record.update(label=int(record["label"]), score=str(record["score"]), segment=tuple(record["segment"]))
    for records in arrays["results"].values():
        for record in records:
            record.update(label=np.int64(record["label"]), score=np.float32(record["score"]))
            record["segment"] = np.array(record["segment"], dtype=np.float32)
    full = {"version": "1.3", "external_data": {"used": False}, "method": "ours", **numbers}
    (tmp_path / "found.json").write_text(json.dumps(full))
    (tmp_path / "truth.json").write_text(json.dumps({"version": "x", "taxonomy": [], **strings}))
    for result in (
        evaluate(numbers, strings),
        evaluate(arrays, TRUTH),
        evaluate(tmp_path / "found.json", str(tmp_path / "truth.json")),
    ):
        assert replace(result, form=expected.form) == expected  # forms: see test_forms


@pytest.mark.parametrize(
    ("subsets", "wanted", "chosen"),
    [
        (("test", "test", "train"), None, "test"),
        (("Testing", "Testing", "Validation"), None, "test"),
        (("validation", "val", "Training"), None, "validation"),
        (("validation", "val", "Training"), "TRAIN", "train"),
        (("fold1", "fold1", "fold2"), "fold1", "fold1"),
        (("train", "train", "train"), None, "train"),
    ],
)
def test_subset_in_any_spelling(subsets: tuple[str, ...], wanted: str | None, chosen: str) -> None:
    truth = deepcopy(TRUTH)
    for entry, subset in zip(truth["database"].values(), subsets, strict=True):
        entry["subset"] = subset
    found = {"results": {video: [{"label": "3", "score": 1, "segment": [0, 1]}] for video in ("v1", "v2", "v3")}}
    result = evaluate(found, truth, selection=Selection(subset=wanted))
    assert result.subset == chosen
    said = any("chosen; the file has" in note for note in result.notes)
    assert said == (wanted is None and len(set(subsets)) > 1)


def test_ground_truth_without_subsets_is_scored_whole() -> None:
    truth = deepcopy(TRUTH)
    for entry in truth["database"].values():
        del entry["subset"]
    result = evaluate(FOUND, truth)
    assert (result.subset, result.counts.videos) == (None, 3)


def test_split_file(tmp_path: Path) -> None:
    split = tmp_path / "split.txt"
    split.write_text("v1\nv3\n\nv9\n")
    result = evaluate(FOUND, TRUTH, selection=Selection(videos=split))
    assert result.counts.videos == 3
    assert result.counts.detections_in_videos_not_scored == 1
    assert result.average == 50.0
    assert result.notes[:2] == [
        f"scored on the 3 videos that {split} names",
        "1 of them have no entry in the ground truth, so no instance: 'v9'",
    ]


def test_ambiguous_annotations_are_no_class() -> None:
    truth = deepcopy(TRUTH)
    spans: Any = {"v2": [["10", "20"]], "v8": [[0, 1]]}
    truth["database"]["v1"]["annotations"].append({"label": "Ambiguous", "segment": [10, 20]})
    result = evaluate(FOUND, truth, "thumos14-official", selection=Selection(ambiguous=spans))
    assert list(result.per_class) == ["3", "12"]
    assert result.counts.ambiguous_spans == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": float("nan")}, "video 'v1', detection 1 has score nan; expected a finite number"),
        ({"score": float("inf")}, "video 'v1', detection 1 has score inf"),
        ({"score": None}, "video 'v1', detection 1 has score None"),
        ({"score": "high"}, "video 'v1', detection 1 has score 'high'"),
        ({"score": [0.5]}, "has score .0.5.; expected a finite number"),
        ({"segment": [2, 1]}, r"detection 1 has segment \[2, 1\], which ends before it starts"),
        ({"segment": [1]}, r"detection 1 has segment \[1\]; expected \[start, end\]"),
        ({"segment": [1, 2, 3]}, r"expected \[start, end\]"),
        ({"segment": "12"}, r"has segment '12'; expected \[start, end\]"),
        ({"segment": {"start": 1, "end": 2}}, r"expected \[start, end\]"),
        ({"segment": [1, float("nan")]}, "expected two finite numbers"),
        ({"segment": [None, 1]}, "expected two finite numbers"),
        ({"segment": [[0], [1]]}, "expected two finite numbers"),
        ({"label": None}, "detection 1 has label None; expected a string or an integer"),
        ({"label": True}, "detection 1 has label True"),
        ({"label": 1.5}, "detection 1 has label 1.5"),
        ({"label": ["3"]}, "expected a string or an integer"),
    ],
)
def test_broken_detection_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    found = deepcopy(FOUND)
    found["results"]["v1"].append({"label": "3", "score": 0.5, "segment": [1.0, 2.5], **change})
    with pytest.raises(ValueError, match=message):
        evaluate(found, TRUTH)
    path = tmp_path / "found.json"
    path.write_text(json.dumps(found))
    with pytest.raises(ValueError, match=f"found.json.*{message}"):
        evaluate(path, TRUTH)


@pytest.mark.parametrize("key", ["label", "score", "segment"])
def test_missing_key_is_named(key: str) -> None:
    found = deepcopy(FOUND)
    del found["results"]["v2"][0][key]
    with pytest.raises(ValueError, match=f"predictions: video 'v2', detection 0 has no '{key}'"):
        evaluate(found, TRUTH)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({"v1": []}, "no object under 'results' .keys: 'v1'.; expected"),
        ({"results": []}, "no object under 'results'"),
        ({"results": {"v1": {}}}, "video 'v1' holds a dict; expected a list of detections"),
        ({"results": {"v1": [7]}}, "video 'v1', detection 0 is a int; expected an object"),
        (
            {"results": {"w1": [], "w2": []}},
            "holds none of the videos of ground truth .* has 'w1', 'w2', expected 'v1'",
        ),
        ({"results": {"v3": []}}, "holds none of the videos"),  # a video, but of the training subset
        (
            {"results": {"v1": [{"label": "run", "score": 1, "segment": [0, 1]}]}},
            "no label in common: .*'run'.*'3'",
        ),
    ],
)
def test_predictions_of_the_wrong_form(found: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate(found, TRUTH)


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        ({"results": {}}, "holds no 'database' and no videos .keys: 'results'.; expected"),
        ({"database": {}}, "'database' holds no video; expected"),
        ({"database": {"v1": []}}, "video 'v1' holds a list; expected an object"),
        (
            {"database": {"v1": {"subset": "test", "annotations": []}}},
            "no annotated instance; .* test .1 videos",
        ),
        (
            {"database": {"v1": {"annotations": [{"label": "Ambiguous", "segment": [0, 1]}]}}},
            "no annotated instance in",
        ),
        ({"database": {"v1": {"annotations": {"label": 1}}}}, "video 'v1': annotations must be a list, got dict"),
        ({"database": {"v1": {"annotations": [{"label": 1}]}}}, "video 'v1', annotation 0 has no 'segment'"),
        ({"database": {"v1": {"annotations": [{"label": 1, "segment": [3, 1]}]}}}, "ends before it starts"),
    ],
)
def test_ground_truth_of_the_wrong_form(truth: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate(FOUND, truth)


def test_wrong_options_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown protocol 'coco'; expected one of activitynet, thumos14-official"):
        evaluate(FOUND, TRUTH, "coco")
    with pytest.raises(
        ValueError, match=r"no video of subset 'val'; the file has test \(2 videos\), train \(1 videos\)"
    ):
        evaluate(FOUND, TRUTH, selection=Selection(subset="val"))
    folds = deepcopy(TRUTH)
    for i, entry in enumerate(folds["database"].values()):
        entry["subset"] = f"fold{i}"
    with pytest.raises(ValueError, match="no telling which subset to score; name one, the file has fold0"):
        evaluate(FOUND, folds)
    with pytest.raises(ValueError, match="there is no video 'v8' to exclude"):
        evaluate(FOUND, TRUTH, selection=Selection(exclude=["v8"]))
    with pytest.raises(TypeError, match="exclude is the string 'v1'"):
        evaluate(FOUND, TRUTH, selection=Selection(exclude="v1"))
    with pytest.raises(ValueError, match="the list of videos names no video of ground truth"):
        evaluate(FOUND, TRUTH, selection=Selection(videos=["w1"]))
    with pytest.raises(ValueError, match="both subset 'test' and a list of videos"):
        evaluate(FOUND, TRUTH, selection=Selection(subset="test", videos=["v1"]))
    with pytest.raises(ValueError, match="outside"):
        evaluate(FOUND, TRUTH, tiou=[0.5, 1.5])
    with pytest.raises(ValueError, match="video 'v1', span 0 has segment"):
        evaluate(FOUND, TRUTH, selection=Selection(ambiguous={"v1": [[3, 1]]}))
    spans = tmp_path / "spans.txt"
    spans.write_text("v1 0 1\nv1 2\n")
    with pytest.raises(ValueError, match=r"spans.txt, line 2: 'v1 2'; expected"):
        evaluate(FOUND, TRUTH, selection=Selection(ambiguous=spans))


def test_missing_and_unreadable_files_are_named(tmp_path: Path) -> None:
    for options in ({"videos": tmp_path / "no.txt"}, {"ambiguous": tmp_path / "no.txt"}):
        with pytest.raises(FileNotFoundError, match=r"no\.txt does not exist"):
            evaluate(FOUND, TRUTH, selection=Selection(**options))  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError, match=r"predictions file .*no\.json does not exist"):
        evaluate(tmp_path / "no.json", TRUTH)
    with pytest.raises(FileNotFoundError, match=r"ground truth file .*no\.json does not exist"):
        evaluate(FOUND, tmp_path / "no.json")
    broken = tmp_path / "broken.json"
    broken.write_text('{"results": {')
    with pytest.raises(ValueError, match=r"broken\.json: not a JSON file"):
        evaluate(broken, TRUTH)
    broken.write_text("[]")
    with pytest.raises(ValueError, match=r"broken\.json: holds a list; expected a JSON object"):
        evaluate(broken, TRUTH)


@pytest.mark.parametrize("which", ["predictions", "ground truth"])
def test_a_video_that_comes_twice_in_a_file_is_an_error(tmp_path: Path, which: str) -> None:
    """The parser would keep the second one, and the score be another, without a word."""
    files = {"predictions": tmp_path / "p.json", "ground truth": tmp_path / "g.json"}
    for path, content in zip(files.values(), (FOUND, TRUTH), strict=True):
        path.write_text(json.dumps(content))
    files[which].write_text(files[which].read_text().replace('"v2"', '"v1"'))
    with pytest.raises(ValueError, match=r"'v1' occurs twice in one object"):
        evaluate(files["predictions"], files["ground truth"])


def test_files_with_a_byte_order_mark(tmp_path: Path) -> None:
    for name, content in (("p.json", json.dumps(FOUND)), ("g.json", json.dumps(TRUTH)), ("split.txt", "v1\nv2\n")):
        (tmp_path / name).write_text(content, encoding="utf-8-sig")
    assert (
        evaluate(tmp_path / "p.json", tmp_path / "g.json", selection=Selection(videos=tmp_path / "split.txt")).average
        == 100.0
    )


def test_a_file_of_another_kind_is_not_repeated_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_text("x" * 10_000)
    with pytest.raises(ValueError, match="names no video of") as refused:
        evaluate(FOUND, TRUTH, selection=Selection(videos=path))
    assert len(str(refused.value)) < 500
    with pytest.raises(ValueError, match="expected a video id, a start and an end") as refused:
        evaluate(FOUND, TRUTH, selection=Selection(ambiguous=path))
    assert len(str(refused.value)) < 500
    with pytest.raises(FileNotFoundError, match="is a folder"):
        evaluate(tmp_path, TRUTH)
