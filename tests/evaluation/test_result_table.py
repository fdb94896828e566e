"""The text form of a result."""

from typing import Any

from amsx.evaluation import evaluate
from amsx.evaluation.table import format_table

TRUTH: dict[str, Any] = {
    "database": {
        "a": {
            "subset": "test",
            "annotations": [{"label": "HighJump", "segment": [0, 10]}, {"label": "run", "segment": [0, 4]}],
        },
        "b": {"subset": "train", "annotations": [{"label": "run", "segment": [0, 10]}]},
    }
}
FOUND: dict[str, Any] = {"results": {"a": [{"label": "HighJump", "score": 1, "segment": [0, 6]}]}}


def test_table_names_protocol_scores_and_notes() -> None:
    result = evaluate(FOUND, TRUTH, tiou=[0.5, 0.75])
    assert format_table(result).splitlines() == [
        "protocol activitynet, subset test: 1 videos, 2 classes, 2 instances, 1 detections",
        "tIoU       0.5   0.75  average",
        "mAP (%)   50.0    0.0     25.0",
        "note: subset 'test' chosen; the file has test (1 videos), train (1 videos)",
    ]
    assert format_table(result, per_class=True).splitlines()[1:5] == [
        "tIoU        0.5   0.75  average",
        "mAP (%)    50.0    0.0     25.0",
        "HighJump  100.0    0.0     50.0",
        "run         0.0    0.0      0.0",
    ]
