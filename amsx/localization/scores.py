"""The scores of proposals, from the activations inside and around them (NumPy)."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

ProposalScore = Literal["max", "mean", "outer-inner-contrast"]

CONTEXT = 0.25  # length of the context on either side, as a share of the proposal: AutoLoc, BaS-Net, CoLA, CMCS


def interval_scores(
    values: NDArray[np.float32],
    edges: NDArray[np.int64],
    owner: NDArray[np.int64],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    score: ProposalScore,
) -> NDArray[np.float64]:
    """The scores (P,) of the intervals [starts, ends) of `values` (M,), in which one track follows the other.

    Track r lies from edges[r] to edges[r + 1], interval p in track owner[p]. "max" (the paper) is the largest
    activation inside, "mean" their mean. "outer-inner-contrast" is the mean inside minus the mean in the context, a
    quarter of the interval's length on either side as far as the track reaches, 0 where it reaches no further. A value
    stands for its whole snippet, so that a context may hold a fraction of one (the projects named above round or
    upsample instead).
    """
    if not len(starts):
        return np.zeros(0)
    if score == "max":
        # The reduction over [start, end) pairs; what lies between two proposals is computed and dropped.
        bounds = np.stack([starts, ends], axis=1).reshape(-1)
        padded = np.append(values, np.float32(0))  # so that an end may equal the number of values
        return np.maximum.reduceat(padded, bounds)[::2].astype(np.float64)
    integral = _Integral(values, edges)
    length = (ends - starts).astype(np.float64)
    inside = integral.between(owner, starts, ends)
    if score == "mean":
        return inside / length
    outer_starts = np.maximum(starts - CONTEXT * length, edges[owner])
    outer_ends = np.minimum(ends + CONTEXT * length, edges[owner + 1])
    around = outer_ends - outer_starts - length
    outside = integral.between(owner, outer_starts, starts) + integral.between(owner, ends, outer_ends)
    return inside / length - np.divide(outside, around, out=np.zeros(len(starts)), where=around > 0)


class _Integral:
    """Running sums within every track, in float64: no video's score depends on another video."""

    def __init__(self, values: NDArray[np.float32], edges: NDArray[np.int64]) -> None:
        self.sums = np.zeros(len(values) + len(edges) - 1)  # a track of n values has n + 1 sums, the first 0
        exact = values.astype(np.float64)
        for track, (first, last) in enumerate(zip(edges.tolist(), edges[1:].tolist(), strict=False)):
            np.cumsum(exact[first:last], out=self.sums[first + track + 1 : last + track + 1])

    def between(self, owner: NDArray[np.int64], start: NDArray[Any], end: NDArray[Any]) -> NDArray[np.float64]:
        """The integral from `start` to `end`, which are positions among the values and need not be whole numbers."""
        return self._until(end, owner) - self._until(start, owner)

    def _until(self, position: NDArray[Any], owner: NDArray[np.int64]) -> NDArray[np.float64]:
        whole = np.floor(position).astype(np.int64)
        rest = position - whole
        low = self.sums[whole + owner]
        high = self.sums[np.minimum(whole + owner + 1, len(self.sums) - 1)]
        return np.asarray(low + np.where(rest > 0, rest * (high - low), 0.0))
