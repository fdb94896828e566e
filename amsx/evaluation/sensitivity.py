"""How well instances of different kinds are found: short and long ones, alone or many in a video.

After DETAD (Alwassel et al., ECCV 2018). Each instance falls into one bucket of a characteristic; for a
bucket, detections matched with instances of other buckets are as if they were not there, and the rest is scored
against the bucket's instances. Fewer instances would by themselves mean a lower precision, so it is normalized
(Hoiem et al., ECCV 2012): with recall R and F false positives so far, P = R N / (R N + F), where N is the number
of instances per class in the whole ground truth. What differs from the authors' code: N is not rounded down, and
a detection is left out at the thresholds at which it found an instance of another bucket, not at all of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amsx.evaluation.ground_truth import GroundTruth
from amsx.evaluation.matching import Matches
from amsx.evaluation.precision import mean_precision
from amsx.evaluation.scoring import MatchedInputs

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
    instances: tuple[float, ...] | None = None  # of all classes in the same video

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
class NormalizedScore:
    """How a set of instances fares at K thresholds."""

    mean_ap: list[float]  # (K,) DETAD's mAP_N, percent
    average: float  # its mean over the thresholds, percent
    missed: list[float]  # (K,) instances that no detection is matched with, percent

    def to_json(self) -> dict[str, Any]:
        return {"mAP_N": self.mean_ap, "average": self.average, "missed": self.missed}


@dataclass(frozen=True)
class Bucket:
    """Instances alike in one characteristic, and how they fare."""

    name: str  # XS, S, M, L, XL; fewer where there are fewer buckets
    above: float | None  # lower end, not included; None: no lower end
    to: float | None  # upper end, included; None: no upper end
    n_instances: int
    n_classes: int  # that have an instance in the bucket: mAP is over them
    score: NormalizedScore | None  # None for an empty bucket

    def to_json(self) -> dict[str, Any]:
        nothing = dict.fromkeys(("mAP_N", "average", "missed"))
        return {
            "name": self.name,
            "above": self.above,
            "to": self.to,
            "instances": self.n_instances,
            "classes": self.n_classes,
            **(nothing if self.score is None else self.score.to_json()),
        }


@dataclass(frozen=True)
class Characteristic:
    """The buckets of one characteristic, which hold every instance whose value is known."""

    left_out: int  # instances without a value
    buckets: list[Bucket]

    def to_json(self) -> dict[str, Any]:
        return {"left_out": self.left_out, "buckets": [bucket.to_json() for bucket in self.buckets]}


@dataclass(frozen=True)
class Sensitivity:
    """How well instances of different kinds are found."""

    cuts: str  # the name of the `Cuts`
    instances_per_class: float  # the N of mAP_N
    overall: NormalizedScore  # of all instances
    characteristics: dict[str, Characteristic | None]  # by name; None where no instance has a value

    def to_json(self) -> dict[str, Any]:
        return {
            "cuts": self.cuts,
            "instances_per_class": self.instances_per_class,
            "overall": self.overall.to_json(),
            "characteristics": {name: c and c.to_json() for name, c in self.characteristics.items()},
        }


def measure_sensitivity(matched: MatchedInputs, cuts: Cuts) -> tuple[Sensitivity, list[str]]:
    """How well the instances of each bucket are found, and notes on instances that are in none."""
    matches, truth, interpolated = matched.matches, matched.truth, matched.protocol.interpolated
    n_classes, notes = len(truth.classes), []
    everything = np.ones(len(matches.instances), dtype=bool)
    of_name: dict[str, Characteristic | None] = {}
    for name, values, ends in _characteristics(truth, cuts):
        unknown = int(np.isnan(values).sum())
        if unknown:
            notes.append(f"{unknown} instances of no known {name}: the ground truth gives no duration of their videos")
        if unknown == len(values):
            of_name[name] = None
        else:
            of_name[name] = Characteristic(unknown, _buckets(matches, n_classes, values, ends, interpolated))
    overall = _score(matches, n_classes, everything, interpolated)
    return Sensitivity(cuts.name, len(everything) / n_classes, overall, of_name), notes


def _characteristics(
    truth: GroundTruth, cuts: Cuts
) -> Iterator[tuple[str, NDArray[np.float64], tuple[float, ...] | None]]:
    """Name, (M,) value of each instance (NaN where unknown) and cuts of each characteristic."""
    instances = truth.instances
    length = instances.end - instances.start
    yield "length", length, cuts.length
    yield "coverage", length / truth.durations[instances.video], cuts.coverage
    yield "instances per video", np.bincount(instances.video)[instances.video].astype(np.float64), cuts.instances


def _buckets(
    matches: Matches, n_classes: int, values: NDArray[np.float64], cuts: tuple[float, ...] | None, interpolated: bool
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
        _bucket(names[i], ends[i], ends[i + 1], matches, n_classes, member == i, interpolated)
        for i in range(len(cuts) + 1)
    ]


def _bucket(
    name: str,
    above: float | None,
    to: float | None,
    matches: Matches,
    n_classes: int,
    inside: NDArray[np.bool_],
    interpolated: bool,
) -> Bucket:
    if not inside.any():
        return Bucket(name, above, to, 0, 0, None)
    in_classes = len(np.unique(matches.instances.label[inside]))
    return Bucket(name, above, to, int(inside.sum()), in_classes, _score(matches, n_classes, inside, interpolated))


def _score(matches: Matches, n_classes: int, inside: NDArray[np.bool_], interpolated: bool) -> NormalizedScore:
    """How the instances `inside` (M,) fare."""
    scores = _normalized_map(matches, n_classes, inside, interpolated)
    return NormalizedScore(
        (100 * scores).tolist(), 100 * float(scores.mean()), (100 * _missed(matches, inside)).tolist()
    )


def _missed(matches: Matches, inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(K,) share of the instances, of those `inside` (M,), that no detection is matched with."""
    found = np.zeros((len(matches.instance), len(inside)), dtype=bool)
    threshold, detection = np.nonzero(matches.instance >= 0)
    found[threshold, matches.instance[threshold, detection]] = True
    return np.asarray(1 - found[:, inside].mean(axis=1))


def _normalized_map(
    matches: Matches, n_classes: int, inside: NDArray[np.bool_], interpolated: bool
) -> NDArray[np.float64]:
    """(K,) mAP_N in 0..1 over the classes that have an instance `inside` (M,)."""
    matched = matches.instance >= 0
    correct = matched & inside[matches.instance]  # -1 reads the last one; masked
    wrong = matches.counted & ~matched
    labels = matches.detections.label
    n_instances = np.bincount(matches.instances.label[inside], minlength=n_classes)
    per_class = len(inside) / n_classes
    starts = np.searchsorted(labels, np.arange(n_classes + 1))
    of_class = [slice(starts[c], starts[c + 1]) for c in range(n_classes)]
    scores = [
        _normalized_ap(correct[:, of_class[c]], wrong[:, of_class[c]], n_instances[c], per_class, interpolated)
        for c in np.flatnonzero(n_instances)
    ]
    return np.asarray(np.mean(scores, axis=0))


def _normalized_ap(
    correct: NDArray[np.bool_], wrong: NDArray[np.bool_], n_instances: int, per_class: float, interpolated: bool
) -> NDArray[np.float64]:
    """(K,) average precision where each true positive weighs per_class / n_instances. correct, wrong: (K, N) bool."""
    found = np.cumsum(correct, axis=1) * (per_class / n_instances)
    precision = found / np.maximum(found + np.cumsum(wrong, axis=1), 1e-12)
    return mean_precision(precision, correct, n_instances, interpolated)
