"""Small cases whose scores can be worked out on paper."""

import json
from typing import Any

import pytest

from amsx.evaluation import Selection, evaluate
from amsx.evaluation.scoring import ClassScore

Segment = tuple[float, float]


def truth_of(**videos: list[Segment]) -> dict[str, Any]:
    entries = {
        video: {"subset": "test", "annotations": [{"label": "run", "segment": list(s)} for s in segments]}
        for video, segments in videos.items()
    }
    return {"database": entries}


def found(**videos: list[tuple[float, float, float]]) -> dict[str, Any]:
    """Detections (start, end, score) of the class run."""
    return {
        "results": {
            video: [{"label": "run", "segment": [s, e], "score": score} for s, e, score in of_video]
            for video, of_video in videos.items()
        }
    }


def test_detection_goes_on_to_the_next_best_when_the_best_is_taken() -> None:
    # Both overlap [0, 10] most; the second in rank then takes [4, 14] at tIoU 7/13.
    truth = truth_of(a=[(0, 10), (4, 14)])
    result = evaluate(found(a=[(0, 10, 0.9), (1, 11, 0.8)]), truth, tiou=[0.5, 0.6])
    assert result.mean_ap == [100.0, 50.0]


def test_second_detection_of_one_instance_is_a_false_positive() -> None:
    result = evaluate(found(a=[(0, 10, 0.9), (0, 9, 0.8), (20, 30, 0.7)]), truth_of(a=[(0, 10), (20, 30)]), tiou=0.5)
    assert result.mean_ap == [pytest.approx(100 * (1 + 2 / 3) / 2)]


def test_interpolated_precision_is_the_best_at_any_later_place() -> None:
    detections = found(a=[(50, 60, 0.9), (0, 10, 0.8), (20, 30, 0.7)])  # wrong, right, right: 0, 1/2, 2/3
    truth = truth_of(a=[(0, 10), (20, 30)])
    assert evaluate(detections, truth, "activitynet", 0.5).mean_ap == [pytest.approx(100 * 2 / 3)]
    assert evaluate(detections, truth, "thumos14-official", 0.5).mean_ap == [pytest.approx(100 * (1 / 2 + 2 / 3) / 2)]


def test_threshold_is_met_at_equality_except_under_the_official_rules() -> None:
    detections, truth = found(a=[(0, 5, 1.0)]), truth_of(a=[(0, 10)])
    assert evaluate(detections, truth, "activitynet", 0.5).mean_ap == [100.0]
    assert evaluate(detections, truth, "thumos14-official", 0.5).mean_ap == [0.0]


def test_official_rules_give_an_instance_its_best_detection_whatever_the_score() -> None:
    detections = found(a=[(0, 8, 0.9), (0, 10, 0.1)])
    truth = truth_of(a=[(0, 10)])
    assert evaluate(detections, truth, "activitynet", 0.5).mean_ap == [100.0]
    assert evaluate(detections, truth, "thumos14-official", 0.5).mean_ap == [50.0]


def test_ambiguous_spans_spare_or_drop() -> None:
    detections = found(a=[(50, 60, 0.9), (0, 10, 0.8)])
    truth = truth_of(a=[(0, 10)])
    spans = {"a": [[59, 70], [9, 10]], "b": [[0, 100]]}
    assert evaluate(detections, truth, "activitynet", 0.5, selection=Selection(ambiguous=spans)).mean_ap == [50.0]
    assert evaluate(detections, truth, "thumos14-official", 0.5, selection=Selection(ambiguous=spans)).mean_ap == [
        100.0
    ]
    dropped = evaluate(detections, truth, "wtalc-snippets", 0.5, selection=Selection(ambiguous=spans))
    assert dropped.mean_ap == [0.0]  # the correct one touches a span, too
    assert dropped.counts.ambiguous_detections_dropped == 2
    assert "2 detections that touch an ambiguous span dropped" in dropped.notes


def test_rules_with_ambiguous_spans_say_that_there_are_none() -> None:
    notes = evaluate(found(a=[(0, 10, 1.0)]), truth_of(a=[(0, 10)]), "thumos14-official").notes
    assert notes == ["thumos14-official sets ambiguous spans apart, but none are given"]


def test_snippet_rules_round_the_ground_truth_half_to_even() -> None:
    # 0.96 s and 4.16 s are snippets 1.5 and 6.5: rounded to 2 and 6. A detection of these four snippets is
    # exact, also where its seconds were written with an error of 0.1 ms.
    truth = truth_of(a=[(0.96, 4.16)])
    assert evaluate(found(a=[(1.28, 3.84, 1.0)]), truth, "wtalc-snippets", 1.0).mean_ap == [100.0]
    assert evaluate(found(a=[(1.2801, 3.8399, 1.0)]), truth, "wtalc-snippets", 1.0).mean_ap == [100.0]
    assert evaluate(found(a=[(0.96, 4.16, 1.0)]), truth, "wtalc-snippets", 1.0).mean_ap == [0.0]
    assert evaluate(found(a=[(0.96, 4.16, 1.0)]), truth, "activitynet", 1.0).mean_ap == [100.0]


def test_equal_scores_rank_in_the_order_of_the_file() -> None:
    truth = truth_of(a=[(0, 10)], b=[(0, 10)])
    right_first = evaluate(found(b=[(0, 10, 0.5)], a=[(50, 60, 0.5)]), truth, tiou=0.5)
    wrong_first = evaluate(found(b=[(50, 60, 0.5)], a=[(0, 10, 0.5)]), truth, tiou=0.5)
    assert (right_first.mean_ap, wrong_first.mean_ap) == ([50.0], [25.0])


def test_class_without_instance_is_left_out_and_said() -> None:
    truth = truth_of(a=[(0, 10)])
    truth["database"]["b"] = {"subset": "train", "annotations": [{"label": "swim", "segment": [0, 1]}]}
    detections = found(a=[(0, 10, 0.5)])
    detections["results"]["a"].append({"label": "swim", "segment": [0, 1], "score": 0.9})
    result = evaluate(detections, truth)
    assert list(result.per_class) == ["run"]
    assert result.average == 100.0
    assert result.counts.detections_of_other_classes == 1
    assert "1 detections of classes without an instance left out: 'swim'" in result.notes


def test_class_without_detection_counts_as_zero() -> None:
    truth = truth_of(a=[(0, 10)])
    truth["database"]["a"]["annotations"].append({"label": "swim", "segment": [0, 1]})
    result = evaluate(found(a=[(0, 10, 0.5)]), truth)
    assert result.average == 50.0
    assert result.per_class["swim"] == ClassScore([0.0] * 7, average=0.0, instances=1, detections=0)


def test_detections_elsewhere() -> None:
    truth = truth_of(a=[(0, 10)], b=[(0, 10)])
    truth["database"]["b"]["subset"] = "train"
    detections = found(a=[(0, 10, 0.5)], b=[(50, 60, 0.9)], z=[(0, 10, 0.9)])
    result = evaluate(
        detections, truth, selection=Selection(subset="Testing")
    )  # b is of another subset; z is unknown, so wrong
    assert result.mean_ap == [50.0] * 7
    assert result.counts.detections_in_videos_not_scored == 1
    assert result.counts.detections_in_unknown_videos == 1
    listed = evaluate(detections, truth, selection=Selection(videos=["a"]))
    assert (listed.mean_ap, listed.subset) == ([100.0] * 7, None)
    assert listed.counts.detections_in_videos_not_scored == 2


def test_exclude_takes_a_video_out_of_both_sides() -> None:
    truth = truth_of(a=[(0, 10)], b=[(0, 10)])
    result = evaluate(found(a=[(0, 10, 0.5)], b=[(50, 60, 0.9)]), truth, selection=Selection(exclude=["b"]))
    assert result.average == 100.0
    assert result.counts.videos == 1
    assert "1 videos excluded" in result.notes


def test_zero_length_finds_nothing_and_is_not_found() -> None:
    truth = truth_of(a=[(0, 10), (20, 20)])
    result = evaluate(found(a=[(5, 5, 0.9), (20, 20, 0.8), (0, 10, 0.7)]), truth, tiou=0.5)
    assert result.mean_ap == [pytest.approx(100 * (1 / 3) / 2)]
    assert result.counts.detections_of_zero_length == 2


@pytest.mark.parametrize("results", [{}, {"a": []}])
def test_no_detection_scores_zero(results: dict[str, Any]) -> None:
    result = evaluate({"results": results}, truth_of(a=[(0, 10)]))
    assert (result.average, result.counts.detections) == (0.0, 0)


def test_result_is_plain_json_with_thresholds_as_given() -> None:
    result = evaluate(found(a=[(0, 10, 0.5)]), truth_of(a=[(0, 10)]))
    assert json.loads(json.dumps(result.to_json())) == result.to_json()
    assert result.protocol == "activitynet"
    assert result.tiou == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    assert len(result.mean_ap) == 7
    assert result.average == pytest.approx(sum(result.mean_ap) / 7)
    assert evaluate(found(a=[(0, 10, 0.5)]), truth_of(a=[(0, 10)]), tiou=[0.9, 0.5]).tiou == [0.9, 0.5]
