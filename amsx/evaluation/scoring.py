"""From predictions and ground truth to mAP under a named protocol."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from amsx.evaluation.columns import Source
from amsx.evaluation.ground_truth import GroundTruth
from amsx.evaluation.inputs import Inputs, read_inputs
from amsx.evaluation.matching import Matches, match_detections
from amsx.evaluation.precision import average_precision
from amsx.evaluation.predictions import Detections
from amsx.evaluation.protocols import DEFAULT_TIOU, PROTOCOLS, Protocol, protocol_of, thresholds_of
from amsx.evaluation.selection import DEFAULT_SELECTION, Selection


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
    detections_in_unknown_videos: int  # false positives
    detections_of_zero_length: int  # false positives
    ambiguous_detections_dropped: int  # left out by a protocol that drops what touches an ambiguous span
    ambiguous_spans: int

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
        }


@dataclass(frozen=True)
class MatchedInputs:
    """Detections matched with a ground truth, and the rules by which that was done."""

    protocol: Protocol
    thresholds: list[float]  # (K,) tIoU
    inputs: Inputs
    matches: Matches
    notes: list[str]  # on the detections: those of the inputs, then those of the protocol

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
    or its parsed content, see `read_ground_truth`. protocol: a name of `protocols.PROTOCOLS`, or rules of one's own.
    tiou: thresholds in (0, 1], numbers or text ("0.5:0.05:0.95"); by default 0.1 to 0.7 in steps of 0.1. selection:
    which videos are scored, and how.

    Detections are ranked by score over the whole class; equal scores by video id (ids unknown to the ground
    truth last), start and end, whatever the order of the file. A class without an instance in the scored
    videos is left out. So are detections in videos of the ground truth that are not scored. Detections in
    videos that the ground truth does not know are false positives, as in the official evaluators, unless
    the selection lists the videos to score. A detection of zero length is a false positive. Whatever is left out is
    counted, and has a sentence in the notes.

    Raises FileNotFoundError, or ValueError: a broken record (naming file, video and index), an unknown
    protocol or subset, a threshold outside (0, 1], no video or no label in common.
    """
    rules, thresholds = protocol_of(protocol), thresholds_of(tiou)
    return score_matches(match_inputs(read_inputs(predictions, ground_truth, selection), rules, thresholds))


def evaluate_all(
    predictions: Detections,
    ground_truth: Source,
    tiou: str | float | Sequence[float] = DEFAULT_TIOU,
    *,
    protocols: Sequence[str | Protocol] = PROTOCOLS,
    selection: Selection = DEFAULT_SELECTION,
) -> dict[str, Evaluation]:
    """Protocol name -> what `evaluate` returns under it; the files are read and checked once."""
    thresholds = thresholds_of(tiou)
    inputs = read_inputs(predictions, ground_truth, selection)
    return {rules.name: score_matches(match_inputs(inputs, rules, thresholds)) for rules in map(protocol_of, protocols)}


def match_inputs(inputs: Inputs, protocol: Protocol, thresholds: list[float]) -> MatchedInputs:
    """Match the detections that were read with the ground truth, by the rules of a protocol."""
    truth, notes = inputs.truth, list(inputs.notes)
    matches = match_detections(inputs.detections, truth.instances, truth.ambiguous, protocol, thresholds)
    if matches.n_dropped:
        notes.append(f"{matches.n_dropped} detections that touch an ambiguous span dropped")
    if protocol.ambiguous != "unused" and not len(truth.ambiguous):
        notes.append(f"{protocol.name} sets ambiguous spans apart, but none are given")
    return MatchedInputs(protocol, thresholds, inputs, matches, notes)


def score_matches(matched: MatchedInputs) -> Evaluation:
    """The evaluation of detections that have been matched."""
    truth, matches, classes = matched.truth, matched.matches, matched.truth.classes
    n_instances = np.bincount(truth.instances.label, minlength=len(classes))
    n_detections = np.bincount(matches.detections.label, minlength=len(classes))
    ap = np.zeros((len(classes), len(matched.thresholds)))
    stops = np.cumsum(n_detections)
    for i, stop in enumerate(stops):
        of_class = slice(stop - n_detections[i], stop)
        correct, counted = matches.instance[:, of_class] >= 0, matches.counted[:, of_class]
        ap[i] = 100 * average_precision(correct, counted, n_instances[i], matched.protocol.interpolated)
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
            ambiguous_spans=len(truth.ambiguous),
        ),
        form=matched.inputs.form,
        notes=[*truth.notes, *matched.notes],
    )
