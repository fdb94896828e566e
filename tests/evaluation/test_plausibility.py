"""Warnings on predictions that can be scored, and are hardly what was meant."""

from typing import Any

import pytest

from amsx.evaluation import Selection, evaluate
from amsx.evaluation.explain import explain
from amsx.evaluation.tables import format_table

N = 6


def truth(durations: bool = True) -> dict[str, Any]:
    annotations = [{"label": "HighJump", "segment": [10, 20]}, {"label": "run", "segment": [25, 38]}]
    duration = {"duration": 40.0} if durations else {}
    return {"database": {f"v{i}": {"subset": "test", "annotations": annotations, **duration} for i in range(N)}}


def found(factor: float = 1.0, label: str = "HighJump") -> dict[str, Any]:
    spans = [(label, 10.0, 20.0), ("run", 25.0, 38.0)]
    records = [{"label": la, "score": 0.9, "segment": [factor * s, factor * e]} for la, s, e in spans]
    return {"results": {f"v{i}": records for i in range(N)}}


def warnings_of(predictions: dict[str, Any], annotation: dict[str, Any]) -> list[str]:
    result = evaluate(predictions, annotation, tiou=0.5)
    said = [note for note in result.notes if note.startswith("warning: ")]
    assert [line for line in format_table(result).splitlines() if line.startswith("warning: ")] == said
    return said


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (1 / 40, "fractions of the duration"),
        (25 / 16, "snippets or frames"),
        (25, "in frames"),
        (1000, "in milliseconds"),
        (1 / 30, "different units"),
    ],
)
def test_another_unit_of_time(factor: float, words: str) -> None:
    (warning,) = warnings_of(found(factor), truth())
    assert words in warning


def test_without_durations_the_last_instances_serve() -> None:
    assert "in frames" in warnings_of(found(25), truth(durations=False))[0]
    assert warnings_of(found(2), truth(durations=False)) == []


def test_nothing_is_said_of_sound_predictions() -> None:
    assert warnings_of(found(), truth()) == warnings_of(found(), truth(durations=False)) == []


@pytest.mark.parametrize("label", ["High_Jump", "high jump", "HIGH-JUMP"])
def test_the_label_that_is_likely_meant(label: str) -> None:
    (warning,) = warnings_of(found(label=label), truth())
    assert f"{label!r}" in warning and "'HighJump'" in warning and "6 detections are lost" in warning


def test_the_likely_label_where_none_is_in_common() -> None:
    predictions = {"results": {"v0": [{"label": "Run", "score": 1.0, "segment": [0, 1]}]}}
    with pytest.raises(ValueError, match="'Run' probably means 'run'"):
        evaluate(predictions, truth())


def test_no_detection() -> None:
    warning = warnings_of({"results": {"v0": []}}, truth())[0]
    assert "there is no detection to score" in warning and "thresholds of the localization too high" in warning


def test_no_detection_of_a_class_that_is_scored() -> None:
    annotation = truth()
    training = {"subset": "train", "annotations": [{"label": "pour", "segment": [0, 1]}]}
    annotation["database"]["elsewhere"] = training
    predictions = {"results": {"v0": [{"label": "pour", "score": 1.0, "segment": [0, 1]}]}}
    warning = next(w for w in warnings_of(predictions, annotation) if "no detection to score" in w)
    assert "of other videos or classes" in warning


def test_instances_of_all_classes_count_as_those_of_a_video() -> None:
    characteristic = explain(found(), truth(), tiou=0.5, cuts="thumos14").sensitivity.characteristics
    together = characteristic["instances per video"]
    assert together is not None
    assert [bucket.n_instances for bucket in together.buckets] == [0, 2 * N, 0, 0]


def many(n: int) -> dict[str, Any]:
    annotations = [{"label": label, "segment": [10, 20]} for label in ("run", "jump")]
    return {"database": {f"v{i}": {"duration": 40.0, "annotations": annotations} for i in range(n)}}


def all_of(ids: list[str], labels: tuple[str, ...] = ("run", "jump")) -> dict[str, Any]:
    records = [{"label": label, "score": 0.5, "segment": [10, 20]} for label in labels]
    return {"results": dict.fromkeys(ids, records)}


def test_a_video_without_detections_among_many_is_a_note_and_many_are_a_warning() -> None:
    ids = [f"v{i}" for i in range(200)]
    result = evaluate(all_of(ids[1:]), many(200), tiou=0.5)
    assert result.counts.videos_without_detection == 1
    assert result.warnings == []
    assert "1 of 200 annotated videos are without a detection: 'v0'" in result.notes
    (warning,) = evaluate(all_of(ids[50:]), many(200), tiou=0.5).warnings
    assert warning.startswith("50 of 200 annotated videos are without a detection: 'v0', 'v1', 'v10', ...; are they")
    assert evaluate(all_of(ids), many(200), tiou=0.5).notes == []


def test_a_class_without_detections() -> None:
    result = evaluate(all_of(["v0", "v1"], ("run",)), many(2), tiou=0.5)
    assert result.counts.classes_without_detection == 1
    assert result.warnings == result.to_json()["warnings"]
    assert "1 of 2 annotated classes are without a detection: 'jump'" in result.warnings[0]


def test_classes_that_the_ground_truth_does_not_know() -> None:
    (warning,) = evaluate(all_of(["v0", "v1"], ("run", "jump", "dive", "fly")), many(2), tiou=0.5).warnings
    assert warning.startswith("4 detections are of 2 classes that the ground truth does not know")
    assert "'dive', 'fly'" in warning


@pytest.mark.parametrize("label", ["jmp", "jumps", "JUMP_"])
def test_a_label_that_is_nearly_another(label: str) -> None:
    (warning,) = evaluate(all_of(["v0", "v1"], ("run", label)), many(2), tiou=0.5).warnings
    assert f"spell {label!r} what the ground truth probably spells 'jump'; 2 detections are lost" in warning


def test_videos_that_the_ground_truth_does_not_know() -> None:
    ids = [f"v{i}" for i in range(40)]
    one = evaluate(all_of([*ids, "x"]), many(40), tiou=0.5)
    assert one.warnings == []
    assert any(note.startswith("2 detections can find nothing in videos") for note in one.notes)
    some = evaluate(all_of([*ids, *"wxyz"]), many(40), tiou=0.5)
    assert some.warnings[0].endswith("'w', 'x', 'y', ...; are their ids spelt otherwise there?")
    files = evaluate(all_of([*ids[1:], "V0.mp4"]), many(40), tiou=0.5)
    assert "'V0.mp4' probably means 'v0'" in files.warnings[0]
    with pytest.raises(ValueError, match=r"holds none of the videos.*'V1\.mp4' probably means 'v1'"):
        evaluate(all_of(["V1.mp4", "V2.mp4"]), many(40))


def test_a_video_of_the_ambiguous_file_is_no_stranger() -> None:
    selection = Selection(ambiguous={"x": [[10, 20]]})
    result = evaluate(all_of(["v0", "x"]), many(1), "thumos14-official", tiou=0.5, selection=selection)
    assert (result.average, result.warnings) == (100.0, [])
