"""Predictions and ground truth, read and checked against each other; detections that are not scored are set apart."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from amsx.evaluation.columns import Columns, Source, listing
from amsx.evaluation.ground_truth import GroundTruth, read_ground_truth
from amsx.evaluation.labels import resolve_labels
from amsx.evaluation.plausibility import likely_labels, likely_videos, notes_on_losses
from amsx.evaluation.predictions import Detections, read_predictions
from amsx.evaluation.selection import DEFAULT_SELECTION, ClassList, Selection, spelt_as


@dataclass(frozen=True)
class Inputs:
    """What all protocols share: the detections to score, and the ground truth to score them against."""

    truth: GroundTruth
    detections: Columns  # label indexes `truth.classes`; video `truth.videos`, and beyond them those unknown to it
    set_apart: dict[str, int]  # how many detections were set apart, by the name of the reason
    notes: list[str]  # sentences on them
    form: str  # how the predictions were read, in words
    absent_exclusions: frozenset[str]  # videos to exclude that neither the ground truth nor the predictions hold


def read_inputs(
    predictions: Detections, ground_truth: Source, selection: Selection = DEFAULT_SELECTION, *, order_ends: bool = False
) -> Inputs:
    """Read the ground truth, then the predictions, and check that they belong together.

    Raises FileNotFoundError or ValueError: see `read_ground_truth`, `read_predictions` and `resolve_labels`; and where
    predictions and ground truth have no video or no label in common, or a video to exclude is in neither.
    """
    truth = read_ground_truth(ground_truth, selection, order_ends=order_ends)
    inputs = inputs_of(predictions, truth, selection.labels, order_ends=order_ends)
    check_exclusions([inputs])
    return inputs


def check_exclusions(all_inputs: Sequence[Inputs]) -> None:
    """Raise ValueError where a video to exclude is neither in the ground truth nor in any of the predictions."""
    absent = frozenset.intersection(*(inputs.absent_exclusions for inputs in all_inputs))
    if absent:
        raise ValueError(f"{all_inputs[0].truth.name}: there is no video {min(absent)!r} to exclude")


def inputs_of(
    predictions: Detections, truth: GroundTruth, labels: ClassList | None = None, *, order_ends: bool = False
) -> Inputs:
    """Read predictions for a ground truth that has been read; `labels` says what integer labels stand for.

    order_ends: see `read_predictions`.
    """
    read = read_predictions(predictions, order_ends=order_ends)
    detections, spelling = resolve_labels(read, truth, labels)
    names, on_names = spelt_as(detections.videos, set(truth.videos) | truth.left_out, f"the video ids of {read.name}")
    detections = replace(detections, videos=tuple(names.values()))
    form = ", ".join(filter(None, [read.form, spelling]))
    scored, set_apart, notes = _select(detections, read.name, truth)
    if read.n_reversed:
        notes.append(f"{read.n_reversed} detections end before they start; their two ends were exchanged")
    notes = [*on_names, *notes_on_losses(scored, detections, truth), *notes]
    absent = truth.unknown_exclusions - set(detections.videos)
    return Inputs(truth, scored, set_apart, notes, form, absent)


def _select(detections: Columns, name: str, truth: GroundTruth) -> tuple[Columns, dict[str, int], list[str]]:
    """The detections to score, with counts of and notes on the rest. Labels index `truth.classes`.

    Videos index `truth.videos`, and beyond them those that the ground truth does not know.
    """
    _check_common(detections, name, truth)
    scored = {video: i for i, video in enumerate(truth.videos)}
    unknown = sorted(set(detections.videos) - set(scored) - truth.left_out) if not truth.only_listed else []
    index = scored | {video: len(scored) + i for i, video in enumerate(unknown)}
    code = {label: i for i, label in enumerate(truth.classes)}
    video = np.array([index.get(video, -1) for video in detections.videos], dtype=np.int64)[detections.video]
    label = np.array([code.get(label, -1) for label in detections.labels], dtype=np.int64)[detections.label]

    rows = np.flatnonzero((video >= 0) & (label >= 0))
    of_classes = sorted(set(detections.labels) - set(code))
    empty = detections.start[rows] == detections.end[rows]
    rest = {
        "detections_in_videos_not_scored": (video < 0, "detections in videos that are not scored left out"),
        "detections_of_other_classes": (
            (video >= 0) & (label < 0),
            f"detections of classes without an instance left out: {listing(of_classes)}",
        ),
        "detections_in_unknown_videos": (
            video[rows] >= len(scored),
            "",  # `notes_on_losses` has the sentence
        ),
        "detections_of_zero_length": (empty, "detections of zero length are false positives"),
    }
    counts = {key: int(mask.sum()) for key, (mask, _) in rest.items()}
    notes = [f"{counts[key]} {text}" for key, (_, text) in rest.items() if counts[key] and text]
    start, end, score = detections.start[rows], detections.end[rows], detections.score[rows]
    columns = Columns((*truth.videos, *unknown), truth.classes, video[rows], label[rows], start, end, score)
    return columns, counts, notes


def _check_common(detections: Columns, name: str, truth: GroundTruth) -> None:
    """Raise ValueError where predictions and ground truth plainly do not belong together."""
    if detections.videos and not set(detections.videos) & set(truth.videos):
        raise ValueError(
            f"{name} holds none of the videos of {truth.name} that are scored: it has "
            f"{listing(detections.videos)}, expected {listing(truth.videos)}"
            + "".join(f"; {pair}" for pair in likely_videos(detections.videos, truth)[:1])
        )
    if detections.labels and not set(detections.labels) & truth.known_labels:
        pairs = [f"{label!r} probably means {name!r}" for label, name in likely_labels(detections, truth).items()]
        meant = "".join(f"; {pair}" for pair in pairs[:3])
        raise ValueError(
            f"{name} and {truth.name} have no label in common: the predictions have "
            f"{listing(detections.labels)}, the ground truth {listing(truth.classes)}{meant}"
        )
