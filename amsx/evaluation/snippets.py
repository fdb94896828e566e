"""Does a class activation sequence (CAS) rise where the actions are? Snippet by snippet, before any localization."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from amsx.evaluation.classification import check_scores, cuts, ranked_ap
from amsx.evaluation.ground_truth import GroundTruth
from amsx.evaluation.records import Columns
from amsx.evaluation.subsets import some


def covered(centres: np.ndarray, lengths: np.ndarray, segments: Columns, n_labels: int) -> np.ndarray:
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


def snippet_scores(cas: np.ndarray, positive: np.ndarray) -> dict[str, np.ndarray]:
    """Per class, how well the activations tell the snippets inside an action from the others; NaN without positives.

    cas: (N, C), any scale; positive: (N, C) bool. Returns (C,) arrays in 0..1: "AP" (as `ranked_ap`), and at the one
    threshold that serves the class best, over all videos: "F1" of the snippets at or above it, their "IoU" with the
    positive ones, and that "threshold" (in units of the CAS). Raises ValueError as `ranked_ap`.
    """
    check_scores(cas, positive)
    best = {name: np.full(cas.shape[1], np.nan) for name in ("F1", "IoU", "threshold")}
    for c in np.flatnonzero(positive.any(axis=0)):
        thresholds, hits, taken = cuts(cas[:, c], positive[:, c])
        iou = hits / (taken + hits[-1] - hits)
        at = int(np.argmax(iou))  # F1 = 2 IoU / (1 + IoU): both are best at the same threshold
        best["IoU"][c], best["F1"][c], best["threshold"][c] = iou[at], 2 * iou[at] / (1 + iou[at]), thresholds[at]
    return {"AP": ranked_ap(cas, positive), **best}


def judge_activations(
    cas: np.ndarray,
    probs: np.ndarray,
    centres: np.ndarray,
    lengths: np.ndarray,
    videos: Sequence[str],
    classes: Sequence[str],
    truth: GroundTruth,
) -> dict[str, Any]:
    """The CAS and the category probabilities of V videos against their ground truth: a plain dict, in percent.

    cas: (N, C) of the videos end to end; probs: (V, C); centres: (N,) seconds; lengths: (V,); `videos` and `classes`
    name rows and columns. Classes without a snippet inside an instance are left out, as are snippets whose centre is in
    an ambiguous span. Returns "snippet" (AP, F1, IoU: means over classes), "classification" (mAP of the probabilities),
    per_class (label -> AP, F1, IoU, threshold, classification) and counts. Raises ValueError where the ground truth
    lacks one of the videos, or none of the classes has an instance.
    """
    lacking = [video for video in videos if video not in truth.videos]
    if lacking:
        raise ValueError(f"{truth.name} does not hold {len(lacking)} of the videos scored: {some(lacking)}")
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
        raise ValueError(f"no snippet is inside an instance of {truth.name} of one of the classes {some(classes)}")
    scores = snippet_scores(cas[clear][:, columns][:, kept], inside[clear][:, kept])
    scores["classification"] = ranked_ap(probs[:, columns][:, kept], shown[:, code][:, kept])
    percent = {name: values * (1 if name == "threshold" else 100) for name, values in scores.items()}
    labels = [classes[c] for c, keep in zip(columns, kept, strict=True) if keep]
    return {
        "snippet": {name: float(percent[name].mean()) for name in ("AP", "F1", "IoU")},
        "classification": float(percent["classification"].mean()),
        "per_class": {label: {name: float(percent[name][i]) for name in percent} for i, label in enumerate(labels)},
        "counts": {
            "videos": len(videos),
            "classes": len(labels),
            "snippets": int(clear.sum()),
            "ambiguous_snippets": int((~clear).sum()),
        },
    }


def _of_videos(segments: Columns, rows: np.ndarray) -> Columns:
    """The segments of the videos at `rows`, numbered as these are."""
    place = np.full(len(segments.videos), -1)
    place[rows] = np.arange(len(rows))
    kept = segments.rows(np.flatnonzero(place[segments.video] >= 0))
    return replace(kept, video=place[kept.video])
