"""Activations of a set of videos, and their late fusion (Eq. 12)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

ROUNDED = 1e-3  # by which weights of streams, which are typed with a few digits, may miss the sum 1

FUSED = "fused"  # the name of all streams fused, in results beside the names of the streams


@dataclass(frozen=True)
class Activations:
    """The CASs of V videos, one after the other (N snippets in all), and their category probabilities."""

    cas: NDArray[np.float32]  # (N, C)
    probs: NDArray[np.float32]  # (V, C)
    lengths: NDArray[np.int64]  # (V,) snippets per video, N in sum

    def also_predicting(self, label: int) -> "Activations":
        """The same, with the class `label` as probable as can be, so that every video counts it as predicted."""
        probs = self.probs.copy()
        probs[:, label] = np.inf
        return replace(self, probs=probs)


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


def weights_fault(weights: Mapping[str, float]) -> str | None:
    """What is wrong with the weights of streams, in words; None where nothing is. No weights at all are fine."""
    for name, weight in weights.items():
        if not (math.isfinite(weight) and weight >= 0):
            return f"the weight of {name!r} must be at least 0 and finite, got {weight:g}"
    total = math.fsum(weights.values())
    if weights and abs(total - 1) > ROUNDED:
        return f"the weights must sum to 1, and {_listed(weights)} sum to {total:g}"
    return None


def stream_weights(streams: Sequence[str], beta: float, weights: Mapping[str, float] | None = None) -> list[float]:
    """The weights of the streams in Eq. 12, in their order. A stream of weight 0 is left out of the fusion.

    `weights` has one for every stream. Without them, the stream called rgb has the weight `beta` and the others have
    equal parts of the rest; where no stream is called rgb, all have equal weights. A single stream has the weight 1,
    whatever the weights are. ValueError where `weights` names other streams than there are.
    """
    if len(streams) == 1:
        return [1.0]
    if weights:
        unknown = [name for name in weights if name not in streams]
        lacking = [name for name in streams if name not in weights]
        if unknown or lacking:
            fault = f"names {unknown[0]!r}" if unknown else f"has no weight for {lacking[0]!r}"
            raise ValueError(
                f"localization.weights {fault}; expected a weight for each of the streams {', '.join(streams)} "
                "(0 leaves one out)"
            )
        return [weights[name] for name in streams]
    if "rgb" not in streams:
        return [1 / len(streams)] * len(streams)
    return [beta if name == "rgb" else (1 - beta) / (len(streams) - 1) for name in streams]


def weights_in_words(streams: Sequence[str], weights: Sequence[float]) -> str:
    """The weights of several streams as text: "rgb 0.15, flow 0.85"; streams of weight 0 are said to be left out."""
    text = _listed({name: weight for name, weight in zip(streams, weights, strict=True) if weight})
    absent = [name for name, weight in zip(streams, weights, strict=True) if not weight]
    return text + (f"; {' and '.join(absent)} left out, at weight 0" if absent else "")


def _listed(weights: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {weight:.3g}" for name, weight in weights.items())
