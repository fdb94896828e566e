"""What the evaluators' rules say where scores or overlaps are equal, and about intervals the wrong way round."""

from typing import Any

import pytest

from amsx.evaluation import Selection, compare, evaluate

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
