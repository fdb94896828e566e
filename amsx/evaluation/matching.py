"""Which detection takes which instance under a protocol, for all classes, videos and thresholds at once.

Every protocol lets one side choose in turn: the first takes what it overlaps most, the second the best of
what is left, and so on. Turn by turn, that is a long Python loop. But those who are chosen all rank the
choosers alike (by turn), so the outcome is a stable matching, the only one, and any order of proposals leads
there (Gale and Shapley 1962): in each round everyone without a partner proposes to the best not yet tried,
and each of those asked keeps the earliest in turn. A few rounds of whole-array operations do.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from amsx.evaluation.columns import Columns
from amsx.evaluation.precision import average_precision
from amsx.evaluation.protocols import Protocol

_PIECE = 1 << 19  # pairs of a detection and an instance that are looked at together, which bounds the memory
_SNAP = 1e-3  # snippets; a time as near as this to a snippet's edge is that edge, in seconds of few decimals


@dataclass(frozen=True)
class Matches:
    """What becomes of N detections at K thresholds: correct, wrong, or spared."""

    detections: Columns  # sorted by class, then by falling score
    instance: NDArray[np.int64]  # (K, N) the instance that a detection is matched with, -1 for none
    counted: NDArray[np.bool_]  # (K, N) a true or a false positive; False: spared as ambiguous
    n_dropped: int  # detections dropped beforehand as ambiguous
    times: Columns  # `detections` in the unit of matching: the file's, or snippets
    instances: Columns  # of the ground truth, in that unit, too
    pairs: "Pairs"  # of `detections` and `instances`, those that reach the lowest threshold
    ambiguous: NDArray[np.bool_]  # (N,) touches an ambiguous span, so that it is no false positive


def match_detections(
    detections: Columns, instances: Columns, spans: Columns, protocol: Protocol, thresholds: list[float]
) -> Matches:
    """Match detections with instances; `video` and `label` index the same videos and classes in all columns.

    Equal scores keep the order of `detections`, which is that of the file.
    spans: the ambiguous ones, of any class; used where the protocol says so.
    """
    ranked = detections.rows(_ranks(detections))
    times = ranked
    if protocol.frames is not None:
        times = _in_snippets(times, protocol.frames, whole=False)
        instances, spans = (_in_snippets(columns, protocol.frames, whole=True) for columns in (instances, spans))

    ambiguous = np.zeros(len(times), dtype=bool)
    if protocol.ambiguous != "unused":
        ambiguous = _touching(times, spans, whole=protocol.frames is not None)
    n_dropped = 0
    if protocol.ambiguous == "drop":
        n_dropped, kept = int(ambiguous.sum()), np.flatnonzero(~ambiguous)
        ranked, times, ambiguous = ranked.rows(kept), times.rows(kept), ambiguous[kept]

    pairs = overlapping_pairs(times, instances, min(thresholds))
    instance = match(pairs, len(times), len(instances), thresholds, protocol)
    return Matches(ranked, instance, (instance >= 0) | ~ambiguous, n_dropped, times, instances, pairs, ambiguous)


def class_precisions(matches: Matches, instances: Columns, interpolated: bool) -> NDArray[np.float64]:
    """(C, K) average precision in 0..1 of each class of `instances`, every one of which has an instance."""
    n_classes = len(instances.labels)
    n_instances = np.bincount(instances.label, minlength=n_classes)
    stops = np.searchsorted(matches.detections.label, np.arange(n_classes + 1))
    ap = np.zeros((n_classes, len(matches.instance)))
    for i in range(n_classes):
        of_class = slice(stops[i], stops[i + 1])
        correct, counted = matches.instance[:, of_class] >= 0, matches.counted[:, of_class]
        ap[i] = average_precision(correct, counted, n_instances[i], interpolated)
    return ap


@dataclass(frozen=True)
class Pairs:
    """The P pairs of a detection and an instance of the same video that overlap, in that order."""

    detection: NDArray[np.int64]  # (P,)
    instance: NDArray[np.int64]  # (P,)
    tiou: NDArray[np.float64]  # (P,) above 0


def overlapping_pairs(detections: Columns, instances: Columns, at_least: float = 0.0) -> Pairs:
    """All pairs with tIoU > 0 and at or above `at_least`; `video` and `label` index the same names on both sides."""
    pieces = list(pieces_of_pairs(detections, instances, at_least))
    if not pieces:
        return Pairs(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0))
    return Pairs(*(np.concatenate([getattr(p, name) for p in pieces]) for name in ("detection", "instance", "tiou")))


def pieces_of_pairs(detections: Columns, instances: Columns, at_least: float = 0.0) -> Iterator[Pairs]:
    """What `overlapping_pairs` returns, in pieces of few enough pairs for any number of detections in one video.

    The instances of one video and class are sorted by start. Those that may overlap a detection are a run of them: from
    the first that, or one before which, ends after the detection starts, up to the last that starts before it ends.
    Starts and ends are compared as ranks, so that one search serves all videos and classes.
    """
    n, n_labels = len(instances), len(instances.labels)
    if not n or not len(detections):
        return
    key = instances.video * n_labels + instances.label
    start_rank, end_rank = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    start_rank[np.argsort(instances.start, kind="stable")] = np.arange(n)
    end_rank[np.argsort(instances.end, kind="stable")] = np.arange(n)
    order = np.lexsort((start_rank, key))
    keys, group = np.unique(key[order], return_inverse=True)
    first_ranks = group * (n + 1)  # ranks of different videos and classes never mix
    starts = first_ranks + start_rank[order]
    latest_ends = np.maximum.accumulate(first_ranks + end_rank[order])

    sought = detections.video * n_labels + detections.label
    place = np.minimum(np.searchsorted(keys, sought), len(keys) - 1)
    n_started = np.searchsorted(np.sort(instances.start), detections.end, side="left")
    n_ended = np.searchsorted(np.sort(instances.end), detections.start, side="right")
    first = np.searchsorted(latest_ends, place * (n + 1) + n_ended)
    count = np.maximum(np.searchsorted(starts, place * (n + 1) + n_started) - first, 0)
    count[keys[place] != sought] = 0

    stop = np.cumsum(count)
    cuts = np.searchsorted(stop, np.arange(_PIECE, stop[-1] + _PIECE, _PIECE), side="right")
    for a, b in pairwise([0, *cuts]):
        detection = np.repeat(np.arange(a, b), count[a:b])
        candidate = np.arange(len(detection)) + np.repeat(
            first[a:b] - (stop[a:b] - count[a:b] - stop[a] + count[a]), count[a:b]
        )
        pairs = _pairs_of(detections, instances, detection, order[candidate], at_least)
        if len(pairs.detection):
            yield pairs


def _pairs_of(
    detections: Columns,
    instances: Columns,
    detection: NDArray[np.int64],
    instance: NDArray[np.int64],
    at_least: float,
) -> Pairs:
    """Of these candidates, (P,) each, those that overlap enough, sorted by detection and instance."""
    shared = np.minimum(detections.end[detection], instances.end[instance])
    shared -= np.maximum(detections.start[detection], instances.start[instance])
    touch = np.flatnonzero(shared > 0)
    detection, instance, shared = detection[touch], instance[touch], shared[touch]
    union = (instances.end - instances.start)[instance] + (detections.end - detections.start)[detection] - shared
    tiou = shared / union
    enough = np.flatnonzero(tiou >= at_least)
    enough = enough[np.argsort(detection[enough] * len(instances) + instance[enough], kind="stable")]
    return Pairs(detection[enough], instance[enough], tiou[enough])


def pieces_of_any_class(detections: Columns, instances: Columns, at_least: float = 0.0) -> Iterator[Pairs]:
    """All pairs of the same video with tIoU > 0 and at or above `at_least`, whatever their classes, in pieces."""
    return pieces_of_pairs(_one_class(detections), _one_class(instances), at_least)


def _one_class(columns: Columns) -> Columns:
    return replace(columns, labels=("any",), label=np.zeros_like(columns.label))


def stable_order(whole: NDArray[np.int64]) -> NDArray[np.int64]:
    """The indices that sort whole numbers >= 0; equals keep their order."""
    if whole.size and whole.max() <= np.iinfo(np.uint16).max:
        whole = whole.astype(np.uint16)  # NumPy sorts 16 bits by radix, 30 times as fast
    return np.argsort(whole, kind="stable")


def match(
    pairs: Pairs,
    n_detections: int,
    n_instances: int,
    thresholds: list[float],
    protocol: Protocol,
) -> NDArray[np.int64]:
    """(K, n_detections) int64: the instance that each detection ends up with at K thresholds, -1 for none.

    The choosers take turns in the order of their indices. Each takes the one of highest tIoU that is free and
    at or above (strict: above) the threshold. Between equal detections that is the one of lower index, between equal
    instances the one of lower or of higher index, as the protocol says.
    """
    if protocol.chooser == "detection":
        if protocol.equal_tiou == "last":
            pairs = Pairs(pairs.detection[::-1], pairs.instance[::-1], pairs.tiou[::-1])
        return _choose(
            pairs.detection, pairs.instance, pairs.tiou, n_detections, n_instances, thresholds, protocol.strict
        )
    taken = _choose(pairs.instance, pairs.detection, pairs.tiou, n_instances, n_detections, thresholds, protocol.strict)
    instance_of = np.full((len(thresholds), n_detections), -1)
    threshold, instance = np.nonzero(taken >= 0)
    instance_of[threshold, taken[threshold, instance]] = instance
    return instance_of


def _choose(
    chooser: NDArray[np.int64],
    chosen: NDArray[np.int64],
    tiou: NDArray[np.float64],
    n_choosers: int,
    n_chosen: int,
    thresholds: list[float],
    strict: bool,
) -> NDArray[np.int64]:
    """(K, n_choosers) int64: what each takes, -1 for nothing. chooser, chosen, tiou: (P,), as in Pairs."""
    useful = np.flatnonzero(tiou >= min(thresholds))
    # A stable sort: equals stay in the order of the pairs.
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


def _ranks(detections: Columns) -> NDArray[np.int64]:
    """(N,) int64: the rows by label and falling score; equal scores stay in the order of the rows."""
    order = np.argsort(-detections.score, kind="stable")
    return order[stable_order(detections.label[order])]


def _in_snippets(columns: Columns, frames: tuple[int, int], whole: bool) -> Columns:
    """Times in snippets; `whole`: rounded to whole ones (half to even), else only where all but whole."""
    per_second, per_snippet = frames
    start, end = (seconds * per_second / per_snippet for seconds in (columns.start, columns.end))
    near = np.inf if whole else _SNAP
    start, end = (np.where(np.abs(t - np.rint(t)) <= near, np.rint(t), t) for t in (start, end))
    return replace(columns, start=start, end=end)


def _touching(detections: Columns, spans: Columns, whole: bool) -> NDArray[np.bool_]:
    """(N,) bool: it shares time with a span of its video; `whole`: its times cut down to whole snippets."""
    start, end = (np.trunc(t) if whole else t for t in (detections.start, detections.end))
    any_class = replace(detections, label=np.zeros_like(detections.label), start=start, end=end)
    touching = np.zeros(len(detections), dtype=bool)
    for pairs in pieces_of_pairs(any_class, spans):
        touching[pairs.detection] = True
    return touching
