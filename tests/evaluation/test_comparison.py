"""Several seeds and the paired bootstrap, held to a re-evaluation of every resample by the rules written out."""

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amsx.evaluation import compare, evaluate, evaluate_all
from amsx.evaluation.comparison import Spread, draw_videos, weighted_map
from amsx.evaluation.inputs import read_inputs
from amsx.evaluation.protocols import PROTOCOLS, protocol_named
from amsx.evaluation.scoring import MatchedInputs, match_inputs
from benchmarks.evaluation import synthetic

TIOU = [0.25, 0.5, 0.75]
VIDEOS = "abc"


def matched(found: dict[str, Any], truth: dict[str, Any], protocol: str = "activitynet") -> MatchedInputs:
    return match_inputs(read_inputs(found, truth), protocol_named(protocol), TIOU)


def repeated(entries: dict[str, Any], weights: list[int]) -> dict[str, Any]:
    """The videos of a resample as videos of their own: a-0, a-1, b-0, ...; others (z) once."""
    times = dict(zip(VIDEOS, weights, strict=True))
    return {f"{video}-{i}": entry for video, entry in entries.items() for i in range(times.get(video, 1))}


def comparisons() -> st.SearchStrategy[tuple[dict[str, Any], dict[str, Any], list[int]]]:
    """Detections (video z is not annotated), ground truth with ambiguous spans, and how often a video is drawn.

    No two detections of a class score alike: the copies of a detection are next to one another in the ranking.
    """
    ends = st.tuples(st.integers(0, 12), st.integers(1, 6)).map(lambda t: [t[0] * 0.64, (t[0] + t[1]) * 0.64])
    found = st.lists(st.tuples(st.sampled_from("abcz"), st.sampled_from(["run", "jump"]), ends), max_size=25)
    true = st.lists(
        st.tuples(st.sampled_from(VIDEOS), st.sampled_from(["run", "jump", "Ambiguous"]), ends), min_size=1, max_size=12
    )
    weights = st.lists(st.integers(0, 3), min_size=3, max_size=3)
    return st.builds(_case, found, true, st.permutations(range(25)), weights)


def _case(
    found: list[tuple[Any, ...]], true: list[tuple[Any, ...]], scores: list[int], weights: list[int]
) -> tuple[dict[str, Any], dict[str, Any], list[int]]:
    results: dict[str, Any] = {video: [] for video in "abcz"}
    for (video, label, segment), score in zip(found, scores, strict=False):
        results[video].append({"label": label, "segment": segment, "score": score})
    database: dict[str, Any] = {video: {"subset": "test", "annotations": []} for video in VIDEOS}
    # Of another subset: whatever is drawn, somebody has heard of every class.
    known = [{"label": label, "segment": [0, 1]} for label in ("run", "jump")]
    database["t"] = {"subset": "train", "annotations": known}
    database["a"]["annotations"].append({"label": "run", "segment": [0.0, 3.2]})
    for video, label, segment in true:
        database[video]["annotations"].append({"label": label, "segment": segment})
    return results, database, weights


@pytest.mark.parametrize("protocol", [protocol.name for protocol in PROTOCOLS])
@settings(max_examples=80, deadline=None)
@given(case=comparisons())
def test_weights_are_repetitions(protocol: str, case: tuple[dict[str, Any], dict[str, Any], list[int]]) -> None:
    results, database, weights = case
    fast = weighted_map(matched({"results": results}, {"database": database}, protocol), np.array([weights, [1, 1, 1]]))
    once = evaluate({"results": results}, {"database": database}, protocol, TIOU)
    assert fast[1] == pytest.approx(once.mean_ap, abs=1e-9)
    drawn = repeated(database, weights)
    instances = [a for entry in drawn.values() if entry["subset"] == "test" for a in entry["annotations"]]
    if all(a["label"] == "Ambiguous" for a in instances):
        assert np.isnan(fast[0]).all()
        return
    slow = evaluate({"results": repeated(results, weights)}, {"database": drawn}, protocol, TIOU)
    assert fast[0] == pytest.approx(slow.mean_ap, abs=1e-9)


def seeds_of(n: int, quality: float, first: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Ground truth of 20 videos, and `n` predictions that find the instances with an error of 1 - quality."""
    rng = np.random.default_rng(3)
    database: dict[str, Any] = {
        f"v{v:02}": {"annotations": [{"label": f"c{v % 3}", "segment": [20.0 * i, 20.0 * i + 10]} for i in range(4)]}
        for v in range(20)
    }
    predictions = []
    for seed in range(first, first + n):
        rng = np.random.default_rng(seed)
        results = {}
        for video, entry in database.items():
            shifts = rng.normal(0, 10 * (1 - quality), 4)
            results[video] = [
                {"label": a["label"], "segment": [a["segment"][0] + s + 30, a["segment"][1] + s + 30], "score": p}
                for a, s, p in zip(entry["annotations"], shifts, rng.random(4), strict=True)
            ]
        predictions.append({"results": results})
    for entry in database.values():
        for a in entry["annotations"]:
            a["segment"] = [t + 30 for t in a["segment"]]
    return {"database": database}, predictions


def test_seeds_and_difference() -> None:
    truth, good = seeds_of(3, 0.8, 0)
    _, bad = seeds_of(2, 0.5, 10)
    result = compare(truth, good, bad, tiou=TIOU, resamples=400)
    averages = [evaluate(p, truth, tiou=TIOU).average for p in good]
    assert [file.average for file in result.a.files] == averages
    assert result.a.average.mean == pytest.approx(np.mean(averages))
    assert result.a.average.std == pytest.approx(np.std(averages, ddof=1))
    difference = result.difference
    assert difference is not None
    assert result.b is not None
    assert difference.average.mean == pytest.approx(result.a.average.mean - result.b.average.mean)
    low, high = difference.average.interval
    assert 0 < low < difference.average.mean < high
    assert difference.not_better == 0.0
    swapped = compare(truth, bad, good, tiou=TIOU, resamples=400).difference
    assert swapped is not None
    assert swapped.not_better == 1.0  # the same samples, seen from the other side
    assert swapped.average.interval == pytest.approx([-high, -low])


def test_resamples_are_those_of_a_plain_loop() -> None:
    truth, predictions = seeds_of(2, 0.6, 5)
    result = compare(truth, predictions[:1], predictions[1:], tiou=TIOU, resamples=25, seed=7)
    weights = draw_videos(matched(predictions[0], truth), 25, 7)
    assert (weights.sum(axis=1) == 20).all()
    differences = []
    for drawn in weights:
        entries = list(truth["database"])
        scores = []
        for prediction in predictions:
            resampled: dict[str, dict[str, Any]] = {"database": {}, "results": {}}
            for video, times in zip(entries, drawn, strict=True):
                for i in range(times):
                    resampled["database"][f"{video}-{i}"] = truth["database"][video]
                    resampled["results"][f"{video}-{i}"] = prediction["results"][video]
            found = {"results": resampled["results"]}
            scores.append(evaluate(found, {"database": resampled["database"]}, tiou=TIOU).average)
        differences.append(scores[0] - scores[1])
    assert result.difference is not None
    assert result.difference.average.interval == pytest.approx(np.percentile(differences, [2.5, 97.5]))
    assert result.difference.not_better == np.mean(np.array(differences) <= 0)
    again = compare(truth, predictions[:1], predictions[1:], tiou=TIOU, resamples=25, seed=7)
    assert again == result
    assert compare(truth, predictions[:1], predictions[1:], tiou=TIOU, resamples=25, seed=8) != result


def test_the_same_predictions_do_not_differ() -> None:
    truth, predictions = seeds_of(1, 0.6, 5)
    difference = compare(truth, predictions, predictions, tiou=TIOU, resamples=50).difference
    assert difference is not None
    assert difference.average == Spread(mean=0.0, interval=[0.0, 0.0], bias=0.0)
    assert difference.not_better == 1.0


def test_samples_without_an_instance_are_drawn_again() -> None:
    truth: dict[str, Any] = {"database": {f"v{i}": {"annotations": []} for i in range(6)}}
    truth["database"]["v3"]["annotations"].append({"label": "run", "segment": [0, 1]})
    weights = draw_videos(matched({"results": {}}, truth), 300, 0)
    assert (weights[:, 3] > 0).all()
    assert (weights.sum(axis=1) == 6).all()


def test_wrong_arguments_are_named() -> None:
    truth, predictions = seeds_of(1, 0.6, 5)
    with pytest.raises(ValueError, match="no predictions to score"):
        compare(truth, [])
    with pytest.raises(ValueError, match="1 resamples give no interval; expected at least 2"):
        compare(truth, predictions, resamples=1)
    with pytest.raises(TypeError, match="a and b are lists of predictions"):
        compare(truth, "predictions.json")


def test_all_protocols_are_what_each_gives() -> None:
    truth, predictions = synthetic(12, 400, 4)
    results = evaluate_all(predictions, truth, TIOU)
    assert list(results) == [protocol.name for protocol in PROTOCOLS]
    for name, result in results.items():
        assert result == evaluate(predictions, truth, name, TIOU)


def test_a_thousand_resamples_take_seconds() -> None:
    truth, predictions = synthetic(212, 31_000, 20)
    began = time.process_time()
    result = compare(truth, [predictions], [predictions])
    assert time.process_time() - began < 30  # 1.5 s where nothing else runs
    assert result.difference is not None
    assert result.difference.average.mean == 0.0


def test_a_seed_that_is_none() -> None:
    truth = {"database": {"a": {"subset": "test", "annotations": [{"label": "run", "segment": [0, 1]}]}}}
    with pytest.raises(ValueError, match="seed is -1; expected at least 0"):
        compare(truth, [{"results": {"a": []}}], seed=-1)
