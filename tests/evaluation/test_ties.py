"""What the evaluators' rules say where scores or overlaps are equal, and about intervals the wrong way round."""

from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amsx.evaluation import Selection, compare, evaluate, ties
from amsx.evaluation.inputs import read_inputs
from amsx.evaluation.matching import class_precisions
from amsx.evaluation.protocols import protocol_of
from amsx.evaluation.scoring import match_inputs

TRUTH = {"database": {"v": {"subset": "test", "annotations": [{"label": "run", "segment": [10, 20]}]}}}


def results(*rows: tuple[str, float, float, float]) -> dict[str, Any]:
    """(video, start, end, score) of detections of the one class, in this order."""
    columns = dict(zip(("video-id", "t-start", "t-end", "score"), map(list, zip(*rows, strict=True)), strict=True))
    return {**columns, "label": ["run"] * len(rows)}


RIGHT, WRONG = ("v", 10.0, 20.0, 0.5), ("v", 0.0, 5.0, 0.5)


@pytest.mark.parametrize("protocol", ["activitynet", "thumos14-official", "wtalc-snippets"])
def test_equal_scores_keep_the_order_of_the_file(protocol: str) -> None:
    first = evaluate(results(RIGHT, WRONG), TRUTH, protocol, 0.5)
    last = evaluate(results(WRONG, RIGHT), TRUTH, protocol, 0.5)
    assert (first.average, last.average) == (100.0, 50.0)
    for result in (first, last):
        assert any("2 of 2 detections share their score" in n and "gave 50.0 to 100.0" in n for n in result.notes)


def test_unknown_videos_keep_their_place_among_equal_scores() -> None:
    result = evaluate(results(*[("u", float(i), 5.0, 0.5) for i in range(4)], RIGHT), TRUTH, tiou=0.5)
    assert result.average == 20.0


def test_ties_that_move_nothing_are_not_noted() -> None:
    result = evaluate(results(RIGHT, ("v", 0.0, 5.0, 0.4), ("v", 1.0, 5.0, 0.4)), TRUTH, tiou=0.5)
    assert result.average == 100.0
    assert not any("share their score" in note for note in result.notes)


def test_of_equal_overlaps_the_snippet_rules_take_the_last_instance() -> None:
    instances = [{"label": "run", "segment": [0, 0.64 * 4]}, {"label": "run", "segment": [0.64 * 4, 0.64 * 8]}]
    truth = {"database": {"v": {"subset": "test", "annotations": instances}}}
    # The first overlaps both alike (0.5); the second reaches the last instance alone.
    found = results(("v", 0.0, 0.64 * 8, 0.9), ("v", 0.64 * 5, 0.64 * 8, 0.8))
    assert evaluate(found, truth, "activitynet", 0.5).average == 100.0
    assert evaluate(found, truth, "wtalc-snippets", 0.5).average == 50.0


def test_reversed_detections_are_turned_under_the_official_rules_alone() -> None:
    found = results(("v", 20.0, 10.0, 0.5))
    result = evaluate(found, TRUTH, "thumos14-official", 0.5)
    assert result.average == 100.0
    assert "1 detections end before they start; their two ends were exchanged" in result.notes
    for protocol in ("activitynet", "wtalc-snippets"):
        with pytest.raises(ValueError, match="ends before it starts"):
            evaluate(found, TRUTH, protocol, 0.5)


def test_ambiguous_spans_of_videos_without_annotation() -> None:
    found = results(("u", 20.0, 30.0, 0.9), RIGHT)
    selection = Selection(ambiguous={"u": [[18.0, 32.0]]})
    result = evaluate(found, TRUTH, "thumos14-official", 0.5, selection=selection)
    assert result.average == 100.0
    assert result.counts.ambiguous_spans == 1
    assert evaluate(found, TRUTH, "thumos14-official", 0.5).average == 50.0
    other = evaluate(found, TRUTH, "wtalc-snippets", 0.5, selection=selection)
    assert other.average == 50.0
    assert any(note.endswith("but none lie in the videos scored") for note in other.notes)


def test_a_video_that_only_the_predictions_hold_can_be_excluded() -> None:
    found, selection = results(("u", 0.0, 5.0, 0.9), RIGHT), Selection(exclude=["u"])
    assert evaluate(found, TRUTH, tiou=0.5, selection=selection).average == 100.0
    both = compare(TRUTH, [found], [results(RIGHT)], tiou=0.5, resamples=2, selection=selection)
    assert both.b is not None
    assert (both.a.average.mean, both.b.average.mean) == (100.0, 100.0)
    with pytest.raises(ValueError, match="there is no video 'u' to exclude"):
        evaluate(results(RIGHT), TRUTH, selection=selection)


def spread(rows: list[Any], truth: dict[str, Any], protocol: str) -> ties.Range:
    """What is found for the orders of equal scores, at tIoU 0.3 and 0.6."""
    matched = match_inputs(read_inputs(results(*rows), truth), protocol_of(protocol), [0.3, 0.6])
    ap = 100 * class_precisions(matched.matches, matched.truth.instances, matched.protocol.interpolated)
    found = ties.range_over_orders(matched.matches, matched.protocol, matched.thresholds, ap)
    assert found is not None
    return found


def by_force(rows: list[Any], truth: dict[str, Any], protocol: str) -> np.ndarray:
    """(R, 2) mAP of all orders of the rows, each evaluated as a file of its own."""
    orders = permutations(rows[1:])  # the first row has a score of its own
    return np.array([evaluate(results(rows[0], *order), truth, protocol, [0.3, 0.6]).mean_ap for order in orders])


def detections(places: list[tuple[int, int]]) -> st.SearchStrategy[list[tuple[str, float, float, float]]]:
    row = st.tuples(st.sampled_from("vwu"), st.sampled_from(places), st.sampled_from([0.5, 0.5, 0.75]))
    equal = st.lists(row, min_size=2, max_size=4).filter(lambda rows: len({score for *_, score in rows}) < len(rows))
    return equal.map(lambda rows: [(video, float(s), float(e), score) for video, (s, e), score in rows])


APART = [(0, 6), (1, 5), (0, 10), (12, 18), (30, 40)]  # each overlaps one instance at most, or none
AMONG = [(0, 6), (2, 9), (4, 12), (8, 13), (30, 40)]  # some overlap several
INSTANCES = {APART[0]: [(0, 8), (12, 20)], AMONG[1]: [(0, 6), (3, 10), (7, 13)]}


def truth_of(segments: list[tuple[int, int]]) -> dict[str, Any]:
    annotations = [{"label": "run", "segment": list(segment)} for segment in segments]
    return {"database": {video: {"annotations": annotations} for video in "vw"}}


@pytest.mark.parametrize("protocol", ["activitynet", "thumos14-official"])
@settings(max_examples=8)
@given(rows=detections(AMONG))
def test_few_orders_are_all_tried(protocol: str, rows: list[Any]) -> None:
    rows = [("v", 0.0, 5.0, 0.1), *rows]  # one detection at least in a video of the ground truth
    truth = truth_of(INSTANCES[AMONG[1]])
    found, expected = spread(rows, truth, protocol), by_force(rows, truth, protocol)
    assert found.n_random == 0
    for ours, theirs in ((found.low, expected.min(0)), (found.high, expected.max(0)), (found.mean, expected.mean(0))):
        np.testing.assert_allclose(ours, theirs, atol=1e-9)


@pytest.mark.parametrize("protocol", ["activitynet", "thumos14-official"])
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(apart=detections(APART), among=detections(AMONG))
def test_of_many_orders_the_extremes_are_found_where_no_detection_has_a_choice(
    protocol: str, apart: list[Any], among: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ties, "_ALL_ORDERS", 0)
    monkeypatch.setattr(ties, "_RANDOM", range(2, 3))
    for rows, truth in ((apart, truth_of([(0, 8), (12, 20)])), (among, truth_of(INSTANCES[AMONG[1]]))):
        rows = [("v", 0.0, 5.0, 0.1), *rows]
        found, expected = spread(rows, truth, protocol), by_force(rows, truth, protocol)
        assert found.n_random > 0
        if rows[1:] == apart:
            np.testing.assert_allclose(found.low, expected.min(0), atol=1e-9)
            np.testing.assert_allclose(found.high, expected.max(0), atol=1e-9)
        assert (found.low >= expected.min(0) - 1e-9).all()
        assert (found.high <= expected.max(0) + 1e-9).all()


def test_classes_count_apart() -> None:
    """Each class at its worst, then each at its best: no one order of the file has to give both."""
    segments = {"run": (10, 20), "jump": (30, 40)}
    truth = {"database": {"v": {"annotations": [{"label": la, "segment": s} for la, s in segments.items()]}}}
    records = [
        {"label": label, "segment": [s + 100 * wrong, e + 100 * wrong], "score": 0.5}
        for (label, (s, e)), wrong in zip([*segments.items()] * 2, (0, 1, 1, 0), strict=True)
    ]
    result = evaluate({"results": {"v": records}}, truth, tiou=0.5)
    assert result.average == 75.0
    assert any("gave 50.0 to 100.0 (mean 75.0; all of them were tried)" in note for note in result.notes)


def test_all_tied_detections_of_many_videos() -> None:
    truth = {"database": {f"v{i}": {"annotations": [{"label": "run", "segment": [10, 20]}]} for i in range(10)}}
    rows = [(f"v{i}", start, start + 10.0, 1.0) for i in range(10) for start in (10.0, 40.0, 60.0, 80.0)]
    (note,) = (note for note in evaluate(results(*rows), truth, tiou=0.5).notes if "share their score" in note)
    # The worst: 30 wrong ones, then the 10 right ones, at precisions that rise to 1/4.
    assert "gave 25.0 to 100.0" in note
