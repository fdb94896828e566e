"""Average precision of detections in order of score, and the precision-recall curves whose areas it is."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

RECALLS = np.linspace(0, 1, 101)  # where curves of several classes are averaged

_DECIMALS = 4  # of points of curves in percent: they are many


def envelope(precision: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
    """The highest precision at each place or any later one along `axis`: the interpolation of VOC 2011."""
    return np.flip(np.maximum.accumulate(np.flip(precision, axis), axis), axis)


def average_precision(
    correct: NDArray[np.bool_], counted: NDArray[np.bool_], n_instances: int, interpolated: bool
) -> NDArray[np.float64]:
    """(K,) AP in 0..1 at K thresholds of N detections in order of score.

    correct: (K, N), the detection is a true positive. counted: (K, N), it is a true or a false positive; the others are
    as if they were not there. interpolated: as in `mean_precision`.
    """
    precision = np.cumsum(correct, axis=1) / np.maximum(np.cumsum(counted, axis=1), 1)
    return mean_precision(precision, correct, n_instances, interpolated)


def mean_precision(
    precision: NDArray[np.float64], correct: NDArray[np.bool_], n_instances: int, interpolated: bool
) -> NDArray[np.float64]:
    """(K,) the precisions (K, N) at the true positives, summed, over the number of instances.

    interpolated: each precision is replaced by the `envelope`, which makes this the area under the interpolated
    precision-recall curve.
    """
    if interpolated:
        precision = envelope(precision)
    return np.asarray((precision * correct).sum(axis=1) / n_instances)


@dataclass(frozen=True)
class Curve:
    """Precision against recall of one class at one threshold: a point for each of its P true positives.

    Between two points recall stays and precision only falls, so that these points say all. Each stands for the
    1 / instances of recall before it: the mean of `precision` over all instances (those not found at 0) is the
    AP that is not interpolated, that of `envelope` the one that is.
    """

    recall: NDArray[np.float64]  # (P,) in 0..1, i / instances for the i-th
    precision: NDArray[np.float64]  # (P,) in 0..1, as it is
    envelope: NDArray[np.float64]  # (P,) in 0..1, the highest at this or any greater recall

    def percent(self) -> "Curve":
        """The same curve in percent, to four decimals."""
        return replace(self, **{name: percent(values) for name, values in vars(self).items()})

    def to_json(self) -> dict[str, list[float]]:
        return {name: values.tolist() for name, values in vars(self).items()}


def precision_recall(correct: NDArray[np.bool_], counted: NDArray[np.bool_], n_instances: int) -> Curve:
    """The curve of N detections in order of score.

    correct: (N,) a true positive. counted: (N,) a true or a false positive.
    """
    places = np.cumsum(counted)[correct]
    hits = np.arange(1, len(places) + 1)
    precision = hits / places
    return Curve(hits / n_instances, precision, envelope(precision))


def mean_curve(curves: list[Curve]) -> NDArray[np.float64]:
    """(101,) the envelopes' mean over classes at RECALLS; a class that never reaches a recall counts as 0 there."""
    total = np.zeros(len(RECALLS))
    for curve in curves:
        point = np.searchsorted(curve.recall, RECALLS - 1e-9)  # i / n and a hundredth may differ in their last bit
        total += np.append(curve.envelope, 0.0)[point]
    return total / len(curves)


def percent(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares in percent, to four decimals."""
    return np.round(100 * values, _DECIMALS)
