"""Does a class activation sequence (CAS) rise where the actions are? Snippet by snippet, before any localization."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amsx.evaluation.classification import check_scores, ranked_ap, score_steps
from amsx.evaluation.columns import Columns, listing
from amsx.evaluation.ground_truth import GroundTruth


@dataclass(frozen=True)
class ClassActivations:
    """How well the CAS and the category probability of one class agree with the ground truth."""

    ap: float  # average precision of the ranked snippets, percent
    f1: float  # of the snippets at or above `threshold`, percent
    iou: float  # of those snippets with the ones inside an instance, percent
    threshold: float  # that serves the class best, in units of the CAS
    classification: float  # average precision of the videos ranked by the category probability, percent

    def to_json(self) -> dict[str, float]:
        return {
            "AP": self.ap,
            "F1": self.f1,
            "IoU": self.iou,
            "threshold": self.threshold,
            "classification": self.classification,
        }


@dataclass(frozen=True)
class ActivationScores:
    """How well CASs and category probabilities agree with the ground truth: means over classes, and each class."""

    ap: float  # percent, like the next three; see ClassActivations
    f1: float
    iou: float
    classification: float
    per_class: dict[str, ClassActivations]  # by label; classes with a snippet inside an instance
    videos: int
    classes: int
    snippets: int  # scored
    ambiguous_snippets: int  # left out: their centre is in an ambiguous span

    def to_json(self) -> dict[str, Any]:
        """The dictionary that `amsx test --snippets --json` prints."""
        return {
            "snippet": {"AP": self.ap, "F1": self.f1, "IoU": self.iou},
            "classification": self.classification,
            "per_class": {label: scores.to_json() for label, scores in self.per_class.items()},
            "counts": {
                "videos": self.videos,
                "classes": self.classes,
                "snippets": self.snippets,
                "ambiguous_snippets": self.ambiguous_snippets,
            },
        }


def score_activations(
    cas: NDArray[np.floating[Any]],
    probs: NDArray[np.floating[Any]],
    centres: NDArray[np.float64],
    lengths: NDArray[np.int64],
    videos: Sequence[str],
    classes: Sequence[str],
    truth: GroundTruth,
) -> ActivationScores:
    """Score the CAS and the category probabilities of V videos against their ground truth.

    cas: (N, C) of the videos end to end; probs: (V, C); centres: (N,) seconds; lengths: (V,) snippets; `videos` and
    `classes` name rows and columns. Classes without a snippet inside an instance are left out, as are snippets whose
    centre is in an ambiguous span. Raises ValueError where the ground truth lacks one of the videos, or none of the
    classes has an instance.
    """
    lacking = [video for video in videos if video not in truth.videos]
    if lacking:
        raise ValueError(f"{truth.name} does not hold {len(lacking)} of the videos scored: {listing(lacking)}")
    columns = [c for c, label in enumerate(classes) if label in truth.classes]
    rows = np.array([truth.videos.index(video) for video in videos], dtype=np.int64)
    instances, spans = (_of_videos(segments, rows) for segments in (truth.instances, truth.ambiguous))
    code = np.array([truth.classes.index(classes[c]) for c in columns], dtype=np.int64)
    inside = covered(centres, lengths, instances, len(truth.classes))[:, code]
    clear = ~covered(centres, lengths, spans, max(1, len(spans.labels))).any(axis=1)
    shown = np.zeros((len(videos), len(truth.classes)), dtype=bool)
    shown[instances.video, instances.label] = True
    kept = np.asarray(inside[clear].any(axis=0))
    if not kept.any():
        raise ValueError(f"no snippet is inside an instance of {truth.name} of one of the classes {listing(classes)}")
    scores = snippet_scores(cas[clear][:, columns][:, kept], inside[clear][:, kept])
    scores["classification"] = ranked_ap(probs[:, columns][:, kept], shown[:, code][:, kept])
    percent = {name: values * (1 if name == "threshold" else 100) for name, values in scores.items()}
    labels = [classes[c] for c, keep in zip(columns, kept, strict=True) if keep]
    names = ("AP", "F1", "IoU", "threshold", "classification")
    return ActivationScores(
        ap=float(percent["AP"].mean()),
        f1=float(percent["F1"].mean()),
        iou=float(percent["IoU"].mean()),
        classification=float(percent["classification"].mean()),
        per_class={
            label: ClassActivations(*(float(percent[name][i]) for name in names)) for i, label in enumerate(labels)
        },
        videos=len(videos),
        classes=len(labels),
        snippets=int(clear.sum()),
        ambiguous_snippets=int((~clear).sum()),
    )


def covered(
    centres: NDArray[np.float64], lengths: NDArray[np.int64], segments: Columns, n_labels: int
) -> NDArray[np.bool_]:
    """(N, C) bool: a segment of the class holds the snippet's centre, start <= centre < end.

    centres: (N,) seconds, rising within a video, of V videos end to end. lengths: (V,) snippets of each, N in sum.
    segments: `video` indexes these videos, `label` the C columns.
    """
    edges = np.concatenate([[0], np.cumsum(lengths)])
    inside = np.zeros((len(centres), n_labels), dtype=bool)
    for video, label, start, end in zip(segments.video, segments.label, segments.start, segments.end, strict=True):
        of_video = centres[edges[video] : edges[video + 1]]
        first, last = edges[video] + np.searchsorted(of_video, [start, end])
        inside[first:last, label] = True
    return inside


def snippet_scores(cas: NDArray[np.floating[Any]], positive: NDArray[np.bool_]) -> dict[str, NDArray[np.float64]]:
    """Per class, how well the activations tell the snippets inside an action from the others; NaN without positives.

    cas: (N, C), any scale; positive: (N, C) bool. Returns (C,) arrays in 0..1: "AP" (as `ranked_ap`), and at the one
    threshold that serves the class best, over all videos: "F1" of the snippets at or above it, their "IoU" with the
    positive ones, and that "threshold" (in units of the CAS). Raises ValueError as `ranked_ap`.
    """
    check_scores(cas, positive)
    best = {name: np.full(cas.shape[1], np.nan) for name in ("F1", "IoU", "threshold")}
    for c in np.flatnonzero(positive.any(axis=0)):
        thresholds, hits, taken = score_steps(cas[:, c], positive[:, c])
        iou = hits / (taken + hits[-1] - hits)
        at = int(np.argmax(iou))  # F1 = 2 IoU / (1 + IoU): both are best at the same threshold
        best["IoU"][c], best["F1"][c], best["threshold"][c] = iou[at], 2 * iou[at] / (1 + iou[at]), thresholds[at]
    return {"AP": ranked_ap(cas, positive), **best}


def _of_videos(segments: Columns, rows: NDArray[np.int64]) -> Columns:
    """The segments of the videos at `rows`, numbered as these are."""
    place = np.full(len(segments.videos), -1)
    place[rows] = np.arange(len(rows))
    kept = segments.rows(np.flatnonzero(place[segments.video] >= 0))
    return replace(kept, video=place[kept.video])
