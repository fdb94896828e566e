"""Precision-recall curves, whose areas are the average precisions."""

from dataclasses import dataclass

import numpy as np

RECALLS = np.linspace(0, 1, 101)  # where curves of several classes are averaged


@dataclass(frozen=True)
class Curve:
    """Precision against recall of one class at one threshold: a point for each of its P true positives.

    Between two points recall stays and precision only falls, so that these points say all. Each stands for the
    1 / instances of recall before it: the mean of `precision` over all instances (those not found at 0) is the
    AP that is not interpolated, that of `envelope` the one that is.
    """

    recall: np.ndarray  # (P,) in 0..1, i / instances for the i-th
    precision: np.ndarray  # (P,) in 0..1, as it is
    envelope: np.ndarray  # (P,) in 0..1, the highest at this or any greater recall


def precision_recall(correct: np.ndarray, counted: np.ndarray, n_instances: int) -> Curve:
    """The curve of N detections in order of score.

    correct: (N,) bool, a true positive. counted: (N,) bool, a true or a false positive.
    """
    places = np.cumsum(counted)[correct]
    found = np.arange(1, len(places) + 1)
    precision = found / places
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return Curve(found / n_instances, precision, envelope)


def mean_curve(curves: list[Curve]) -> np.ndarray:
    """(101,) the envelopes' mean over classes at RECALLS; a class that never gets there counts as 0."""
    total = np.zeros(len(RECALLS))
    for curve in curves:
        point = np.searchsorted(curve.recall, RECALLS - 1e-9)  # i / n and a hundredth may differ in their last bit
        total += np.append(curve.envelope, 0.0)[point]
    return total / len(curves)
