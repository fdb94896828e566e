"""Proposals by hand, and against the rule written as a loop."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from amsx.data.videos import Timebase
from amsx.localization.detections import detect
from amsx.localization.fusion import Activations
from amsx.localization.proposals import predicted_classes, propose


def rows(found) -> list[tuple]:
    return list(zip(*(column.tolist() for column in found), strict=True))


def test_by_hand():
    a = [0.0, 0.5, 0.75, 0.0, 0.25, 0.0]  # mean 0.25: the threshold is 0.175
    b = [0.5, 0.0, 0.0, 0.0, 0.0, 1.0]  # mean 0.25
    second = [[0.25, 0.0], [0.25, 0.5]]  # class 0 is constant: all of it exceeds 0.7 of its mean
    cas = np.array([*zip(a, b, strict=True), *second], np.float32)
    probs = np.array([[0.5, 0.5], [1.0, 0.0]], np.float32)
    found = propose(Activations(cas, probs, np.array([6, 2])), class_threshold=0.25, threshold=0.7)
    assert rows(found) == [
        (0, 0, 1, 3, 0.75),
        (0, 0, 4, 5, 0.25),
        (0, 1, 0, 1, 0.5),
        (0, 1, 5, 6, 1.0),
        (1, 0, 0, 2, 0.25),
    ]


def test_neighbouring_videos_do_not_join():
    cas = np.array([[0.0], [1.0], [1.0], [0.0]], np.float32)
    found = propose(Activations(cas, np.ones((2, 1), np.float32), np.array([2, 2])), class_threshold=0.5, threshold=0.7)
    assert rows(found) == [(0, 0, 1, 2, 1.0), (1, 0, 0, 1, 1.0)]


def test_nothing_above_the_threshold():
    cas = np.zeros((3, 2), np.float32)
    found = propose(Activations(cas, np.ones((1, 2), np.float32), np.array([3])), class_threshold=0.5, threshold=0.7)
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
    found = propose(activations, class_threshold=class_threshold, threshold=threshold)
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


def test_detections_are_in_seconds_and_sorted():
    cas = np.array([[0.0], [0.5], [0.0], [0.9], [0.9], [0.0]], np.float32)
    activations = Activations(cas, np.ones((2, 1), np.float32), np.array([5, 1]))
    results = detect(
        activations,
        ["first", "second"],
        ["jump"],
        [Timebase(0.5, offset=1.0), Timebase(2.0)],
        class_threshold=0.25,
        threshold=0.7,
    )
    assert results == {
        "first": [
            {"label": "jump", "score": np.float32(0.9).item(), "segment": [2.5, 3.5]},
            {"label": "jump", "score": 0.5, "segment": [1.5, 2.0]},
        ],
        "second": [],
    }
