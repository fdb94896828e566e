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
mAP that `evaluate` prints; and detections that are spared as ambiguous are not there.
"""

import numpy as np

from amsx.evaluation.average_precision import average_precision
from amsx.evaluation.matching import overlapping_any_class
from amsx.evaluation.outcomes import Outcomes
from amsx.evaluation.protocols import Protocol

TYPES = ("true positive", "double detection", "wrong label", "localization", "confusion", "background")
NEAR = 0.1  # tIoU below which a detection has met no instance (the paper's choice)
BUCKETS = 10  # of G detections of each class, G its number of instances: the paper's 1G to 10G

_SPARED = -1


def error_types(outcome: Outcomes, rules: Protocol, thresholds: list[float]) -> np.ndarray:
    """(K, N) int: index into TYPES of each detection at K thresholds, -1 where it is spared as ambiguous."""
    detections, instances = outcome.times, outcome.instances
    pairs = overlapping_any_class(detections, instances)
    own = detections.label[pairs.detection] == instances.label[pairs.instance]
    most, most_own = np.zeros(len(detections)), np.zeros(len(detections))
    np.maximum.at(most, pairs.detection, pairs.tiou)
    np.maximum.at(most_own, pairs.detection[own], pairs.tiou[own])
    other_class = most_own < most

    kinds = np.empty((len(thresholds), len(detections)), dtype=np.int64)
    for k, threshold in enumerate(thresholds):
        reached = most > threshold if rules.strict else most >= threshold
        kinds[k] = np.where(reached, 1 + other_class, np.where(most >= NEAR, 3 + other_class, 5))
    kinds[~outcome.counted] = _SPARED
    kinds[outcome.instance >= 0] = 0
    return kinds


def bucket_counts(kinds: np.ndarray, labels: np.ndarray, n_instances: np.ndarray) -> np.ndarray:
    """(K, BUCKETS, 6) int64: detections of each type in bucket g, ranked g * G to (g + 1) * G in their class.

    kinds: (K, N) of `error_types`, sorted by class, then by falling score, as are labels: (N,). n_instances: (C,).
    """
    counts = np.zeros((len(kinds), BUCKETS, len(TYPES)), dtype=np.int64)
    for k, of_threshold in enumerate(kinds):
        there = of_threshold != _SPARED
        label, kind = labels[there], of_threshold[there]
        rank = np.arange(len(label)) - np.searchsorted(label, label)
        bucket = rank // n_instances[label]
        inside = bucket < BUCKETS
        np.add.at(counts[k], (bucket[inside], kind[inside]), 1)
    return counts


def total_counts(kinds: np.ndarray) -> np.ndarray:
    """(K, 6) int64: detections of each type."""
    return np.stack([(kinds == kind).sum(axis=1) for kind in range(len(TYPES))], axis=1)


def gains(kinds: np.ndarray, labels: np.ndarray, n_instances: np.ndarray, interpolated: bool) -> dict[str, np.ndarray]:
    """For each type of error, (K,) what mAP (in 0..1) would gain if no detection of that type had been made.

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
    return {name: mean[kind] - mean[0] for kind, name in enumerate(TYPES) if kind}
