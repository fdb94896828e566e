"""From predictions and ground truth to mAP under a named protocol."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amsx.evaluation.columns import WARNING, Columns, Source, listing
from amsx.evaluation.ground_truth import GroundTruth
from amsx.evaluation.inputs import Inputs, read_inputs
from amsx.evaluation.matching import Matches, class_precisions, match_detections
from amsx.evaluation.predictions import Detections
from amsx.evaluation.protocols import DEFAULT_TIOU, PROTOCOLS, Protocol, protocol_of, thresholds_of
from amsx.evaluation.selection import DEFAULT_SELECTION, Selection
from amsx.evaluation.ties import note_on_ties


@dataclass(frozen=True)
class ClassScore:
    """How one class scores."""

    ap: list[float]  # (K,) average precision at each threshold, percent
    average: float  # its mean over the thresholds, percent
    instances: int  # of the class in the videos scored
    detections: int  # of the class that were scored

    def to_json(self) -> dict[str, Any]:
        return {
            "AP": self.ap,
            "average": self.average,
            "instances": self.instances,
            "detections": self.detections,
        }


@dataclass(frozen=True)
class Counts:
    """How much was scored, and how many detections were set apart for which reason."""

    videos: int
    classes: int
    instances: int
    detections: int  # scored: true and false positives, and those spared as ambiguous
    detections_in_videos_not_scored: int  # left out
    detections_of_other_classes: int  # left out: the class has no instance in the videos scored
    detections_in_unknown_videos: int  # false positives, unless they are spared as ambiguous
    detections_of_zero_length: int  # false positives
    ambiguous_detections_dropped: int  # left out by a protocol that drops what touches an ambiguous span
    ambiguous_spans: int
    videos_without_detection: int  # of those with an instance
    classes_without_detection: int

    def to_json(self) -> dict[str, int]:
        return dict(vars(self))


@dataclass(frozen=True)
class Evaluation:
    """The score of a set of detections under one protocol."""

    protocol: str  # its name
    subset: str | None  # scored, in its one spelling; None where the file has none or the videos were listed
    tiou: list[float]  # (K,) thresholds
    mean_ap: list[float]  # (K,) mAP at each threshold, percent
    average: float  # mAP averaged over the thresholds, percent
    per_class: dict[str, ClassScore]  # by label; classes with an instance in the videos scored
    counts: Counts
    form: str  # how the predictions were read, in words
    notes: list[str]  # a sentence on whatever was decided or left out

    @property
    def warnings(self) -> list[str]:
        """Those of the notes that tell of what the author of the predictions hardly meant, as sentences alone."""
        return [note.removeprefix(WARNING) for note in self.notes if note.startswith(WARNING)]

    def to_json(self) -> dict[str, Any]:
        """The dictionary that metrics.json and `--json` hold."""
        return {
            "protocol": self.protocol,
            "subset": self.subset,
            "tiou": self.tiou,
            "mAP": self.mean_ap,
            "average": self.average,
            "per_class": {label: score.to_json() for label, score in self.per_class.items()},
            "counts": self.counts.to_json(),
            "dialect": self.form,
            "notes": self.notes,
            "warnings": self.warnings,
        }


@dataclass(frozen=True)
class MatchedInputs:
    """Detections matched with a ground truth, and the rules by which that was done."""

    protocol: Protocol
    thresholds: list[float]  # (K,) tIoU
    inputs: Inputs
    matches: Matches
    notes: list[str]  # on the detections: those of the inputs, then those of the protocol
    spans: Columns  # the ambiguous ones in use; video indexes the videos of the detections

    @property
    def truth(self) -> GroundTruth:
        return self.inputs.truth


def evaluate(
    predictions: Detections,
    ground_truth: Source,
    protocol: str | Protocol = "activitynet",
    tiou: str | float | Sequence[float] = DEFAULT_TIOU,
    *,
    selection: Selection = DEFAULT_SELECTION,
) -> Evaluation:
    """mAP and per-class AP of detections against a ground truth.

    predictions: a file in any form that `read_predictions` knows, its parsed content, or columns. ground_truth: a file
    or its parsed content, in any form of `amsx.annotations`. protocol: a name of `protocols.PROTOCOLS`, or rules of
    one's own. tiou: thresholds in (0, 1], numbers or text ("0.5:0.05:0.95"); by default 0.1 to 0.7 in steps of 0.1.
    selection: which videos are scored, and how.

    Detections are ranked by score over the whole class; equal scores keep the order of the file, and a note says so
    where other orders would score otherwise. A class without an instance in the scored
    videos is left out. So are detections in videos of the ground truth that are not scored. Detections in
    videos that the ground truth does not know are false positives, as in the official evaluators, unless
    the selection lists the videos to score. A detection of zero length is a false positive. Whatever is left out is
    counted, and has a sentence in the notes.

    Raises FileNotFoundError, or ValueError: a broken record (naming file, video and index), an unknown
    protocol or subset, a threshold outside (0, 1], no video or no label in common.
    """
    rules, thresholds = protocol_of(protocol), thresholds_of(tiou)
    inputs = read_inputs(predictions, ground_truth, selection, order_ends=rules.orders_ends)
    return score_matches(match_inputs(inputs, rules, thresholds))


class Evaluations(dict[str, Evaluation]):
    """Protocol name -> its evaluation; and in `refused`, why a protocol gives none: its rules do not take the files."""

    def __init__(self, evaluations: Mapping[str, Evaluation], refused: Mapping[str, str]) -> None:
        super().__init__(evaluations)
        self.refused = dict(refused)

    def to_json(self) -> dict[str, Any]:
        """The dictionary that `amsx evaluate --all-protocols --json` prints."""
        refused = {name: {"protocol": name, "refused": reason} for name, reason in self.refused.items()}
        return {name: evaluation.to_json() for name, evaluation in self.items()} | refused


def evaluate_all(
    predictions: Detections,
    ground_truth: Source,
    tiou: str | float | Sequence[float] = DEFAULT_TIOU,
    *,
    protocols: Sequence[str | Protocol] = PROTOCOLS,
    selection: Selection = DEFAULT_SELECTION,
) -> Evaluations:
    """Protocol name -> what `evaluate` returns under it; the files are read and checked once.

    Where segments end before they start, the protocols that exchange the two ends score them, and the others are in
    `refused` with the reason. Raises as `evaluate` does where no protocol takes the files.
    """
    thresholds = thresholds_of(tiou)
    rules = [protocol_of(protocol) for protocol in protocols]
    refused: dict[str, str] = {}
    try:
        inputs = read_inputs(predictions, ground_truth, selection)
    except ValueError as error:
        if not any(protocol.orders_ends for protocol in rules):
            raise
        inputs = read_inputs(predictions, ground_truth, selection, order_ends=True)  # raises for any other fault
        refused = {protocol.name: str(error) for protocol in rules if not protocol.orders_ends}
    scored = [protocol for protocol in rules if protocol.name not in refused]
    return Evaluations(
        {protocol.name: score_matches(match_inputs(inputs, protocol, thresholds)) for protocol in scored}, refused
    )


def match_inputs(inputs: Inputs, protocol: Protocol, thresholds: list[float]) -> MatchedInputs:
    """Match the detections that were read with the ground truth, by the rules of a protocol."""
    truth, notes = inputs.truth, list(inputs.notes)
    spans, elsewhere = truth.ambiguous, _spans_elsewhere(inputs) if protocol.spans_of_any_video else None
    if elsewhere is not None and len(elsewhere):
        spans = elsewhere.joined(spans)
        notes.append(
            f"{len(elsewhere)} ambiguous spans count that lie in videos without annotation: "
            f"{listing(sorted({elsewhere.videos[video] for video in elsewhere.video}))}"
        )
    matches = match_detections(inputs.detections, truth.instances, spans, protocol, thresholds)
    if matches.n_dropped:
        notes.append(f"{matches.n_dropped} detections that touch an ambiguous span dropped")
    if protocol.ambiguous != "unused" and not len(spans):
        given = "none lie in the videos scored" if len(truth.ambiguous_elsewhere) else "none are given"
        notes.append(f"{protocol.name} sets ambiguous spans apart, but {given}")
    return MatchedInputs(protocol, thresholds, inputs, matches, notes, spans)


def _spans_elsewhere(inputs: Inputs) -> Columns:
    """The ambiguous spans of the videos that only the detections name, with their videos numbered as theirs."""
    spans, n_known = inputs.truth.ambiguous_elsewhere, len(inputs.truth.videos)
    index = {video: n_known + i for i, video in enumerate(inputs.detections.videos[n_known:])}
    video = np.array([index.get(video, -1) for video in spans.videos], dtype=np.int64)[spans.video]
    return replace(spans, videos=inputs.detections.videos, video=video).rows(np.flatnonzero(video >= 0))


def score_matches(matched: MatchedInputs) -> Evaluation:
    """The evaluation of detections that have been matched."""
    truth, matches, classes = matched.truth, matched.matches, matched.truth.classes
    n_instances = np.bincount(truth.instances.label, minlength=len(classes))
    n_detections = np.bincount(matches.detections.label, minlength=len(classes))
    ap = 100 * class_precisions(matches, truth.instances, matched.protocol.interpolated)
    ties = note_on_ties(matches, matched.protocol, matched.thresholds, ap)
    return Evaluation(
        protocol=matched.protocol.name,
        subset=truth.subset,
        tiou=matched.thresholds,
        mean_ap=ap.mean(axis=0).tolist(),
        average=float(ap.mean()),
        per_class={
            label: ClassScore(ap[i].tolist(), float(ap[i].mean()), int(n_instances[i]), int(n_detections[i]))
            for i, label in enumerate(classes)
        },
        counts=Counts(
            videos=len(truth.videos),
            classes=len(classes),
            instances=len(truth.instances),
            detections=len(matches.detections),
            **matched.inputs.set_apart,
            ambiguous_detections_dropped=matches.n_dropped,
            ambiguous_spans=len(matched.spans),
            videos_without_detection=_n_lacking(truth.instances.video, matched.inputs.detections.video),
            classes_without_detection=_n_lacking(truth.instances.label, matched.inputs.detections.label),
        ),
        form=matched.inputs.form,
        notes=[*truth.notes, *matched.notes, *([ties] if ties else [])],
    )


def _n_lacking(annotated: NDArray[np.int64], detected: NDArray[np.int64]) -> int:
    return len(np.setdiff1d(annotated, detected))
