"""Every form that prediction files come in, what integer labels mean, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from amsx.evaluation import Selection, evaluate
from amsx.evaluation.labels import read_class_list

CLASSES = ["run", "jump", "swim"]
ROWS = [("v1", "run", 1.0, 2.5, 0.5), ("v1", "jump", 3.0, 4.0, 0.25), ("v2", "swim", 0.5, 4.0, 0.75)]


def truth(ids: bool = True) -> dict[str, Any]:
    database: dict[str, Any] = {"v1": {"annotations": []}, "v2": {"annotations": []}}
    for video, label, start, end, _ in ROWS:
        number = {"label_id": CLASSES.index(label)} if ids else {}
        database[video]["annotations"].append({"label": label, "segment": [start, end], **number})
    return {"database": database}


def results(label: Callable[[str], Any] = str, keys: tuple[str, str] = ("label", "score")) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    for video, name, start, end, score in ROWS:
        entries.setdefault(video, []).append({keys[0]: label(name), "segment": [start, end], keys[1]: score})
    return entries


def table(label: Callable[[str], Any] = str) -> dict[str, Any]:
    videos, names, starts, ends, scores = zip(*ROWS, strict=True)
    labels = [label(name) for name in names]
    columns = [list(videos), list(starts), list(ends), labels, list(scores)]
    return dict(zip(("video-id", "t-start", "t-end", "label", "score"), columns, strict=True))


NUMBER = CLASSES.index
FULL = {"version": "VERSION 1.3", "results": results(), "external_data": {}}
BY_ID = "integer labels by the label_id of ground truth"


@pytest.mark.parametrize(
    ("content", "dialect"),
    [
        (FULL, "ActivityNet form"),
        ({"results": results()}, "ActivityNet form without version and external_data"),
        ({"version": "1", "results": results()}, "ActivityNet form without external_data"),
        ({"method": "ours", **FULL}, "ActivityNet form with 'method'"),
        (
            {"method": "ours", "results": results()},
            "ActivityNet form without version and external_data, with 'method'",
        ),
        ({**FULL, "results": results(NUMBER)}, f"ActivityNet form, {BY_ID}"),
        ({**FULL, "results": results(lambda name: str(NUMBER(name)))}, f"ActivityNet form, {BY_ID}"),
        (
            {"database": results(NUMBER, ("label_id", "scores"))},
            f"ActionFormer form (database), {BY_ID}",
        ),
        (table(), "table of columns"),
        (table(NUMBER), f"table of columns, {BY_ID}"),
    ],
)
def test_form_is_recognized_and_said(tmp_path: Path, content: dict[str, Any], dialect: str) -> None:
    path = tmp_path / "predictions.json"
    path.write_text(json.dumps(content))
    for source in (content, path):
        result = evaluate(source, truth())
        assert (result.average, result.counts.detections, result.form) == (100.0, 3, dialect)


def test_columns_may_be_arrays() -> None:
    arrays = {key: np.array(values) for key, values in table(NUMBER).items()}
    assert evaluate(arrays, truth()).average == 100.0


def test_lines_of_the_thumos_challenge(tmp_path: Path) -> None:
    # Seconds, the challenge's own class numbers, video files for videos.
    path, names = tmp_path / "detections.txt", tmp_path / "detclasslist.txt"
    numbers = {"run": 7, "jump": 9, "swim": 97}
    lines = [f"{video}.mp4 {start} {end} {numbers[label]} {score}" for video, label, start, end, score in ROWS]
    path.write_text("\n".join(lines) + "\n")
    names.write_text("".join(f"{number} {label}\n" for label, number in numbers.items()))
    result = evaluate(path, truth(ids=False), selection=Selection(labels=names))
    assert result.average == 100.0
    assert result.form == f"THUMOS14 challenge lines, integer labels by {names}"
    path.write_text("\n".join([*lines, "v2 1.0 2.0 7"]))
    with pytest.raises(ValueError, match=r"detections.txt, line 4: 'v2 1.0 2.0 7'; expected a video id, a start"):
        evaluate(path, truth(ids=False), selection=Selection(labels=names))
    path.write_text("v1 2.0 1.0 7 0.5\n")
    with pytest.raises(ValueError, match="ends before it starts"):
        evaluate(path, truth(ids=False), selection=Selection(labels=names))


@pytest.mark.parametrize(
    "text",
    ["run\njump\nswim\n", "0 run\n1 jump\n\n2 swim\n", '["run", "jump", "swim"]', " run \n jump\n swim"],
)
def test_class_list_files(tmp_path: Path, text: str) -> None:
    path = tmp_path / "classes.txt"
    path.write_text(text)
    assert read_class_list(path) == ({0: "run", 1: "jump", 2: "swim"}, str(path))
    result = evaluate({"results": results(NUMBER)}, truth(ids=False), selection=Selection(labels=path))
    assert result.average == 100.0
    assert result.form.endswith(f"integer labels by {path}")


def test_class_list_decides_over_the_ground_truth() -> None:
    other = {0: "swim", 1: "jump", 2: "run"}
    found = {"results": results({name: number for number, name in other.items()}.get)}
    assert evaluate(found, truth(), selection=Selection(labels=other)).average == 100.0
    assert evaluate(found, truth()).average < 50.0


@pytest.mark.parametrize("text", ["", "[]", "[1, 2]", '{"0": "run"}', "3"])
def test_class_list_of_another_form_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "classes.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"classes.txt.* expected class names"):
        evaluate({"results": results(NUMBER)}, truth(ids=False), selection=Selection(labels=path))


@pytest.mark.parametrize(("text", "what"), [("run\nrun\n", "name"), ("1 run\n1 jump\n", "number")])
def test_class_list_with_something_twice_is_refused(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "classes.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"a class {what} comes twice"):
        read_class_list(path)


def test_integer_labels_without_a_meaning() -> None:
    with pytest.raises(ValueError, match=r"labels are integers .'0', '1', '2'.*no label_id; a class list .--labels"):
        evaluate({"results": results(NUMBER)}, truth(ids=False))
    shifted = {"results": results(lambda name: NUMBER(name) + 1)}  # numbered from one
    with pytest.raises(ValueError, match="label '3' stands for no class of the label_id of ground truth, which has 3"):
        evaluate(shifted, truth())
    with pytest.raises(
        ValueError, match="label '2' stands for no class of the class list, which has 2 numbers, 0 to 1"
    ):
        evaluate({"results": results(NUMBER)}, truth(), selection=Selection(labels=["run", "jump"]))
    with pytest.raises(ValueError, match=r"its labels are names .*so there is no use for a class list"):
        evaluate({"results": results()}, truth(), selection=Selection(labels=CLASSES))


def test_integer_labels_with_two_meanings() -> None:
    numbered = truth()
    for entry in numbered["database"].values():
        for annotation in entry["annotations"]:
            annotation["label"] = str(2 - annotation["label_id"])  # names that are numbers, and other numbers beside
    with pytest.raises(ValueError, match="has such labels as well as other numbers in label_id"):
        evaluate({"results": results(NUMBER)}, numbered)
    same = {0: "0", 1: "1", 2: "2"}
    assert (
        evaluate(
            {"results": results(lambda name: 2 - NUMBER(name))}, numbered, selection=Selection(labels=same)
        ).average
        == 100.0
    )
    for entry in numbered["database"].values():
        for annotation in entry["annotations"]:
            annotation["label_id"] = int(annotation["label"])
    result = evaluate({"results": results(lambda name: 2 - NUMBER(name))}, numbered)
    assert (result.average, result.form.endswith("as ground truth spells them")) == (100.0, True)


def test_label_id_of_two_classes() -> None:
    broken = truth()
    broken["database"]["v1"]["annotations"][1]["label_id"] = 0
    assert evaluate({"results": results()}, broken).average == 100.0  # nobody asked
    with pytest.raises(ValueError, match="label_id 0 stands for 'jump' and for 'run'"):
        evaluate({"results": results(NUMBER)}, broken)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({**FULL, "database": {}}, "holds both 'results' and 'database'"),
        (truth(), "this is a ground truth .predictions come first"),
        ({**table(), "score": [1.0]}, r"columns of different lengths, \{.*'score': 1\}"),
        ({**table(), "score": {"0": 1.0}}, "column 'score' is a dict; expected a list"),
        ({**table(), "label": [None] * 3}, "video 'v1', detection 0 has label None"),
        ({"database": {"v1": [{"label_id": 0, "segment": [0, 1]}]}}, "detection 0 has no 'scores'; expected the keys"),
        ({"v1": results()["v1"]}, "no object under 'results' .keys: 'v1'."),
    ],
)
def test_what_is_of_no_known_form(content: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate(content, truth())


def test_published_class_numbers(shared_data: Callable[[str], Path]) -> None:
    path = shared_data("gtea-windows") / "gtea_windows.json"
    database = json.loads(path.read_text())["database"]
    test = {video: entry for video, entry in database.items() if entry["subset"] == "Test"}
    found = {
        v: [{"label_id": a["label_id"], "segment": a["segment"], "scores": 1.0} for a in e["annotations"]]
        for v, e in test.items()
    }
    result = evaluate({"database": found}, path)
    assert result.average == 100.0
    assert result.form == f"ActionFormer form (database), integer labels by the label_id of {path}"
