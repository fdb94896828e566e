"""Videos and snippets ranked by class."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amsx.evaluation.classification import classify, ranked_ap
from amsx.evaluation.ground_truth import GroundTruth, read_ground_truth
from amsx.evaluation.snippets import covered, score_activations, snippet_scores


def items() -> st.SearchStrategy[list[tuple[float, bool]]]:
    """Few scores, so that ties come up."""
    return st.lists(st.tuples(st.sampled_from([-np.inf, 0.0, 0.5, 1.0]), st.booleans()), min_size=1, max_size=20)


@given(drawn=items())
def test_average_precision_against_the_definition(drawn: list[tuple[float, bool]]) -> None:
    # The mean, over the positives, of the precision among all that score at least as much.
    precisions = []
    for score, positive in drawn:
        if positive:
            above = [p for s, p in drawn if s >= score]
            precisions.append(sum(above) / len(above))
    scores, labels = (np.array(column)[:, None] for column in zip(*drawn, strict=True))
    (ap,) = ranked_ap(scores, labels)
    assert np.isnan(ap) if not precisions else ap == pytest.approx(np.mean(precisions))


@given(drawn=items())
def test_best_threshold_against_trying_each(drawn: list[tuple[float, bool]]) -> None:
    scores, labels = (np.array(column)[:, None] for column in zip(*drawn, strict=True))
    found = {name: values[0] for name, values in snippet_scores(scores, labels).items()}
    if not labels.any():
        assert all(np.isnan(value) for value in found.values())
        return

    def at(threshold: float) -> tuple[float, float]:
        chosen = scores >= threshold
        both = (chosen & labels).sum()
        return 2 * both / (chosen.sum() + labels.sum()), both / (chosen | labels).sum()

    assert (found["F1"], found["IoU"]) == pytest.approx(at(found["threshold"]))
    assert found["F1"] == pytest.approx(max(at(score)[0] for score, _ in drawn))


def test_wrong_arrays_are_named() -> None:
    with pytest.raises(ValueError, match=r"scores \(3, 2\) and labels \(2, 3\); expected one shape"):
        ranked_ap(np.zeros((3, 2)), np.zeros((2, 3), dtype=bool))
    with pytest.raises(ValueError, match="1 of 6 scores are NaN"):
        snippet_scores(np.array([[0, 0, np.nan]] * 1 + [[0, 0, 0]]), np.zeros((2, 3), dtype=bool))


def truth() -> GroundTruth:
    annotations = {
        "a": [("run", 1.0, 2.0), ("jump", 0.0, 1.0)],
        "b": [("run", 0.0, 1.0), ("Ambiguous", 1.0, 1.5)],
        "c": [],
    }
    return read_ground_truth(
        {
            "database": {
                video: {"annotations": [{"label": label, "segment": [start, end]} for label, start, end in of_video]}
                for video, of_video in annotations.items()
            }
        }
    )


def test_videos_by_their_best_detection() -> None:
    database = {
        "a": {"annotations": [{"label": "run", "segment": [0, 1]}]},
        "b": {"annotations": [{"label": "run", "segment": [0, 1]}, {"label": "jump", "segment": [0, 1]}]},
        "c": {"annotations": []},
    }
    scores = {"a": [("run", 0.2), ("run", 0.9)], "b": [("run", 0.4)], "c": [("run", 0.5), ("jump", 0.1)], "z": []}
    found: dict[str, Any] = {
        video: [{"label": label, "score": score, "segment": [50, 60]} for label, score in of_video]
        for video, of_video in scores.items()
    }
    found["z"] = [{"label": "run", "score": 1.0, "segment": [0, 1]}]  # of an unknown video: nothing to rank
    result = classify({"results": found}, {"database": database})
    # run: a (right), c (wrong), b (right). jump: c (wrong), then a and b, of which b is right.
    assert result.per_class == pytest.approx({"jump": 100 / 3, "run": 100 * (1 + 2 / 3) / 2})
    assert result.mean_ap == pytest.approx((100 / 3 + 250 / 3) / 2)


def test_snippets_by_their_centres() -> None:
    segments = truth().instances
    centres = np.array([0.25, 0.75, 1.25, 1.75, 0.0, 0.5, 1.0])  # two videos: every 0.5 s
    inside = covered(centres, np.array([4, 3, 0]), segments, 2)
    assert inside[:, 0].tolist() == [True, True, False, False, False, False, False]  # jump
    assert inside[:, 1].tolist() == [False, False, True, True, True, True, False]  # run: the end is outside


def test_activations_against_their_ground_truth() -> None:
    # Rows in an order of their own; a column that nobody annotated; one snippet of b is ambiguous.
    videos, classes = ["c", "b", "a"], ["run", "climb", "jump"]
    lengths = np.array([1, 3, 4])
    centres = np.array([0.25, 0.25, 0.75, 1.25, 0.25, 0.75, 1.25, 1.75])
    run = [0.5, 0.9, 0.8, 1.0, 0.1, 0.2, 0.7, 0.3]
    jump = [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0]
    cas = np.stack([run, np.ones(8), jump], axis=1)
    probs = np.array([[0.6, 0, 0.1], [0.9, 0, 0.2], [0.5, 0, 0.3]])
    result = score_activations(cas, probs, centres, lengths, videos, classes, truth())
    assert list(result.per_class) == ["run", "jump"]
    # run: 0.9, 0.8, 0.7 right, 0.5 wrong, 0.3 right
    assert vars(result.per_class["run"]) == pytest.approx(
        {
            "ap": 100 * (1 + 1 + 1 + 4 / 5) / 4,
            "f1": 100 * 2 * 4 / (5 + 4),
            "iou": 100 * 4 / 5,
            "threshold": 0.3,
            "classification": 100 * (1 + 2 / 3) / 2,
        }
    )
    assert result.per_class["jump"].ap == result.per_class["jump"].classification == 100.0
    assert result.ap == pytest.approx((95 + 100) / 2)
    assert result.to_json()["counts"] == {"videos": 3, "classes": 2, "snippets": 7, "ambiguous_snippets": 1}


def test_activations_of_strangers_are_refused() -> None:
    arrays = (np.zeros((1, 1)), np.zeros((1, 1)), np.array([0.5]), np.array([1]))
    with pytest.raises(ValueError, match="does not hold 1 of the videos scored: 'z'"):
        score_activations(*arrays, ["z"], ["run"], truth())
    with pytest.raises(
        ValueError, match="no snippet is inside an instance of ground truth of one of the classes 'swim'"
    ):
        score_activations(*arrays, ["a"], ["swim"], truth())
