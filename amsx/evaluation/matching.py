"""Which detection takes which instance, for all classes, videos and thresholds at once.

Every protocol lets one side choose in turn: the first takes what it overlaps most, the second the best of
what is left, and so on. Turn by turn, that is a long Python loop. But those who are chosen all rank the
choosers alike (by turn), so the outcome is a stable matching, the only one, and any order of proposals leads
there (Gale and Shapley 1962): in each round everyone without a partner proposes to the best not yet tried,
and each of those asked keeps the earliest in turn. A few rounds of whole-array operations do.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from amsx.evaluation.records import Columns


@dataclass(frozen=True)
class Pairs:
    """The P pairs of a detection and an instance of the same video that overlap, in that order."""

    detection: np.ndarray  # (P,) int64
    instance: np.ndarray  # (P,) int64
    tiou: np.ndarray  # (P,) float64, > 0


def overlapping_pairs(detections: Columns, instances: Columns) -> Pairs:
    """All pairs with tIoU > 0; `video` and `label` index the same videos and classes on both sides."""
    n_labels = len(instances.labels)
    key = instances.video * n_labels + instances.label
    by_key = np.argsort(key, kind="stable")
    keys, firsts, counts = np.unique(key[by_key], return_index=True, return_counts=True)
    sought = detections.video * n_labels + detections.label
    place = np.searchsorted(keys[:-1], sought)
    count = np.where(keys[place] == sought, counts[place], 0) if len(keys) else np.zeros_like(sought)

    # The candidates of a detection are a run of `by_key`; what is wanted of it is repeated once for each.
    run = np.repeat(np.arange(len(sought)), count)
    stop = np.cumsum(count)
    candidate = np.arange(len(run))
    if len(run):
        candidate += np.repeat(firsts[place] - (stop - count), count)
    shared = np.minimum(np.repeat(detections.end, count), instances.end[by_key][candidate])
    shared -= np.maximum(np.repeat(detections.start, count), instances.start[by_key][candidate])
    touch = np.flatnonzero(shared > 0)
    detection, instance, shared = run[touch], by_key[candidate[touch]], shared[touch]
    union = (instances.end - instances.start)[instance] + (detections.end - detections.start)[detection] - shared
    return Pairs(detection, instance, shared / union)


def overlapping_any_class(detections: Columns, instances: Columns) -> Pairs:
    """All pairs of the same video with tIoU > 0, whatever their classes."""
    return overlapping_pairs(_one_class(detections), _one_class(instances))


def _one_class(columns: Columns) -> Columns:
    return replace(columns, labels=("any",), label=np.zeros_like(columns.label))


def stable_order(whole: np.ndarray) -> np.ndarray:
    """The indices that sort whole numbers >= 0; equals keep their order."""
    if whole.size and whole.max() <= np.iinfo(np.uint16).max:
        whole = whole.astype(np.uint16)  # NumPy sorts 16 bits by radix, 30 times as fast
    return np.argsort(whole, kind="stable")


def match(
    pairs: Pairs,
    n_detections: int,
    n_instances: int,
    thresholds: list[float],
    chooser: Literal["detection", "instance"],
    strict: bool,
) -> np.ndarray:
    """(K, n_detections) int64: the instance that each detection ends up with at K thresholds, -1 for none.

    The choosers take turns in the order of their indices. Each takes the one of highest tIoU that is free and
    at or above (strict: above) the threshold; between equals the one of lower index.
    """
    if chooser == "detection":
        return _choose(pairs.detection, pairs.instance, pairs.tiou, n_detections, n_instances, thresholds, strict)
    taken = _choose(pairs.instance, pairs.detection, pairs.tiou, n_instances, n_detections, thresholds, strict)
    instance_of = np.full((len(thresholds), n_detections), -1)
    threshold, instance = np.nonzero(taken >= 0)
    instance_of[threshold, taken[threshold, instance]] = instance
    return instance_of


def _choose(
    chooser: np.ndarray,
    chosen: np.ndarray,
    tiou: np.ndarray,
    n_choosers: int,
    n_chosen: int,
    thresholds: list[float],
    strict: bool,
) -> np.ndarray:
    """(K, n_choosers) int64: what each takes, -1 for nothing. chooser, chosen, tiou: (P,), as in Pairs."""
    useful = np.flatnonzero(tiou >= min(thresholds))
    # A stable sort: equals stay in the order of the pairs, that of `chosen`.
    useful = useful[np.argsort(-tiou[useful], kind="stable")]
    order = useful[stable_order(chooser[useful])]
    chooser, chosen, tiou = chooser[order], chosen[order], tiou[order]
    first = np.searchsorted(chooser, np.arange(n_choosers))
    # As a chooser's pairs are sorted by tIoU, those that reach a threshold are its first few.
    reach = [tiou > threshold if strict else tiou >= threshold for threshold in thresholds]
    allowed = np.concatenate([np.bincount(chooser[mask], minlength=n_choosers) for mask in reach])

    tried = np.zeros(len(allowed), dtype=np.int64)  # per (threshold, chooser): its proposals refused so far
    holder = np.full(len(thresholds) * n_chosen, n_choosers)  # per (threshold, chosen): by whom it is held
    active = np.flatnonzero(allowed)
    while active.size:
        threshold = active // n_choosers
        who = active - threshold * n_choosers
        seat = threshold * n_chosen + chosen[first[who] + tried[active]]
        before = holder[seat]
        np.minimum.at(holder, seat, who)
        won = holder[seat] == who
        ousts = won & (before < n_choosers)
        refused = np.concatenate([active[~won], threshold[ousts] * n_choosers + before[ousts]])
        tried[refused] += 1
        active = refused[tried[refused] < allowed[refused]]

    taken = np.full((len(thresholds), n_choosers), -1)
    seat = np.flatnonzero(holder < n_choosers)
    taken[seat // n_chosen, holder[seat]] = seat % n_chosen
    return taken
