"""How far the score depends on the order of detections of equal score, which no rule of an evaluator justifies."""

import numpy as np
from numpy.typing import NDArray

from amsx.evaluation.columns import Columns
from amsx.evaluation.matching import class_precisions, match_detections, overlapping_pairs
from amsx.evaluation.protocols import Protocol

SHUFFLES = 4  # random orders that are tried, beside the two extremes
MOVED = 0.05  # points of mAP; less than this is not worth a note


def note_on_ties(
    detections: Columns,
    instances: Columns,
    spans: Columns,
    protocol: Protocol,
    thresholds: list[float],
    ap: NDArray[np.float64],
) -> str | None:
    """A sentence on the range of mAP over orders of equal scores; None where it moves by MOVED points at most.

    ap: (C, K) percent, as scored in the order of the file. Tried are the orders that rank among equal scores the
    detections of highest tIoU with an instance of their class first, and last, and SHUFFLES random orders (seed 0).
    Only classes with equal scores are scored again.
    """
    tied = _tied(detections)
    if not tied.any():
        return None
    again = np.unique(detections.label[tied])
    rows = np.flatnonzero(np.isin(detections.label, again))
    affected = detections.rows(rows)
    pairs = overlapping_pairs(affected, instances)
    best = np.zeros(len(affected))
    np.maximum.at(best, pairs.detection, pairs.tiou)
    rng = np.random.default_rng(0)
    orders = [np.argsort(-best, kind="stable"), np.argsort(best, kind="stable")]
    orders += [rng.permutation(len(affected)) for _ in range(SHUFFLES)]
    scores = [ap.mean(axis=0)]
    for order in orders:
        matches = match_detections(affected.rows(order), instances, spans, protocol, thresholds)
        other = ap.copy()
        other[again] = 100 * class_precisions(matches, instances, protocol.interpolated)[again]
        scores.append(other.mean(axis=0))
    low, high = np.min(scores, axis=0), np.max(scores, axis=0)  # (K,)
    k = int(np.argmax(high - low))
    if high[k] - low[k] <= MOVED:
        return None
    return (
        f"{int(tied.sum())} of {len(detections)} detections share their score with another of their class; they keep "
        f"the order of the file, and mAP at tIoU {thresholds[k]:g} is {scores[0][k]:.1f}. Other orders gave "
        f"{low[k]:.1f} to {high[k]:.1f} (mean of {SHUFFLES} random ones {np.mean(scores[3:], axis=0)[k]:.1f}; tried "
        "were these and, among equal scores, the highest tIoU first and last)"
    )


def _tied(detections: Columns) -> NDArray[np.bool_]:
    """(N,) bool: another detection of the class has the same score."""
    order = np.lexsort((detections.score, detections.label))
    label, score = detections.label[order], detections.score[order]
    same = (label[1:] == label[:-1]) & (score[1:] == score[:-1])
    tied = np.zeros(len(order), dtype=bool)
    tied[order[1:]] |= same
    tied[order[:-1]] |= same
    return tied
