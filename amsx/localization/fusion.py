"""Activations of a set of videos, and their late fusion (Eq. 12)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FUSED = "fused"  # the name of all streams fused, in results beside the names of the streams


@dataclass(frozen=True)
class Activations:
    """The CASs of V videos, one after the other (N snippets in all), and their category probabilities."""

    cas: NDArray[np.float32]  # (N, C)
    probs: NDArray[np.float32]  # (V, C)
    lengths: NDArray[np.int64]  # (V,) snippets per video, N in sum


def fuse(parts: Sequence[Activations], weights: Sequence[float]) -> Activations:
    """The weighted sum of the CASs and probabilities of two branches, or of several streams (Eq. 12).

    ValueError unless there is one weight for each part and all parts are of the same videos and classes.
    """
    if len(parts) != len(weights) or not parts:
        raise ValueError(f"expected one weight for each of {len(parts)} parts, got {len(weights)}")
    for part in parts[1:]:
        if not np.array_equal(part.lengths, parts[0].lengths) or part.cas.shape != parts[0].cas.shape:
            raise ValueError(
                f"cannot fuse: {len(part.cas)} snippets in {len(part.lengths)} videos "
                f"beside {len(parts[0].cas)} in {len(parts[0].lengths)}"
            )
    if len(parts) == 1 and weights[0] == 1:
        return parts[0]
    cas = sum(np.float32(w) * part.cas for part, w in zip(parts, weights, strict=True))
    probs = sum(np.float32(w) * part.probs for part, w in zip(parts, weights, strict=True))
    return Activations(np.asarray(cas), np.asarray(probs), parts[0].lengths)


def stream_weights(streams: Sequence[str], beta: float) -> list[float]:
    """The weights of the streams in Eq. 12: `beta` for the stream called rgb, equal parts of the rest for the others.

    The weight of a single stream is 1. Where no stream is called rgb, all have equal weights.
    """
    if len(streams) == 1:
        return [1.0]
    if "rgb" not in streams:
        return [1 / len(streams)] * len(streams)
    return [beta if name == "rgb" else (1 - beta) / (len(streams) - 1) for name in streams]
