"""From fused activations to proposals, all videos and classes at once (NumPy)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from amsx.localization.fusion import Activations


class Proposals(NamedTuple):
    """P proposals (s, e, c, p) of V videos, ordered by video, class and start."""

    video: NDArray[np.int64]  # (P,) 0 .. V-1
    label: NDArray[np.int64]  # (P,) 0 .. C-1
    start: NDArray[np.int64]  # (P,) snippet edge: the first snippet inside
    end: NDArray[np.int64]  # (P,) snippet edge: one past the last snippet inside
    score: NDArray[np.float32]  # (P,) the largest activation inside


def predicted_classes(probs: NDArray[np.float32], threshold: float) -> NDArray[np.bool_]:
    """(V, C): the classes whose probability reaches `threshold`, or the likeliest where none does."""
    chosen = probs >= threshold
    best = np.arange(probs.shape[1]) == probs.argmax(axis=1)[:, None]
    return np.where(chosen.any(axis=1, keepdims=True), chosen, best)


def propose(activations: Activations, *, class_threshold: float, threshold: float) -> Proposals:
    """Consecutive snippets above the localization threshold, for every predicted class of every video.

    `class_threshold` decides the classes of a video (theta_cls); a snippet is inside where its activation
    exceeds `threshold` times the mean activation of the class in the video.
    """
    videos, labels = np.nonzero(predicted_classes(activations.probs, class_threshold))  # one row per track
    lengths = activations.lengths[videos]
    offsets = np.cumsum(lengths) - lengths  # where a track begins among all the tracks' snippets
    track = np.repeat(np.arange(len(videos)), lengths)
    first_row = np.cumsum(activations.lengths) - activations.lengths
    position = np.arange(len(track)) - offsets[track]  # snippet within its video
    values = activations.cas[first_row[videos][track] + position, labels[track]]
    means = np.add.reduceat(values.astype(np.float64), offsets) / lengths
    inside = values > threshold * means[track]
    before = np.concatenate([[False], inside[:-1]]) & (position > 0)
    after = np.concatenate([inside[1:], [False]]) & (position < lengths[track] - 1)
    starts = np.flatnonzero(inside & ~before)
    ends = np.flatnonzero(inside & ~after) + 1
    # The reduction over [start, end) pairs; what lies between two proposals is computed and dropped.
    bounds = np.stack([starts, ends], axis=1).reshape(-1)
    padded = np.append(values, np.float32(0))  # so that an end may equal the number of values
    scores = np.maximum.reduceat(padded, bounds)[::2] if len(bounds) else padded[:0]
    owner = track[starts]
    return Proposals(videos[owner], labels[owner], position[starts], position[ends - 1] + 1, scores)
