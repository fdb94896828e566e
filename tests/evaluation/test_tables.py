"""The text form of results."""

from typing import Any

from amsx.evaluation import compare, evaluate, evaluate_all
from amsx.evaluation.tables import format_comparison, format_side_by_side, format_table

TRUTH: dict[str, Any] = {
    "database": {
        "a": {
            "subset": "test",
            "annotations": [{"label": "HighJump", "segment": [0, 10]}, {"label": "run", "segment": [0, 4]}],
        },
        "b": {"subset": "train", "annotations": [{"label": "run", "segment": [0, 10]}]},
    }
}
NO_DETECTION = (
    "there is no detection to score, so that every score is 0; are the thresholds of the localization too high for "
    "these scores?"
)
LACKING = (
    "1 of 2 annotated classes are without a detection: 'run'; are they in the predictions under another name or number?"
)
FOUND: dict[str, Any] = {"results": {"a": [{"label": "HighJump", "score": 1, "segment": [0, 6]}]}}


def test_table_names_protocol_scores_and_notes() -> None:
    result = evaluate(FOUND, TRUTH, tiou=[0.5, 0.75])
    assert format_table(result).splitlines() == [
        "protocol activitynet, subset test: 1 videos, 2 classes, 2 instances, 1 detections",
        "tIoU       0.5   0.75  average",
        "mAP (%)   50.0    0.0     25.0",
        "note: subset 'test' chosen; the file has test (1 videos), train (1 videos)",
        f"warning: {LACKING}",
    ]
    assert format_table(result, per_class=True).splitlines()[1:5] == [
        "tIoU        0.5   0.75  average",
        "mAP (%)    50.0    0.0     25.0",
        "HighJump  100.0    0.0     50.0",
        "run         0.0    0.0      0.0",
    ]
    read = "predictions read as: ActivityNet form without version and external_data"
    assert format_table(result, form=True).splitlines()[1] == read


def test_protocols_side_by_side() -> None:
    results = evaluate_all(FOUND, TRUTH, tiou=[0.5, 0.6])
    assert format_side_by_side(results).splitlines() == [
        "mAP (%) under every protocol",
        "predictions read as: ActivityNet form without version and external_data",
        "tIoU                 0.5    0.6  average",
        "activitynet         50.0   50.0     50.0",
        "thumos14-official   50.0    0.0     25.0",  # a tIoU of 0.6 is not above it
        "wtalc-snippets      50.0    0.0     25.0",  # 9.375 of 16 snippets
        "activitynet, subset test: 1 videos, 2 classes, 2 instances, 1 detections",
        "thumos14-official, subset test: 1 videos, 2 classes, 2 instances, 1 detections",
        "wtalc-snippets, subset test: 1 videos, 2 classes, 2 instances, 1 detections",
        "note: subset 'test' chosen; the file has test (1 videos), train (1 videos)",
        f"warning: {LACKING}",
        "note on thumos14-official: thumos14-official sets ambiguous spans apart, but none are given",
        "note on wtalc-snippets: wtalc-snippets sets ambiguous spans apart, but none are given",
    ]


def test_comparison_names_spread_and_interval() -> None:
    nothing: dict[str, Any] = {"results": {"a": []}}
    result = compare(TRUTH, [FOUND, nothing], [nothing], tiou=[0.5, 0.75], resamples=20)
    form = "ActivityNet form without version and external_data"
    assert format_comparison(result).splitlines() == [
        "protocol activitynet, subset test: 1 videos, 2 classes, 2 instances",
        f"A, 2 predictions: average mAP (%) 25.0, 0.0; read as: {form}",
        f"B, 1 predictions: average mAP (%) 0.0; read as: {form}",
        "tIoU            0.5   0.75  average",
        "A mean         25.0    0.0     12.5",
        "A std          35.4    0.0     17.7",
        "B mean          0.0    0.0      0.0",
        "A - B mean     25.0    0.0     12.5",
        "A - B 2.5 %    25.0    0.0     12.5",
        "A - B 97.5 %   25.0    0.0     12.5",
        "percentiles over 20 resamples of the videos (seed 0), which lie +0.0 from the mean on average",
        "A's average is at most B's in 0.0 % of them",
        "note: subset 'test' chosen; the file has test (1 videos), train (1 videos)",
        f"warning on A: {LACKING}",
        f"warning on A: {NO_DETECTION}",
        f"warning on B: {NO_DETECTION}",
    ]
    alone = format_comparison(compare(TRUTH, [FOUND], tiou=[0.5], resamples=20)).splitlines()
    assert alone[3:6] == ["A mean     50.0     50.0", "A 2.5 %    50.0     50.0", "A 97.5 %   50.0     50.0"]
