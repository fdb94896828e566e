"""Proposals from fused activations, for all videos and classes at once (NumPy)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from amsx.localization.fusion import Activations
from amsx.localization.post_processing import PostProcessing
from amsx.localization.scores import interval_scores
from amsx.localization.suppression import suppress


class Proposals(NamedTuple):
    """P proposals (s, e, c, p) of V videos, ordered by video, class, start and end, no interval twice."""

    video: NDArray[np.int64]  # (P,) 0 .. V-1
    label: NDArray[np.int64]  # (P,) 0 .. C-1
    start: NDArray[np.int64]  # (P,) snippet edge: the first snippet inside
    end: NDArray[np.int64]  # (P,) snippet edge: one past the last snippet inside
    score: NDArray[np.float64]  # (P,)


def predicted_classes(probs: NDArray[np.float32], threshold: float) -> NDArray[np.bool_]:
    """(V, C): the classes of each video whose probability reaches `threshold`, or the likeliest where none does.

    `amsx.model.ams.predicted_classes` is the same rule for tensors.
    """
    chosen = probs >= threshold
    best = np.arange(probs.shape[1]) == probs.argmax(axis=1)[:, None]
    return np.where(chosen.any(axis=1, keepdims=True), chosen, best)


def propose(activations: Activations, options: PostProcessing) -> Proposals:
    """The runs of consecutive snippets above the localization threshold, for every predicted class of every video.

    The classes of a video are those whose probability reaches `options.class_threshold` (theta_cls). The localization
    threshold is a multiple of the mean activation, of which `options.threshold_of` names a reading, or a fraction of
    the way from the class's smallest to its largest activation in the video. Of several thresholds, each gives its
    proposals, and equal intervals are kept once.
    Scores are those of `scores.interval_scores`, plus `class_weight` times the category probability. Overlaps are
    suppressed by `suppression.suppress`.
    """
    tracks = _tracks(activations, options.class_threshold)
    base, span = _scale(tracks, activations, options)
    starts, ends = _intervals(tracks, options.levels, base, span)
    owner = tracks.owner[starts]
    scores = interval_scores(tracks.values, tracks.edges, owner, starts, ends, options.score)
    if options.class_weight:
        scores = scores + options.class_weight * activations.probs[tracks.video, tracks.label].astype(np.float64)[owner]
    if options.nms != "none":
        kept, scores = suppress(starts, ends, scores, options)
        starts, ends, owner = starts[kept], ends[kept], owner[kept]
    first = tracks.edges[owner]
    return Proposals(tracks.video[owner], tracks.label[owner], starts - first, ends - first, scores)


def thresholds(activations: Activations, label: int, options: PostProcessing) -> list[float]:
    """The localization thresholds of the class `label` in a single video, one for each of `options.levels`.

    `activations` are those of the video alone; the class counts as predicted.
    """
    tracks = _tracks(activations.also_predicting(label), options.class_threshold)
    base, span = _scale(tracks, activations, options)
    track = int(np.flatnonzero(tracks.label == label)[0])
    return [float(base[track] + level * span[track]) for level in options.levels]


def true_runs(inside: NDArray[np.bool_], begins: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """(R, 2): the first index and one past the last of every run of true values in `inside` (M,).

    A run never extends over an index in `begins`, such as that of the first value of every video.
    """
    opens, closes = inside.copy(), inside.copy()
    opens[1:] &= ~inside[:-1]
    closes[:-1] &= ~inside[1:]
    if begins is not None:
        opens[begins] = inside[begins]
        lasts = begins[begins > 0] - 1
        closes[lasts] = inside[lasts]
    return np.stack([np.flatnonzero(opens), np.flatnonzero(closes) + 1], axis=1)


@dataclass(frozen=True)
class _Tracks:
    """One track for every predicted class of every video: the class's activations, all tracks end to end."""

    video: NDArray[np.int64]  # (R,)
    label: NDArray[np.int64]  # (R,)
    edges: NDArray[np.int64]  # (R + 1,) where a track begins, and where the last ends
    values: NDArray[np.float32]  # (M,)
    owner: NDArray[np.int64]  # (M,) the track that a value is of


def _tracks(activations: Activations, class_threshold: float) -> _Tracks:
    videos, labels = np.nonzero(predicted_classes(activations.probs, class_threshold))
    lengths = activations.lengths[videos]
    edges = np.concatenate([[0], np.cumsum(lengths)])
    owner = np.repeat(np.arange(len(videos)), lengths)
    shift = (np.cumsum(activations.lengths) - activations.lengths)[videos] - edges[:-1]  # from tracks to rows
    values = activations.cas[np.arange(len(owner)) + shift[owner], labels[owner]]
    return _Tracks(videos, labels, edges, values, owner)


def _scale(
    tracks: _Tracks, activations: Activations, options: PostProcessing
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For every track the activation that level 0 stands for, and the distance from there to level 1, both (R,)."""
    begin = tracks.edges[:-1]
    if options.threshold_of == "range":
        low = np.minimum.reduceat(tracks.values, begin).astype(np.float64)
        return low, np.maximum.reduceat(tracks.values, begin).astype(np.float64) - low
    zero = np.zeros(len(begin))
    own = np.add.reduceat(tracks.values.astype(np.float64), begin) / np.diff(tracks.edges)
    if options.threshold_of == "mean":
        return zero, own
    if options.threshold_of == "all-mean":
        firsts = np.cumsum(activations.lengths) - activations.lengths
        sums = np.add.reduceat(activations.cas.mean(axis=1, dtype=np.float64), firsts)
        return zero, (sums / activations.lengths)[tracks.video]
    videos = len(activations.lengths)
    counts = np.bincount(tracks.video, minlength=videos)
    of_video = (np.bincount(tracks.video, weights=own, minlength=videos) / np.maximum(counts, 1))[tracks.video]
    return zero, np.minimum(own, of_video) if options.threshold_of == "lower-mean" else of_video


def _intervals(
    tracks: _Tracks, levels: Sequence[float], base: NDArray[np.float64], span: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first value and one past the last of every proposal, as indices into `tracks.values`, ordered, each once."""
    runs = []
    for level in levels:
        inside = tracks.values > (base + level * span)[tracks.owner]
        runs.append(true_runs(inside, tracks.edges[:-1]))
    start, end = np.concatenate(runs).T
    if len(levels) > 1:
        order = np.lexsort([end, start])
        start, end = start[order], end[order]
        new = np.append(True, (np.diff(start) != 0) | (np.diff(end) != 0))[: len(start)]
        start, end = start[new], end[new]
    return start, end
