"""Rankings of videos (or of snippets) by the score of a class: which of them show it?"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amsx.evaluation.columns import Columns, Source
from amsx.evaluation.inputs import read_inputs
from amsx.evaluation.predictions import Detections
from amsx.evaluation.selection import DEFAULT_SELECTION, Selection


@dataclass(frozen=True)
class Classification:
    """How well detections tell which classes a video contains."""

    mean_ap: float  # mean of `per_class`, percent
    per_class: dict[str, float]  # average precision of the ranked videos by label, percent

    def to_json(self) -> dict[str, Any]:
        return {"mAP": self.mean_ap, "per_class": self.per_class}


def classify(
    predictions: Detections, ground_truth: Source, *, selection: Selection = DEFAULT_SELECTION
) -> Classification:
    """How well detections tell which classes a video contains.

    A video's score for a class is that of its best detection; a video is positive where it holds an instance. The
    arguments and errors are those of `evaluate`.
    """
    inputs = read_inputs(predictions, ground_truth, selection)
    truth = inputs.truth
    positive = np.zeros((len(truth.videos), len(truth.classes)), dtype=bool)
    positive[truth.instances.video, truth.instances.label] = True
    ap = 100 * ranked_ap(_video_scores(inputs.detections, *positive.shape), positive)
    return Classification(float(ap.mean()), dict(zip(truth.classes, ap.tolist(), strict=True)))


def ranked_ap(scores: NDArray[np.floating[Any]], positive: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(C,) average precision in 0..1 of ranking N items by each column of `scores`; NaN where none is positive.

    scores: (N, C), larger first, -inf for what has no score. positive: (N, C) bool. The mean, over the positive
    items, of the precision at their place, not interpolated; items of equal score share the place of the last of them,
    so no order among them is of any consequence. Raises ValueError for shapes that differ and for NaN scores.
    """
    check_scores(scores, positive)
    ap = np.full(scores.shape[1], np.nan)
    for c in range(scores.shape[1]):
        _, hits, taken = score_steps(scores[:, c], positive[:, c])
        if len(hits) and hits[-1]:
            ap[c] = (np.diff(hits, prepend=0) * hits / taken).sum() / hits[-1]
    return ap


def score_steps(
    scores: NDArray[np.floating[Any]], positive: NDArray[np.bool_]
) -> tuple[NDArray[np.floating[Any]], NDArray[np.int64], NDArray[np.int64]]:
    """The M distinct scores, falling; and how many positive items, and how many items, score at least that much.

    scores: (N,); positive: (N,) bool. Returns (M,) scores, (M,) int64, (M,) int64.
    """
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)) if len(ranked) else np.zeros(0, dtype=np.int64)
    return ranked[last], np.cumsum(positive[order], dtype=np.int64)[last], last + 1


def check_scores(scores: NDArray[np.floating[Any]], positive: NDArray[np.bool_]) -> None:
    """Raise ValueError unless both are (N, C) and no score is NaN."""
    if scores.ndim != 2 or scores.shape != positive.shape:
        raise ValueError(f"scores {scores.shape} and labels {positive.shape}; expected one shape (N, C) for both")
    if np.isnan(scores).any():
        raise ValueError(f"{int(np.isnan(scores).sum())} of {scores.size} scores are NaN; expected numbers")


def _video_scores(detections: Columns, n_videos: int, n_classes: int) -> NDArray[np.float64]:
    """(V, C) the highest score of a detection of the class in the video, -inf where there is none."""
    scores = np.full((n_videos, n_classes), -np.inf)
    known = detections.video < n_videos
    np.maximum.at(scores, (detections.video[known], detections.label[known]), detections.score[known])
    return scores
