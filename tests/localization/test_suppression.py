"""Suppression by hand, and against the algorithms as they are written down: one video, one class, a list."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from amsx.localization.post_processing import PostProcessing
from amsx.localization.suppression import suppress

HARD = PostProcessing(nms="hard", nms_tiou=0.5)
SOFT = PostProcessing(nms="soft", nms_sigma=0.5)


def run(intervals, options):
    """`intervals`: (start, end, score), ordered; what is kept, with the scores it is kept with."""
    columns = np.array(intervals, np.float64).reshape(-1, 3).T
    starts, ends = columns[0].astype(np.int64), columns[1].astype(np.int64)
    kept, scores = suppress(starts, ends, columns[2], options)
    return [(int(starts[i]), int(ends[i]), score) for i, score in zip(kept, scores.tolist(), strict=True)]


def naive(intervals, options):
    rest = list(enumerate(intervals))
    taken = []
    while rest:
        index, (s, e, score) = max(rest, key=lambda item: (item[1][2], -item[0]))
        rest.remove((index, (s, e, score)))
        taken.append((index, (s, e, score)))
        left = []
        for i, (a, b, other) in rest:
            common = max(0, min(e, b) - max(s, a))
            tiou = common / ((e - s) + (b - a) - common)
            if options.nms == "hard":
                if tiou <= options.nms_tiou:
                    left.append((i, (a, b, other)))
            else:
                decayed = other * math.exp(-(tiou**2) / options.nms_sigma) if other > 0 else other
                left.append((i, (a, b, decayed)))
        rest = left
    return [interval for _, interval in sorted(taken)]


def test_hard_by_hand():
    # tIoU of the first two is 3/5; of the second and third 3/6, which is not above 0.5.
    assert run([(0, 4, 0.8), (1, 5, 0.9), (2, 7, 0.7)], HARD) == [(1, 5, 0.9), (2, 7, 0.7)]
    # The middle one would drop both, but is dropped itself by the first.
    chain = [(0, 10, 0.9), (2, 12, 0.8), (4, 14, 0.7)]
    assert run(chain, HARD) == [(0, 10, 0.9), (4, 14, 0.7)]


def test_soft_by_hand():
    found = run([(0, 4, 0.8), (1, 5, 0.9), (8, 9, 0.7)], SOFT)
    assert found == [(0, 4, 0.8 * math.exp(-((3 / 5) ** 2) / 0.5)), (1, 5, 0.9), (8, 9, 0.7)]


def test_neighbours_that_meet_do_not_overlap():
    for options in (HARD, SOFT):
        assert run([(0, 4, 0.8), (4, 8, 0.9)], options) == [(0, 4, 0.8), (4, 8, 0.9)]


def test_of_equals_the_first_is_taken():
    assert run([(0, 8, 0.5), (1, 9, 0.5), (2, 10, 0.5)], HARD) == [(0, 8, 0.5)]


def test_scores_below_zero_are_not_raised():
    assert run([(0, 8, 0.5), (1, 9, -0.5)], SOFT) == [(0, 8, 0.5), (1, 9, -0.5)]


def test_nothing():
    for options in (HARD, SOFT):
        assert run([], options) == []


@st.composite
def ordered_intervals(draw):
    drawn = draw(
        st.lists(
            st.tuples(st.integers(0, 30), st.integers(1, 12), st.integers(-4, 16)),
            max_size=25,
            unique_by=lambda item: item[:2],
        )
    )
    return sorted((start, start + length, score / 16) for start, length, score in drawn)


@given(ordered_intervals(), st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0]))
def test_hard_against_the_list(intervals, tiou):
    options = PostProcessing(nms="hard", nms_tiou=tiou)
    assert run(intervals, options) == naive(intervals, options)


@given(ordered_intervals(), st.sampled_from([0.1, 0.5, 2.0]))
def test_soft_against_the_list(intervals, sigma):
    options = PostProcessing(nms="soft", nms_sigma=sigma)
    found, expected = run(intervals, options), naive(intervals, options)
    assert [row[:2] for row in found] == [row[:2] for row in expected]
    np.testing.assert_allclose([row[2] for row in found], [row[2] for row in expected], rtol=1e-12)


@given(ordered_intervals())
def test_what_is_kept(intervals):
    hard = run(intervals, HARD)
    assert set(hard) <= set(intervals)
    assert run(hard, HARD) == hard  # what is left is left alone
    soft = run(intervals, SOFT)
    assert [row[:2] for row in soft] == [row[:2] for row in intervals]
    assert all(after <= before for (*_, after), (*_, before) in zip(soft, intervals, strict=True))
    if intervals:
        assert max(score for *_, score in soft) == max(score for *_, score in intervals)
