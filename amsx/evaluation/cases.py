"""Predictions beside a ground truth: read, checked against each other, and set apart what is not scored."""

from dataclasses import dataclass

import numpy as np

from amsx.evaluation.ground_truth import GroundTruth
from amsx.evaluation.labels import ClassList, resolve_labels
from amsx.evaluation.predictions import read_predictions
from amsx.evaluation.records import Columns, Source
from amsx.evaluation.subsets import some


@dataclass(frozen=True)
class Case:
    """What protocols share: the detections to score and the ground truth to score them against."""

    truth: GroundTruth
    detections: Columns  # label indexes `truth.classes`; video `truth.videos`, and beyond them those unknown to it
    counts: dict[str, int]  # of detections set apart, by reason
    notes: list[str]  # on them
    dialect: str  # how the predictions were read, in words


def read_case(predictions: Source, truth: GroundTruth, labels: ClassList | None = None) -> Case:
    """Read predictions in any dialect; `labels` says what integer labels stand for, as in `resolve_labels`.

    Raises FileNotFoundError or ValueError: see `read_predictions` and `resolve_labels`; and where predictions and
    ground truth have no video or no label in common.
    """
    read = read_predictions(predictions)
    found, how = resolve_labels(read, truth, labels)
    return Case(truth, *_select(found, read.name, truth), dialect=", ".join(filter(None, [read.dialect, how])))


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
