"""The forms of annotations, ids that differ by a prefix, and segments the wrong way round."""

from pathlib import Path
from typing import Any

import pytest

from amsx.cli import main
from amsx.evaluation import Selection, evaluate, evaluate_all
from amsx.evaluation.ground_truth import read_ground_truth


def found(*ids: str, label: Any = "run") -> dict[str, Any]:
    return {"results": {video: [{"label": label, "segment": [0, 10], "score": 0.5}] for video in ids}}


def annotated(*ids: str) -> dict[str, Any]:
    return {video: {"annotations": [{"label": "run", "segment": [0, 10]}]} for video in ids}


@pytest.mark.parametrize(
    "truth",
    [
        {"a": {"subset": "testing", "duration": 40, "actions": [["run", 0, 10]]}},
        {"a": {"duration_second": "40", "annotations": [{"class": "run", "segment": ["0", "10"]}]}},
        {"classes": {"0": "walk", "1": "run"}, "database": {"a": {"duration": 40, "actions": [[1, 0, 10]]}}},
        {
            "database": {
                "a": {"subset": " Test ", "duration": 40, "annotations": [{"label": ["run"], "segment": [0, 10]}]}
            }
        },
    ],
)
def test_forms(truth: dict[str, Any]) -> None:
    assert evaluate(found("a"), truth).average == 100.0
    assert read_ground_truth(truth).durations.tolist() == [40.0]


def test_a_list_of_labels_means_each_of_them() -> None:
    truth = {"database": {"a": {"annotations": [{"label": ["run", "jump"], "segment": [0, 10]}]}}}
    result = evaluate(found("a"), truth)
    assert {label: score.ap[0] for label, score in result.per_class.items()} == {"jump": 0.0, "run": 100.0}


@pytest.mark.parametrize("label", [None, [], " ", True, [["run"]], ["run", ""], [None]])
def test_what_is_no_label_is_refused(label: Any) -> None:
    truth = {"database": {"a": {"annotations": [{"label": label, "segment": [0, 10]}]}}}
    with pytest.raises(ValueError, match="video 'a', annotation 0 has label"):
        evaluate(found("a"), truth)


def test_training_videos_may_have_labels_alone() -> None:
    database = {**annotated("a"), "b": {"annotations": [{"label": "run"}]}}
    for video, subset in (("a", "test"), ("b", "train")):
        database[video]["subset"] = subset
    assert evaluate(found("a"), {"database": database}).average == 100.0
    with pytest.raises(ValueError, match="video 'b', annotation 0 has no 'segment'"):
        evaluate(found("b"), {"database": database}, selection=Selection(subset="train"))


@pytest.mark.parametrize("wanted", ["test", " TEST ", "Testing"])
def test_blanks_around_subset_names(wanted: str) -> None:
    database = annotated("a")
    database["a"]["subset"] = "test "
    assert evaluate(found("a"), {"database": database}, selection=Selection(subset=wanted)).subset == "test"


def test_a_prefix_on_one_side(tmp_path: Path) -> None:
    for predictions, truth in ((found("a", "b"), annotated("v_a", "v_b")), (found("v_a", "v_b"), annotated("a", "b"))):
        result = evaluate(predictions, {"database": truth})
        assert result.average == 100.0
        assert any("'v_' was" in note and "2 of the video ids of predictions" in note for note in result.notes)
    (tmp_path / "split.txt").write_text("a\n")
    selection = Selection(videos=tmp_path / "split.txt")
    assert evaluate(found("a", "b"), annotated("v_a", "v_b"), selection=selection).counts.detections == 1
    assert evaluate(found("a", "b"), annotated("v_a", "v_b"), selection=Selection(exclude=["a"])).counts.videos == 1
    spans = Selection(ambiguous={"a": [[20, 30]]})
    result = evaluate(found("a"), annotated("v_a"), "thumos14-official", selection=spans)
    assert result.counts.ambiguous_spans == 1


def test_a_video_that_is_unknown_under_either_name_stays_unknown() -> None:
    result = evaluate(found("a", "x"), {"database": annotated("v_a")}, tiou=0.5)
    assert result.counts.detections_in_unknown_videos == 1
    assert any("'v_' was added in front of 1 of the video ids" in note for note in result.notes)


def test_a_prefix_on_some_ids_is_warned_of_and_left_alone() -> None:
    result = evaluate(found("a", "b"), {"database": annotated("a", "v_b")}, tiou=0.5)
    assert result.counts.detections_in_unknown_videos == 1
    (warning,) = (note for note in result.notes if "would be known with or without 'v_'" in note)
    assert warning.startswith("warning: 1 of the video ids of predictions") and "'b'" in warning
    both = evaluate(found("a", "v_a"), {"database": annotated("a", "v_a")}, tiou=0.5)
    assert both.average == 100.0
    assert not any("'v_'" in note for note in both.notes)


REVERSED = {"database": {"a": {"annotations": [{"label": "run", "segment": [10, 0]}]}}}


def test_annotated_segments_and_spans_the_wrong_way_round() -> None:
    result = evaluate(found("a"), REVERSED, "thumos14-official")
    assert result.average == 100.0
    assert "1 annotated segments end before they start; their two ends were exchanged" in result.notes
    with pytest.raises(ValueError, match=r"video 'a', annotation 0 has segment \[10, 0\], which ends before it starts"):
        evaluate(found("a"), REVERSED, "activitynet")
    spans = Selection(ambiguous={"a": [[30, 20]]})
    result = evaluate(found("a"), annotated("a"), "thumos14-official", selection=spans)
    assert any("1 spans of ambiguous spans end before they start" in note for note in result.notes)
    with pytest.raises(ValueError, match="video 'a', span 0 has segment"):
        evaluate(found("a"), annotated("a"), selection=spans)


def test_all_protocols_where_one_alone_takes_reversed_detections(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    predictions = {"results": {"a": [{"label": "run", "segment": [10, 0], "score": 0.5}]}}
    results = evaluate_all(predictions, {"database": annotated("a")}, 0.5)
    assert {name: result.average for name, result in results.items()} == {"thumos14-official": 100.0}
    assert set(results.refused) == {"activitynet", "wtalc-snippets"}
    (tmp_path / "p.csv").write_text("video-id,t-start,t-end,label,score\na,10,0,run,0.5\n")
    (tmp_path / "g.json").write_text('{"a": {"annotations": [{"label": "run", "segment": [0, 10]}]}}')
    assert main(["evaluate", str(tmp_path / "p.csv"), str(tmp_path / "g.json"), "--all-protocols"]) == 0
    out = capsys.readouterr().out
    assert "thumos14-official  100.0" in out
    assert "activitynet refuses: " in out and "which ends before it starts" in out
    with pytest.raises(ValueError, match="ends before it starts"):
        evaluate_all(predictions, {"database": annotated("a")}, protocols=["activitynet"])
