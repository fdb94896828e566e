"""Precision-recall curves: points by hand, and areas that are the AP printed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amsx.evaluation.precision import RECALLS, average_precision, mean_curve, precision_recall


def test_points_by_hand() -> None:
    # wrong, right, right, spared, wrong, right; 4 instances
    correct = np.array([0, 1, 1, 0, 0, 1], dtype=bool)
    counted = np.array([1, 1, 1, 0, 1, 1], dtype=bool)
    curve = precision_recall(correct, counted, 4)
    assert curve.recall.tolist() == [0.25, 0.5, 0.75]
    assert curve.precision.tolist() == [1 / 2, 2 / 3, 3 / 5]
    assert curve.envelope.tolist() == [2 / 3, 2 / 3, 3 / 5]


def test_nothing_found_is_a_curve_without_points() -> None:
    curve = precision_recall(np.zeros(3, dtype=bool), np.ones(3, dtype=bool), 2)
    assert len(curve.recall) == len(curve.precision) == len(curve.envelope) == 0
    assert mean_curve([curve]).tolist() == [0.0] * 101


detections = st.lists(st.sampled_from(["right", "wrong", "spared"]), max_size=60)


@given(of_classes=st.lists(detections, min_size=1, max_size=4), missed=st.integers(0, 7))
def test_area_is_the_average_precision(of_classes: list[list[str]], missed: int) -> None:
    curves = []
    for found in of_classes:
        correct = np.array([what == "right" for what in found], dtype=bool)
        counted = np.array([what != "spared" for what in found], dtype=bool)
        n_instances = max(1, int(correct.sum()) + missed)
        curve = precision_recall(correct, counted, n_instances)
        steps = np.diff(curve.recall, prepend=0.0)
        for height, interpolated in ((curve.precision, False), (curve.envelope, True)):
            (ap,) = average_precision(correct[None], counted[None], n_instances, interpolated)
            assert (steps * height).sum() == pytest.approx(ap, abs=1e-12)
        curves.append((curve, n_instances))

    # At each recall, the mean is of the highest precisions at this recall or a greater one.
    mean = mean_curve([curve for curve, _ in curves])
    for hundredth in range(101):
        highest = []
        for curve, n in curves:
            reach = [p for i, p in enumerate(curve.precision, start=1) if 100 * i >= hundredth * n]
            highest.append(max(reach, default=0.0))
        assert mean[hundredth] == pytest.approx(np.mean(highest))
    assert len(RECALLS) == 101
