"""The score of a single video: its mAP alone where it has one class, and a ranking over all its classes."""

from typing import Any

import pytest

from amsx.evaluation import evaluate
from amsx.evaluation.explain import explain
from amsx.evaluation.protocols import PROTOCOLS


def found(*detections: tuple[str, float, float, float]) -> list[dict[str, Any]]:
    return [{"label": label, "score": score, "segment": [a, b]} for label, score, a, b in detections]


TRUTH: dict[str, Any] = {
    "database": {
        "one": {"annotations": [{"label": "a", "segment": [0, 10]}, {"label": "a", "segment": [20, 24]}]},
        "two": {"annotations": [{"label": "a", "segment": [0, 4]}, {"label": "b", "segment": [8, 12]}]},
        "bare": {"annotations": []},
        "missed": {"annotations": [{"label": "b", "segment": [0, 4]}]},
    }
}
RESULTS = {
    "one": found(("a", 0.9, 0, 6), ("a", 0.8, 1, 9), ("a", 0.7, 20, 23)),
    "two": found(("b", 0.9, 0, 4), ("a", 0.5, 0, 4), ("b", 0.4, 8, 12)),
    "bare": found(("a", 0.9, 0, 6)),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_video_of_one_class_scores_as_if_it_were_the_only_one(protocol: str) -> None:
    scores = explain({"results": RESULTS}, TRUTH, protocol, "0.3:0.2:0.7").videos
    alone = {"database": {"one": TRUTH["database"]["one"]}}
    assert scores["one"] == pytest.approx(
        evaluate({"results": {"one": RESULTS["one"]}}, alone, protocol, "0.3:0.2:0.7").average
    )
    assert scores["missed"] == 0
    assert set(scores) == {"one", "two", "missed"}


def test_a_detection_of_another_class_costs_precision() -> None:
    """The wrong label ranks first: the two right ones have precision 1/2 and 2/3, both 2/3 where it is interpolated."""
    assert explain({"results": RESULTS}, TRUTH, "activitynet", 0.5).videos["two"] == pytest.approx(200 / 3)
