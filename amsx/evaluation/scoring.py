"""From predictions and ground truth to mAP under a named protocol."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from amsx.evaluation.ambiguous import Spans
from amsx.evaluation.average_precision import average_precision
from amsx.evaluation.ground_truth import GroundTruth, read_ground_truth
from amsx.evaluation.outcomes import outcomes
from amsx.evaluation.predictions import read_predictions
from amsx.evaluation.protocols import Protocol, protocol_named
from amsx.evaluation.records import Columns, Source
from amsx.evaluation.subsets import some
from amsx.evaluation.tiou import DEFAULT_TIOU, check_tiou, parse_tiou


def evaluate(
    predictions: Source,
    ground_truth: Source,
    protocol: str | Protocol = "activitynet",
    tiou: str | float | Sequence[float] = DEFAULT_TIOU,
    *,
    subset: str | None = None,
    videos: str | Path | Collection[str] | None = None,
    exclude: Collection[str] = (),
    ambiguous: Spans | None = None,
) -> dict[str, Any]:
    """mAP and per-class AP, in percent, of detections against a ground truth: a plain dict, ready for JSON.

    predictions, ground_truth: files in the ActivityNet form or their parsed content; see `read_predictions`
    and `read_ground_truth`, which documents subset, videos, exclude and ambiguous too. protocol: a name of
    `protocols.PROTOCOLS`, or rules of one's own.
    tiou: thresholds in (0, 1], numbers or text ("0.5:0.05:0.95"); by default 0.1 to 0.7 in steps of 0.1.

    Detections are ranked by score over the whole class; equal scores by video id (ids unknown to the ground
    truth last), start and end, whatever the order of the file. A class without an instance in the scored
    videos is left out. So are detections in videos of the ground truth that are not scored. Detections in
    videos that the ground truth does not know are false positives, as in the official evaluators, unless
    `videos` lists what to score. A detection of zero length is a false positive. Whatever is left out is
    counted, and has a sentence in "notes".

    Returns protocol, subset, tiou, mAP (one per threshold), average (over the thresholds), per_class (label
    -> AP, average, instances, detections), counts (videos, classes, instances, detections, ...) and notes.
    Raises FileNotFoundError, or ValueError: a broken record (naming file, video and index), an unknown
    protocol or subset, a threshold outside (0, 1], no video or no label in common.
    """
    rules = protocol_named(protocol) if isinstance(protocol, str) else protocol
    if isinstance(tiou, str):
        thresholds = parse_tiou(tiou)
    else:
        thresholds = check_tiou([tiou] if isinstance(tiou, int | float) else tiou)
    truth = read_ground_truth(ground_truth, subset=subset, videos=videos, exclude=exclude, ambiguous=ambiguous)
    detections, counts, notes = _select(*read_predictions(predictions), truth)
    result = outcomes(detections, truth.instances, truth.ambiguous, rules, thresholds)

    n_instances = np.bincount(truth.instances.label, minlength=len(truth.classes))
    n_detections = np.bincount(result.detections.label, minlength=len(truth.classes))
    ap = np.zeros((len(truth.classes), len(thresholds)))
    stops = np.cumsum(n_detections)
    for i, stop in enumerate(stops):
        of_class = slice(stop - n_detections[i], stop)
        correct, counted = result.instance[:, of_class] >= 0, result.counted[:, of_class]
        ap[i] = 100 * average_precision(correct, counted, n_instances[i], rules.interpolated)
    if result.n_dropped:
        notes.append(f"{result.n_dropped} detections that touch an ambiguous span dropped")
    if rules.ambiguous != "unused" and not len(truth.ambiguous):
        notes.append(f"{rules.name} sets ambiguous spans apart, but none are given")
    return {
        "protocol": rules.name,
        "subset": truth.subset,
        "tiou": thresholds,
        "mAP": ap.mean(axis=0).tolist(),
        "average": float(ap.mean()),
        "per_class": {
            label: {
                "AP": ap[i].tolist(),
                "average": float(ap[i].mean()),
                "instances": int(n_instances[i]),
                "detections": int(n_detections[i]),
            }
            for i, label in enumerate(truth.classes)
        },
        "counts": {
            "videos": len(truth.videos),
            "classes": len(truth.classes),
            "instances": len(truth.instances),
            "detections": len(result.detections),
            **counts,
            "ambiguous_detections_dropped": result.n_dropped,
            "ambiguous_spans": len(truth.ambiguous),
        },
        "notes": [*truth.notes, *notes],
    }


def _select(found: Columns, name: str, truth: GroundTruth) -> tuple[Columns, dict[str, int], list[str]]:
    """The detections to score, with counts of and notes on the rest. Labels index `truth.classes`.

    Videos index `truth.videos`, and beyond them those that the ground truth does not know.
    """
    _check_common(found, name, truth)
    scored = {video: i for i, video in enumerate(truth.videos)}
    strange = sorted(set(found.videos) - set(scored) - truth.left_out) if not truth.only_listed else []
    index = scored | {video: len(scored) + i for i, video in enumerate(strange)}
    code = {label: i for i, label in enumerate(truth.classes)}
    video = np.array([index.get(video, -1) for video in found.videos], dtype=np.int64)[found.video]
    label = np.array([code.get(label, -1) for label in found.labels], dtype=np.int64)[found.label]

    rows = np.flatnonzero((video >= 0) & (label >= 0))
    of_classes = sorted(set(found.labels) - set(code))
    empty = found.start[rows] == found.end[rows]
    rest = {
        "detections_in_videos_not_scored": (video < 0, "detections in videos that are not scored left out"),
        "detections_of_other_classes": (
            (video >= 0) & (label < 0),
            f"detections of classes without an instance left out: {some(of_classes)}",
        ),
        "detections_in_unknown_videos": (
            video[rows] >= len(scored),
            f"detections are false positives in videos that the ground truth does not know: {some(strange)}",
        ),
        "detections_of_zero_length": (empty, "detections of zero length are false positives"),
    }
    counts = {key: int(mask.sum()) for key, (mask, _) in rest.items()}
    notes = [f"{counts[key]} {text}" for key, (_, text) in rest.items() if counts[key]]
    start, end, score = found.start[rows], found.end[rows], found.score[rows]
    columns = Columns((*truth.videos, *strange), truth.classes, video[rows], label[rows], start, end, score)
    return columns, counts, notes


def _check_common(found: Columns, name: str, truth: GroundTruth) -> None:
    """Raise ValueError where predictions and ground truth plainly do not belong together."""
    if found.videos and not set(found.videos) & set(truth.videos):
        raise ValueError(
            f"{name} holds none of the videos of {truth.name} that are scored: it has "
            f"{some(found.videos)}, expected {some(truth.videos)}"
        )
    if found.labels and not set(found.labels) & truth.known_labels:
        raise ValueError(
            f"{name} and {truth.name} have no label in common: the predictions have "
            f"{some(found.labels)}, the ground truth {some(truth.classes)}"
        )
