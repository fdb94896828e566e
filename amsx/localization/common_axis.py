"""One time axis for streams whose snippets lie differently in time, so that they can be fused.

The common axis of a video is that of the stream with the shortest snippets (of equals, the first). The values of
another stream stand at the centres of its snippets. Between two centres they are interpolated linearly; before the
first and after the last they stay as they are there. Streams that lie on the common axis already keep their values to
the bit.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amsx.data.videos import Timebase


def finest_streams(timebases: Sequence[Sequence[Timebase]]) -> list[int]:
    """The index of the stream with the shortest snippets, for every video; `timebases` has those of each stream."""
    return [
        min(range(len(own)), key=lambda stream: own[stream].snippet_seconds) for own in zip(*timebases, strict=True)
    ]


def on_axis(
    values: NDArray[Any],
    lengths: NDArray[np.int64],
    timebases: Sequence[Timebase],
    to_lengths: NDArray[np.int64],
    to_timebases: Sequence[Timebase],
) -> NDArray[Any]:
    """The values (N,) or (N, C) of V videos, a row a snippet, at the snippets of other axes: (M,) or (M, C).

    Video i has `lengths`[i] rows at `timebases`[i], and `to_lengths`[i] rows at `to_timebases`[i] in the result.
    """
    edges = np.concatenate([[0], np.cumsum(lengths)])
    parts = []
    for i, (old, new) in enumerate(zip(timebases, to_timebases, strict=True)):
        own = values[edges[i] : edges[i + 1]]
        if old == new and len(own) == to_lengths[i]:
            parts.append(own)
            continue
        at = old.to_snippets(new.to_seconds(np.arange(to_lengths[i]) + 0.5)) - 0.5  # on the axis of centres
        at = np.clip(at, 0, len(own) - 1)
        before = np.minimum(at.astype(np.int64), max(len(own) - 2, 0))
        share = (at - before).astype(values.dtype).reshape(-1, *[1] * (values.ndim - 1))
        after = np.minimum(before + 1, len(own) - 1)
        parts.append((1 - share) * own[before] + share * own[after])
    return np.concatenate(parts)
