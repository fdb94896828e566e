"""What becomes of each detection under a protocol: correct, wrong, or spared."""

from dataclasses import dataclass, replace

import numpy as np

from amsx.evaluation.matching import match, overlapping_pairs, stable_order
from amsx.evaluation.protocols import Protocol
from amsx.evaluation.records import Columns

_SNAP = 1e-3  # snippets; a time as near as this to a snippet's edge is that edge, in seconds of few decimals


@dataclass(frozen=True)
class Outcomes:
    """What became of N detections at K thresholds."""

    detections: Columns  # sorted by class, then by falling score
    instance: np.ndarray  # (K, N) int64: the instance that a detection is matched with, -1 for none
    counted: np.ndarray  # (K, N) bool: a true or a false positive; False: spared as ambiguous
    n_dropped: int  # detections dropped beforehand as ambiguous
    times: Columns  # `detections` in the unit of matching: the file's, or snippets
    instances: Columns  # in that unit, too


def outcomes(
    detections: Columns, instances: Columns, spans: Columns, rules: Protocol, thresholds: list[float]
) -> Outcomes:
    """Match detections with instances; `video` and `label` index the same videos and classes throughout.

    Equal scores are ranked by video index, start and end, so the order of `detections` is of no consequence.
    spans: the ambiguous ones, of any class; used where the rules say so.
    """
    ranked = detections.rows(_ranks(detections))
    times = ranked
    if rules.frames is not None:
        times = _in_snippets(times, rules.frames, whole=False)
        instances, spans = (_in_snippets(columns, rules.frames, whole=True) for columns in (instances, spans))

    ambiguous = np.zeros(len(times), dtype=bool)
    if rules.ambiguous != "unused":
        ambiguous = _touching(times, spans, whole=rules.frames is not None)
    n_dropped = 0
    if rules.ambiguous == "drop":
        n_dropped, kept = int(ambiguous.sum()), np.flatnonzero(~ambiguous)
        ranked, times, ambiguous = ranked.rows(kept), times.rows(kept), ambiguous[kept]

    pairs = overlapping_pairs(times, instances)
    instance = match(pairs, len(times), len(instances), thresholds, rules.chooser, rules.strict)
    return Outcomes(ranked, instance, (instance >= 0) | ~ambiguous, n_dropped, times, instances)


def _ranks(detections: Columns) -> np.ndarray:
    """(N,) int64: the rows by label, falling score, video, start and end."""
    order = np.argsort(-detections.score, kind="stable")
    score = detections.score[order]
    tied = np.zeros(len(order), dtype=bool)
    tied[1:] = score[1:] == score[:-1]
    tied[:-1] |= tied[1:]
    # Few rows share a score, so few are sorted by all there is.
    among = detections.rows(order[tied])
    order[tied] = order[tied][np.lexsort((among.end, among.start, among.video, -among.score))]
    return order[stable_order(detections.label[order])]


def _in_snippets(columns: Columns, frames: tuple[int, int], whole: bool) -> Columns:
    """Times in snippets; `whole`: rounded to whole ones (half to even), else only where all but whole."""
    per_second, per_snippet = frames
    start, end = (seconds * per_second / per_snippet for seconds in (columns.start, columns.end))
    near = np.inf if whole else _SNAP
    start, end = (np.where(np.abs(t - np.rint(t)) <= near, np.rint(t), t) for t in (start, end))
    return replace(columns, start=start, end=end)


def _touching(detections: Columns, spans: Columns, whole: bool) -> np.ndarray:
    """(N,) bool: it shares time with a span of its video; `whole`: its times cut down to whole snippets."""
    start, end = (np.trunc(t) if whole else t for t in (detections.start, detections.end))
    any_class = replace(detections, label=np.zeros_like(detections.label), start=start, end=end)
    touching = np.zeros(len(detections), dtype=bool)
    touching[overlapping_pairs(any_class, spans).detection] = True
    return touching
