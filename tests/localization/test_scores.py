"""Scores by hand, and against the definitions in loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amsx.localization.scores import interval_scores

KINDS = ("max", "mean", "outer-inner-contrast")


def scores(kind, values, edges, intervals):
    """`intervals`: (track, start, end) with positions within the track."""
    owner, starts, ends = np.array(intervals, np.int64).reshape(-1, 3).T
    first = np.array(edges)[owner]
    return interval_scores(np.array(values, np.float32), np.array(edges), owner, starts + first, ends + first, kind)


def test_contrast_by_hand():
    values = [0.0, 0.5, 1.0, 1.0, 1.0, 1.0, 0.25, 0.0]
    # Context: one snippet on either side, 0.5 and 0.25.
    assert scores("outer-inner-contrast", values, [0, 8], [(0, 2, 6)]) == [1.0 - 0.375]
    # Half a snippet on either side: half of 0.5 and half of 1.0, their mean 0.75.
    assert scores("outer-inner-contrast", values, [0, 8], [(0, 2, 4)]) == [1.0 - 0.75]
    # The track begins with the interval: there is context on the right alone.
    assert scores("outer-inner-contrast", values, [0, 8], [(0, 0, 4)]) == [0.625 - 1.0]
    # The whole track: no context at all.
    assert scores("outer-inner-contrast", values, [0, 8], [(0, 0, 8)]) == [np.mean(values)]


def test_mean_and_max_by_hand():
    values = [0.0, 0.5, 1.0, 0.25]
    assert scores("mean", values, [0, 4], [(0, 1, 4), (0, 3, 4)]).tolist() == [1.75 / 3, 0.25]
    assert scores("max", values, [0, 4], [(0, 1, 4), (0, 3, 4)]).tolist() == [1.0, 0.25]


@pytest.mark.parametrize("kind", KINDS)
def test_one_snippet_and_no_interval(kind):
    assert scores(kind, [0.5], [0, 1], [(0, 0, 1)]).tolist() == [0.5]
    assert scores(kind, [0.5], [0, 1], []).tolist() == []


@given(st.lists(st.integers(1, 15), min_size=1, max_size=4), st.integers(0, 2**31))
def test_against_the_definitions_in_loops(lengths, seed):
    rng = np.random.default_rng(seed)
    edges = [0, *np.cumsum(lengths).tolist()]
    values = rng.random(edges[-1]).astype(np.float32)
    intervals = []
    expected: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for track, n in enumerate(lengths):
        own = values[edges[track] : edges[track + 1]].astype(np.float64)
        for start in range(n):
            for end in range(start + 1, n + 1):
                intervals.append((track, start, end))
                expected["max"].append(own[start:end].max())
                expected["mean"].append(own[start:end].mean())
                reach = (end - start) / 4
                weights = np.zeros(n)  # how much of every snippet lies in the context
                for t in range(n):
                    weights[t] += max(0.0, min(t + 1, start) - max(t, start - reach))
                    weights[t] += max(0.0, min(t + 1, end + reach) - max(t, end))
                outer = (weights * own).sum() / weights.sum() if weights.sum() else 0.0
                expected["outer-inner-contrast"].append(own[start:end].mean() - outer)
    for kind in KINDS:
        np.testing.assert_allclose(scores(kind, values, edges, intervals), expected[kind], rtol=1e-9, atol=1e-12)


@given(st.integers(1, 20), st.floats(0, 1, width=32), st.integers(0, 2**31))
def test_a_constant_track_has_no_contrast_but_as_a_whole(n, level, seed):
    start, end = np.sort(np.random.default_rng(seed).choice(n + 1, 2, replace=False)).tolist()
    found = scores("outer-inner-contrast", [level] * n, [0, n], [(0, start, end)])
    np.testing.assert_allclose(found, level if (start, end) == (0, n) else 0.0, atol=1e-12)
