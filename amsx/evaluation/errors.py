"""What kind of mistakes the false positives are, and what each kind costs.

After DETAD: Alwassel, Caba Heilbron, Escorcia and Ghanem, "Diagnosing Error in Temporal Action Detectors" (ECCV
2018). A false positive is judged by the instance of any class that it overlaps most:

                             of its own class     of another class
    tIoU at the threshold    double detection     wrong label
    tIoU at least NEAR       localization         confusion
    less                     background           background

An instance of its own class wins over another that it overlaps just as much (in THUMOS14 every CliffDiving is
a Diving, too). tIoU is compared as the protocol compares it, in the protocol's unit. What differs from the authors'
code: nothing is cut off beyond the last bucket, neither for matching nor for the gain, so that gains add to the
mAP that `evaluate` prints; and detections that are spared as ambiguous are not counted.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amsx.evaluation.matching import Matches, pieces_of_any_class
from amsx.evaluation.precision import average_precision
from amsx.evaluation.protocols import Protocol
from amsx.evaluation.scoring import MatchedInputs

TYPES = ("true positive", "double detection", "wrong label", "localization", "confusion", "background")
NEAR = 0.1  # tIoU below which a detection has met no instance (the paper's choice)
BUCKETS = 10  # of G detections of each class, G its number of instances: the paper's 1G to 10G

_SPARED = -1


@dataclass(frozen=True)
class Gain:
    """What mAP would gain if no detection of one type of error had been made."""

    mean_ap: list[float]  # (K,) percentage points at each threshold
    average: float  # percentage points, over the thresholds

    def to_json(self) -> dict[str, Any]:
        return {"mAP": self.mean_ap, "average": self.average}


@dataclass(frozen=True, eq=False)
class Errors:
    """The detections by type at K thresholds, and what each type of error costs. Types are in the order of TYPES."""

    counts: NDArray[np.int64]  # (K, 10, 6) detections ranked g * G to (g + 1) * G in their class, G its instances
    total: NDArray[np.int64]  # (K, 6) all detections
    gain: dict[str, Gain]  # by type of error
    missed: NDArray[np.int64]  # (K,) instances that no detection is matched with
    n_instances: int  # in all

    @property
    def shares(self) -> NDArray[np.float64]:
        """(K, 10, 6) `counts` in percent of the detections of their bucket; NaN where there are none."""
        return _shares(self.counts)

    @property
    def total_shares(self) -> NDArray[np.float64]:
        """(K, 6) `total` in percent of all detections; NaN where there are none."""
        return _shares(self.total)

    @property
    def missed_share(self) -> NDArray[np.float64]:
        """(K,) `missed` in percent of all instances."""
        return np.asarray(100 * self.missed / self.n_instances)

    def to_json(self) -> dict[str, Any]:
        """The same for JSON; a row of shares is None where there are no detections."""
        return {
            "types": list(TYPES),
            "counts": self.counts.tolist(),
            "shares": [[_none_for_nan(row) for row in of_threshold] for of_threshold in self.shares],
            "all": {"counts": self.total.tolist(), "shares": [_none_for_nan(row) for row in self.total_shares]},
            "gain": {name: gain.to_json() for name, gain in self.gain.items()},
            "missed": {"instances": self.missed.tolist(), "share": self.missed_share.tolist()},
        }


def find_errors(matched: MatchedInputs) -> Errors:
    """The types of all detections that were matched, counted, and what each type of error costs."""
    matches, protocol = matched.matches, matched.protocol
    n_instances = np.bincount(matched.truth.instances.label, minlength=len(matched.truth.classes))
    labels = matches.detections.label
    kinds = error_types(matches, protocol, matched.thresholds)
    return Errors(
        counts=bucket_counts(kinds, labels, n_instances),
        total=total_counts(kinds),
        gain=gains(kinds, labels, n_instances, protocol.interpolated),
        missed=len(matches.instances) - (matches.instance >= 0).sum(axis=1),
        n_instances=len(matches.instances),
    )


def error_types(matches: Matches, protocol: Protocol, thresholds: list[float]) -> NDArray[np.int64]:
    """(K, N) int: index into TYPES of each detection at K thresholds, -1 where it is spared as ambiguous."""
    detections, instances = matches.times, matches.instances
    most, most_own = np.zeros(len(detections)), np.zeros(len(detections))
    for pairs in pieces_of_any_class(detections, instances):
        own = detections.label[pairs.detection] == instances.label[pairs.instance]
        np.maximum.at(most, pairs.detection, pairs.tiou)
        np.maximum.at(most_own, pairs.detection[own], pairs.tiou[own])
    other_class = most_own < most

    kinds = np.empty((len(thresholds), len(detections)), dtype=np.int64)
    for k, threshold in enumerate(thresholds):
        reached = most > threshold if protocol.strict else most >= threshold
        kinds[k] = np.where(reached, 1 + other_class, np.where(most >= NEAR, 3 + other_class, 5))
    kinds[~matches.counted] = _SPARED
    kinds[matches.instance >= 0] = 0
    return kinds


def bucket_counts(
    kinds: NDArray[np.int64], labels: NDArray[np.int64], n_instances: NDArray[np.int64]
) -> NDArray[np.int64]:
    """(K, BUCKETS, 6) int64: detections of each type in bucket g, ranked g * G to (g + 1) * G in their class.

    kinds: (K, N) of `error_types`, sorted by class, then by falling score, as are labels: (N,). n_instances: (C,).
    """
    counts = np.zeros((len(kinds), BUCKETS, len(TYPES)), dtype=np.int64)
    for k, of_threshold in enumerate(kinds):
        not_spared = of_threshold != _SPARED
        label, kind = labels[not_spared], of_threshold[not_spared]
        rank = np.arange(len(label)) - np.searchsorted(label, label)
        bucket = rank // n_instances[label]
        inside = bucket < BUCKETS
        np.add.at(counts[k], (bucket[inside], kind[inside]), 1)
    return counts


def total_counts(kinds: NDArray[np.int64]) -> NDArray[np.int64]:
    """(K, 6) int64: detections of each type."""
    return np.stack([(kinds == kind).sum(axis=1) for kind in range(len(TYPES))], axis=1)


def gains(
    kinds: NDArray[np.int64], labels: NDArray[np.int64], n_instances: NDArray[np.int64], interpolated: bool
) -> dict[str, Gain]:
    """For each type of error, what mAP would gain if no detection of that type had been made.

    Removing a false positive only raises the precision of those ranked below it, so no gain is negative.
    """
    starts = np.searchsorted(labels, np.arange(len(n_instances) + 1))
    ap = np.zeros((len(TYPES), len(n_instances), len(kinds)))  # without the type; 0: without none
    for c, n in enumerate(n_instances):
        of_class = kinds[:, starts[c] : starts[c + 1]]
        correct, counted = of_class == 0, of_class != _SPARED
        ap[0, c] = average_precision(correct, counted, n, interpolated)
        for kind in range(1, len(TYPES)):
            ap[kind, c] = average_precision(correct, counted & (of_class != kind), n, interpolated)
    mean = ap.mean(axis=1)
    points = {name: mean[kind] - mean[0] for kind, name in enumerate(TYPES) if kind}
    return {name: Gain((100 * p).tolist(), 100 * float(p.mean())) for name, p in points.items()}


def _shares(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    total = counts.sum(axis=-1, keepdims=True)
    return np.asarray(np.divide(100 * counts, total, out=np.full(counts.shape, np.nan), where=total > 0))


def _none_for_nan(row: NDArray[np.float64]) -> list[float] | None:
    return None if np.isnan(row).any() else row.tolist()
