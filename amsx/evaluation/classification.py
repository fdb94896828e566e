"""Rankings of videos (or of snippets) by the score of a class: which ones show it?"""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from amsx.evaluation.ambiguous import Spans
from amsx.evaluation.cases import read_case
from amsx.evaluation.ground_truth import read_ground_truth
from amsx.evaluation.labels import ClassList
from amsx.evaluation.records import Columns, Source


def ranked_ap(scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """(C,) average precision in 0..1 of ranking N items by each column of `scores`; NaN where none is positive.

    scores: (N, C), larger first, -inf for what was never found. positive: (N, C) bool. The mean, over the positive
    items, of the precision at their place, not interpolated; items of equal score share the place of the last of them,
    so no order among them is of any consequence. Raises ValueError for shapes that differ and for NaN scores.
    """
    check_scores(scores, positive)
    ap = np.full(scores.shape[1], np.nan)
    for c in range(scores.shape[1]):
        _, hits, taken = cuts(scores[:, c], positive[:, c])
        if len(hits) and hits[-1]:
            ap[c] = (np.diff(hits, prepend=0) * hits / taken).sum() / hits[-1]
    return ap


def cuts(scores: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The M distinct scores, falling; and how many positive items, and how many items, score at least that much.

    scores: (N,); positive: (N,) bool. Returns (M,) scores, (M,) int64, (M,) int64.
    """
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)) if len(ranked) else np.zeros(0, dtype=np.int64)
    return ranked[last], np.cumsum(positive[order], dtype=np.int64)[last], last + 1


def check_scores(scores: np.ndarray, positive: np.ndarray) -> None:
    """Raise ValueError unless both are (N, C) and no score is NaN."""
    if scores.ndim != 2 or scores.shape != positive.shape:
        raise ValueError(f"scores {scores.shape} and labels {positive.shape}; expected one shape (N, C) for both")
    if np.isnan(scores).any():
        raise ValueError(f"{int(np.isnan(scores).sum())} of {scores.size} scores are NaN; expected numbers")


def video_scores(detections: Columns, n_videos: int, n_classes: int) -> np.ndarray:
    """(V, C) the highest score of a detection of the class in the video, -inf where there is none."""
    scores = np.full((n_videos, n_classes), -np.inf)
    known = detections.video < n_videos
    np.maximum.at(scores, (detections.video[known], detections.label[known]), detections.score[known])
    return scores


def classify(
    predictions: Source,
    ground_truth: Source,
    *,
    subset: str | None = None,
    videos: str | Path | Collection[str] | None = None,
    exclude: Collection[str] = (),
    ambiguous: Spans | None = None,
    labels: ClassList | None = None,
) -> dict[str, Any]:
    """How well detections say which classes a video contains: mAP and AP per class, in percent.

    A video's score for a class is that of its best detection; a video is positive where it holds an instance. The
    arguments and errors are those of `evaluate`.
    """
    truth = read_ground_truth(ground_truth, subset=subset, videos=videos, exclude=exclude, ambiguous=ambiguous)
    case = read_case(predictions, truth, labels)
    positive = np.zeros((len(truth.videos), len(truth.classes)), dtype=bool)
    positive[truth.instances.video, truth.instances.label] = True
    ap = 100 * ranked_ap(video_scores(case.detections, *positive.shape), positive)
    return {"mAP": float(ap.mean()), "per_class": dict(zip(truth.classes, ap.tolist(), strict=True))}
