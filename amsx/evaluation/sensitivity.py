"""How well instances of different kinds are found: short and long ones, alone or many in a video.

After DETAD (Alwassel et al., ECCV 2018). Each instance falls into one bucket of a characteristic; for a
bucket, detections that found instances of other buckets are as if they were not there, and the rest is scored
against the bucket's instances. Fewer instances would by themselves mean a lower precision, so it is normalized
(Hoiem et al., ECCV 2012): with recall R and F false positives so far, P = R N / (R N + F), where N is the number
of instances per class in the whole ground truth. What differs from the authors' code: N is not rounded down, and
a detection is left out at the thresholds at which it found an instance of another bucket, not at all of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from amsx.evaluation.ground_truth import GroundTruth
from amsx.evaluation.outcomes import Outcomes

_NAMES = {5: ("XS", "S", "M", "L", "XL"), 4: ("XS", "S", "M", "L"), 3: ("S", "M", "L"), 2: ("S", "L"), 1: ("all",)}


@dataclass(frozen=True)
class Cuts:
    """Where the buckets of each characteristic end: each holds what is above one cut, up to and with the next.

    None: at the quantiles of the ground truth itself, a fifth of the instances to each (fewer, larger buckets where
    many instances are equal). That fits any data set and any unit of time; the published cuts compare with papers.
    """

    name: str
    length: tuple[float, ...] | None = None  # seconds (the unit of the ground truth)
    coverage: tuple[float, ...] | None = None  # length / duration of the video
    instances: tuple[float, ...] | None = None  # of the same class in the same video

    def __post_init__(self) -> None:
        for what in ("length", "coverage", "instances"):
            cuts = getattr(self, what)
            if cuts is not None and not all(low < high for low, high in pairwise(cuts)):
                raise ValueError(f"cuts {self.name!r}: {what} is {cuts}; expected ascending numbers")


QUANTILES = Cuts("quantiles")
# DETAD's own for the two data sets (its sensitivity_analysis.py)
ACTIVITYNET_CUTS = Cuts("activitynet", (30, 60, 120, 180), (0.2, 0.4, 0.6, 0.8), (1, 4, 8))
THUMOS14_CUTS = Cuts("thumos14", (3, 6, 12, 18), (0.02, 0.04, 0.06, 0.08), (1, 40, 80))
CUTS = (QUANTILES, ACTIVITYNET_CUTS, THUMOS14_CUTS)


def cuts_named(name: str) -> Cuts:
    """The cuts called `name`; raises ValueError that lists them all."""
    for cuts in CUTS:
        if cuts.name == name:
            return cuts
    raise ValueError(f"unknown cuts {name!r}; expected one of {', '.join(cuts.name for cuts in CUTS)}")


@dataclass(frozen=True)
class Bucket:
    """Instances alike in one characteristic, and how they fare."""

    name: str  # XS, S, M, L, XL; fewer where there are fewer buckets
    above: float | None  # lower end, not included; None: no lower end
    to: float | None  # upper end, included; None: no upper end
    n_instances: int
    n_classes: int  # that have an instance in the bucket: mAP is over them
    normalized_map: np.ndarray | None  # (K,) DETAD's mAP_N in 0..1; None for an empty bucket
    missed: np.ndarray | None  # (K,) share of the instances that nothing found, in 0..1


def characteristics(truth: GroundTruth, cuts: Cuts) -> Iterator[tuple[str, np.ndarray, tuple[float, ...] | None]]:
    """Name, (M,) value of each instance (NaN where unknown) and cuts of each characteristic."""
    instances = truth.instances
    length = instances.end - instances.start
    together = instances.video * len(truth.classes) + instances.label
    yield "length", length, cuts.length
    yield "coverage", length / truth.durations[instances.video], cuts.coverage
    yield "instances per video", np.bincount(together)[together].astype(np.float64), cuts.instances


def buckets(
    outcome: Outcomes, n_classes: int, values: np.ndarray, cuts: tuple[float, ...] | None, interpolated: bool
) -> list[Bucket]:
    """The buckets of one characteristic. values: (M,) of the instances; those with NaN are in no bucket."""
    known = values[~np.isnan(values)]
    if cuts is None:
        # Of many equal values several quantiles are the same, and one may be the last: nothing lies above it.
        inner = np.unique(np.quantile(known, (0.2, 0.4, 0.6, 0.8)))
        cuts = tuple(inner[inner < known.max()].tolist())
    member = np.where(np.isnan(values), -1, np.searchsorted(cuts, values, side="left"))
    names = _NAMES.get(len(cuts) + 1, tuple(map(str, range(1, len(cuts) + 2))))
    ends = (None, *cuts, None)
    return [
        _bucket(names[i], ends[i], ends[i + 1], outcome, n_classes, member == i, interpolated)
        for i in range(len(cuts) + 1)
    ]


def _bucket(
    name: str,
    above: float | None,
    to: float | None,
    outcome: Outcomes,
    n_classes: int,
    inside: np.ndarray,
    interpolated: bool,
) -> Bucket:
    there = int(inside.sum())
    if there == 0:
        return Bucket(name, above, to, 0, 0, None, None)
    in_classes = len(np.unique(outcome.instances.label[inside]))
    scores = normalized_map(outcome, n_classes, inside, interpolated)
    return Bucket(name, above, to, there, in_classes, scores, missed(outcome, inside))


def missed(outcome: Outcomes, inside: np.ndarray) -> np.ndarray:
    """(K,) share of the instances, of those `inside` (M,), that no detection is matched with."""
    found = np.zeros((len(outcome.instance), len(inside)), dtype=bool)
    threshold, detection = np.nonzero(outcome.instance >= 0)
    found[threshold, outcome.instance[threshold, detection]] = True
    return 1 - found[:, inside].mean(axis=1)


def normalized_map(outcome: Outcomes, n_classes: int, inside: np.ndarray, interpolated: bool) -> np.ndarray:
    """(K,) mAP_N in 0..1 over the classes that have an instance `inside` (M,)."""
    matched = outcome.instance >= 0
    correct = matched & inside[outcome.instance]  # -1 reads the last one; masked
    wrong = outcome.counted & ~matched
    labels = outcome.detections.label
    n_instances = np.bincount(outcome.instances.label[inside], minlength=n_classes)
    per_class = len(inside) / n_classes
    starts = np.searchsorted(labels, np.arange(n_classes + 1))
    of_class = [slice(starts[c], starts[c + 1]) for c in range(n_classes)]
    scores = [
        _normalized_ap(correct[:, of_class[c]], wrong[:, of_class[c]], n_instances[c], per_class, interpolated)
        for c in np.flatnonzero(n_instances)
    ]
    return np.mean(scores, axis=0)


def _normalized_ap(
    correct: np.ndarray, wrong: np.ndarray, n_instances: int, per_class: float, interpolated: bool
) -> np.ndarray:
    """(K,) average precision where each true positive weighs per_class / n_instances. correct, wrong: (K, N) bool."""
    if correct.shape[1] == 0:
        return np.zeros(len(correct))
    found = np.cumsum(correct, axis=1) * (per_class / n_instances)
    precision = found / np.maximum(found + np.cumsum(wrong, axis=1), 1e-12)
    if interpolated:
        precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    return (precision * correct).sum(axis=1) / n_instances
