"""Non-maximum suppression, hard or soft, of all videos and classes at once (NumPy)."""

import numpy as np
from numpy.typing import NDArray

from amsx.localization.post_processing import PostProcessing


def suppress(
    starts: NDArray[np.int64], ends: NDArray[np.int64], scores: NDArray[np.float64], options: PostProcessing
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Suppress overlaps among P intervals: the indices of those that are kept, in order, and their scores.

    The intervals lie on one axis on which those of different videos or classes do not overlap, ordered by start and
    end. The best is taken (of equals, the first), and what overlaps it suffers: "hard" drops what has a temporal IoU
    above `nms_tiou` with it; "soft" multiplies scores by exp(-tIoU^2 / `nms_sigma`) (Bodla et al., Gaussian), except
    scores below 0, which that would raise; then the best of the rest is taken, and so on. "soft" keeps everything.

    Intervals affect each other only if a chain of overlaps connects them. So every round takes the best interval of
    every such cluster, and there are as many rounds as the largest cluster has intervals.
    """
    scores = scores.copy()
    kept = np.ones(len(starts), dtype=bool)
    rest = np.arange(len(starts))
    while len(rest):
        s, e, score = starts[rest], ends[rest], scores[rest]
        begin = np.flatnonzero(_opens_cluster(s, e))
        sizes = np.diff(np.append(begin, len(rest)))
        if (sizes == 1).all():
            break
        cluster = np.repeat(np.arange(len(begin)), sizes)
        equals = np.flatnonzero(score == np.maximum.reduceat(score, begin)[cluster])
        best = equals[np.append(True, np.diff(cluster[equals]) != 0)]  # the first of equals in every cluster
        tiou = _tiou(s, e, s[best][cluster], e[best][cluster])
        if options.nms == "hard":
            dropped = tiou > options.nms_tiou
            dropped[best] = False
            kept[rest[dropped]] = False
        else:
            dropped = np.zeros(len(rest), dtype=bool)
            scores[rest] = np.where(score > 0, score * np.exp(-(tiou**2) / options.nms_sigma), score)
            scores[rest[best]] = score[best]
        dropped[best] = True  # taken
        rest = rest[~dropped]
    return np.flatnonzero(kept), scores[kept]


def _opens_cluster(s: NDArray[np.int64], e: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(P,): whether a cluster begins here, that is, no interval before overlaps this one or a later one."""
    return np.append(True, s[1:] >= np.maximum.accumulate(e)[:-1])


def _tiou(
    s: NDArray[np.int64], e: NDArray[np.int64], other_s: NDArray[np.int64], other_e: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(P,) temporal IoU of the intervals [s, e) and [other_s, other_e), none of them empty."""
    common = np.maximum(np.minimum(e, other_e) - np.maximum(s, other_s), 0)
    return np.asarray(common / ((e - s) + (other_e - other_s) - common))
