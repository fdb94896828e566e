"""Proposals by hand, and against the rule written as a loop."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from amsx.localization.fusion import Activations
from amsx.localization.post_processing import PostProcessing
from amsx.localization.proposals import predicted_classes, propose, true_runs
from amsx.model import ams

HALF = PostProcessing(class_threshold=0.5)


def rows(found) -> list[tuple]:
    return list(zip(*(column.tolist() for column in found), strict=True))


def one_track(*values: float) -> Activations:
    cas = np.array(values, np.float32)[:, None]
    return Activations(cas, np.ones((1, 1), np.float32), np.array([len(values)]))


def test_by_hand():
    a = [0.0, 0.5, 0.75, 0.0, 0.25, 0.0]  # mean 0.25: the threshold is 0.175
    b = [0.5, 0.0, 0.0, 0.0, 0.0, 1.0]  # mean 0.25
    second = [[0.25, 0.0], [0.25, 0.5]]  # class 0 is constant: all of it exceeds 0.7 of its mean
    cas = np.array([*zip(a, b, strict=True), *second], np.float32)
    probs = np.array([[0.5, 0.5], [1.0, 0.0]], np.float32)
    found = propose(Activations(cas, probs, np.array([6, 2])), PostProcessing())
    assert rows(found) == [
        (0, 0, 1, 3, 0.75),
        (0, 0, 4, 5, 0.25),
        (0, 1, 0, 1, 0.5),
        (0, 1, 5, 6, 1.0),
        (1, 0, 0, 2, 0.25),
    ]


def test_neighbouring_videos_do_not_join():
    cas = np.array([[0.0], [1.0], [1.0], [0.0]], np.float32)
    found = propose(Activations(cas, np.ones((2, 1), np.float32), np.array([2, 2])), HALF)
    assert rows(found) == [(0, 0, 1, 2, 1.0), (1, 0, 0, 1, 1.0)]


def test_runs_of_true_values():
    inside = np.array([True, True, False, True, True, True])
    assert true_runs(inside).tolist() == [[0, 2], [3, 6]]
    assert true_runs(inside, np.array([0, 1, 4])).tolist() == [[0, 1], [1, 2], [3, 4], [4, 6]]
    assert true_runs(np.zeros(3, bool)).tolist() == []


def test_nothing_above_the_threshold():
    cas = np.zeros((3, 2), np.float32)
    found = propose(Activations(cas, np.ones((1, 2), np.float32), np.array([3])), HALF)
    assert rows(found) == []


def test_classes():
    probs = np.array([[0.25, 0.5, 0.25], [0.2, 0.2, 0.6], [0.1, 0.2, 0.2]], np.float32)
    expected = [[True, True, True], [False, False, True], [False, True, False]]
    assert predicted_classes(probs, 0.25).tolist() == expected


@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=5),
    st.integers(1, 4),
    st.floats(0, 1),
    st.floats(0, 2),
    st.integers(0, 2**31),
)
def test_against_the_rule_in_loops(lengths, classes, class_threshold, threshold, seed):
    rng = np.random.default_rng(seed)
    levels = np.linspace(0, 1, 9)  # few values, so that runs and equal neighbours happen
    cas = rng.choice(levels, (sum(lengths), classes)).astype(np.float32)
    probs = rng.random((len(lengths), classes)).astype(np.float32)
    activations = Activations(cas, probs, np.array(lengths))
    found = propose(activations, PostProcessing(class_threshold=class_threshold, threshold=threshold))
    expected, row = [], 0
    for video, n in enumerate(lengths):
        chosen = [c for c in range(classes) if probs[video, c] >= class_threshold]
        for c in chosen or [int(probs[video].argmax())]:
            track = cas[row : row + n, c].astype(np.float64)
            start = None
            for t in range(n + 1):
                inside = t < n and track[t] > threshold * (track.sum() / n)
                if inside and start is None:
                    start = t
                elif not inside and start is not None:
                    expected.append((video, c, start, t, track[start:t].max()))
                    start = None
        row += n
    assert rows(found) == expected


def test_the_range_is_from_smallest_to_largest():
    track = one_track(0.5, 0.625, 0.75, 1.0, 0.5)
    options = PostProcessing(threshold=0.25, threshold_of="range")  # 0.625 itself is not above the threshold
    assert rows(propose(track, options)) == [(0, 0, 2, 4, 1.0)]
    everything_but_the_least = PostProcessing(threshold=0.0, threshold_of="range")
    assert rows(propose(track, everything_but_the_least)) == [(0, 0, 1, 4, 1.0)]


def test_a_single_snippet():
    assert rows(propose(one_track(0.5), HALF)) == [(0, 0, 0, 1, 0.5)]
    assert rows(propose(one_track(0.5), PostProcessing(threshold=0.0, threshold_of="range"))) == []


def test_no_videos():
    nothing = Activations(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.float32), np.zeros(0, np.int64))
    for options in (HALF, PostProcessing(thresholds=(0.1, 0.2), threshold_of="range", nms="soft")):
        assert rows(propose(nothing, options)) == []


def test_an_interval_that_several_thresholds_find_counts_once():
    track = one_track(0.0, 0.5, 1.0, 0.5, 0.0)
    options = PostProcessing(thresholds=(0.6, 0.1, 0.2), threshold_of="range")
    assert rows(propose(track, options)) == [(0, 0, 1, 4, 1.0), (0, 0, 2, 3, 1.0)]


def test_the_class_counts_in_the_score():
    cas = np.array([[0.0, 1.0], [0.5, 1.0]], np.float32)
    activations = Activations(cas, np.array([[0.25, 0.75]], np.float32), np.array([2]))
    found = propose(activations, PostProcessing(class_weight=0.2))
    assert rows(found) == [(0, 0, 1, 2, 0.5 + 0.2 * 0.25), (0, 1, 0, 2, 1.0 + 0.2 * 0.75)]


@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=5),
    st.lists(st.floats(0, 2), min_size=2, max_size=4),
    st.integers(0, 2**31),
)
def test_several_thresholds_find_what_each_alone_finds(lengths, thresholds, seed):
    rng = np.random.default_rng(seed)
    cas = rng.choice(np.linspace(0, 1, 9), (sum(lengths), 3)).astype(np.float32)
    activations = Activations(cas, rng.random((len(lengths), 3)).astype(np.float32), np.array(lengths))
    each = [set(rows(propose(activations, PostProcessing(threshold=one)))) for one in thresholds]
    together = rows(propose(activations, PostProcessing(thresholds=tuple(thresholds))))
    assert together == sorted(set().union(*each))


@given(
    st.lists(st.integers(1, 12), min_size=2, max_size=5),
    st.sampled_from(["max", "mean", "outer-inner-contrast"]),
    st.sampled_from(["none", "hard", "soft"]),
    st.integers(0, 2**31),
)
def test_no_video_has_to_do_with_another(lengths, score, nms, seed):
    rng = np.random.default_rng(seed)
    cas = rng.random((sum(lengths), 2)).astype(np.float32)
    probs = rng.random((len(lengths), 2)).astype(np.float32)
    options = PostProcessing(thresholds=(0.2, 0.5, 0.8), threshold_of="range", score=score, nms=nms, class_weight=0.2)
    together = rows(propose(Activations(cas, probs, np.array(lengths)), options))
    apart, row = [], 0
    for video, n in enumerate(lengths):
        alone = Activations(cas[row : row + n], probs[video : video + 1], np.array([n]))
        apart += [(video, *rest) for _, *rest in rows(propose(alone, options))]
        row += n
    assert together == apart


@pytest.mark.parametrize("threshold", [0.0, 0.25, 0.5, 0.99])
def test_the_model_and_localization_predict_the_same_classes(threshold):
    logits = 3 * np.random.default_rng(0).standard_normal((50, 7))
    probs = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32)
    probs[:4] = 1 / 7  # all classes equally likely: the first of them is the likeliest
    probs[4:8, 2] = np.float32(threshold)  # a probability at the threshold reaches it
    chosen = ams.predicted_classes(torch.from_numpy(probs), threshold).numpy()
    np.testing.assert_array_equal(chosen, predicted_classes(probs, threshold))
