"""From predictions and ground truth to mAP under a named protocol."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from amsx.evaluation.ambiguous import Spans
from amsx.evaluation.average_precision import average_precision
from amsx.evaluation.cases import Case, read_case
from amsx.evaluation.ground_truth import GroundTruth, read_ground_truth
from amsx.evaluation.labels import ClassList
from amsx.evaluation.outcomes import Outcomes, outcomes
from amsx.evaluation.protocols import PROTOCOLS, Protocol, protocol_named
from amsx.evaluation.records import Source
from amsx.evaluation.tiou import DEFAULT_TIOU, check_tiou, parse_tiou


@dataclass(frozen=True)
class Judged:
    """Detections matched with a ground truth, and what that was done by."""

    rules: Protocol
    thresholds: list[float]  # K tIoUs
    truth: GroundTruth
    outcome: Outcomes
    counts: dict[str, int]  # of detections set apart, by reason
    notes: list[str]  # on them
    dialect: str  # how the predictions were read, in words


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
    labels: ClassList | None = None,
) -> dict[str, Any]:
    """mAP and per-class AP, in percent, of detections against a ground truth: a plain dict, ready for JSON.

    predictions: a file, or its parsed content, in any form of `dialects`; labels: what its integer labels stand
    for, where the ground truth does not say. ground_truth: see `read_ground_truth`, which documents subset,
    videos, exclude and ambiguous too. protocol: a name of `protocols.PROTOCOLS`, or rules of one's own.
    tiou: thresholds in (0, 1], numbers or text ("0.5:0.05:0.95"); by default 0.1 to 0.7 in steps of 0.1.

    Detections are ranked by score over the whole class; equal scores by video id (ids unknown to the ground
    truth last), start and end, whatever the order of the file. A class without an instance in the scored
    videos is left out. So are detections in videos of the ground truth that are not scored. Detections in
    videos that the ground truth does not know are false positives, as in the official evaluators, unless
    `videos` lists what to score. A detection of zero length is a false positive. Whatever is left out is
    counted, and has a sentence in "notes".

    Returns protocol, subset, tiou, mAP (one per threshold), average (over the thresholds), per_class (label
    -> AP, average, instances, detections), counts (videos, classes, instances, detections, ...), dialect (how
    the predictions were read) and notes.
    Raises FileNotFoundError, or ValueError: a broken record (naming file, video and index), an unknown
    protocol or subset, a threshold outside (0, 1], no video or no label in common.
    """
    return summary(judge(predictions, ground_truth, protocol, tiou, subset, videos, exclude, ambiguous, labels))


def evaluate_all(
    predictions: Source,
    ground_truth: Source,
    tiou: str | float | Sequence[float] = DEFAULT_TIOU,
    *,
    protocols: Sequence[str | Protocol] = PROTOCOLS,
    subset: str | None = None,
    videos: str | Path | Collection[str] | None = None,
    exclude: Collection[str] = (),
    ambiguous: Spans | None = None,
    labels: ClassList | None = None,
) -> dict[str, dict[str, Any]]:
    """Protocol name -> what `evaluate` returns under it; the files are read and checked once."""
    thresholds = thresholds_of(tiou)
    truth = read_ground_truth(ground_truth, subset=subset, videos=videos, exclude=exclude, ambiguous=ambiguous)
    case = read_case(predictions, truth, labels)
    rules = [protocol_named(p) if isinstance(p, str) else p for p in protocols]
    return {one.name: summary(judge_case(case, one, thresholds)) for one in rules}


def judge(
    predictions: Source,
    ground_truth: Source,
    protocol: str | Protocol,
    tiou: str | float | Sequence[float],
    subset: str | None,
    videos: str | Path | Collection[str] | None,
    exclude: Collection[str],
    ambiguous: Spans | None,
    labels: ClassList | None = None,
) -> Judged:
    """Read and match; the arguments of `evaluate`, and its errors."""
    rules = protocol_named(protocol) if isinstance(protocol, str) else protocol
    thresholds = thresholds_of(tiou)
    truth = read_ground_truth(ground_truth, subset=subset, videos=videos, exclude=exclude, ambiguous=ambiguous)
    return judge_case(read_case(predictions, truth, labels), rules, thresholds)


def judge_case(case: Case, rules: Protocol, thresholds: list[float]) -> Judged:
    """Match what was read, by the rules of a protocol."""
    truth, notes = case.truth, list(case.notes)
    outcome = outcomes(case.detections, truth.instances, truth.ambiguous, rules, thresholds)
    if outcome.n_dropped:
        notes.append(f"{outcome.n_dropped} detections that touch an ambiguous span dropped")
    if rules.ambiguous != "unused" and not len(truth.ambiguous):
        notes.append(f"{rules.name} sets ambiguous spans apart, but none are given")
    return Judged(rules, thresholds, truth, outcome, case.counts, notes, case.dialect)


def thresholds_of(tiou: str | float | Sequence[float]) -> list[float]:
    """`tiou` as `evaluate` takes it, as checked floats."""
    if isinstance(tiou, str):
        return parse_tiou(tiou)
    return check_tiou([tiou] if isinstance(tiou, int | float) else tiou)


def summary(judged: Judged) -> dict[str, Any]:
    """What `evaluate` returns."""
    rules, thresholds, truth, result = judged.rules, judged.thresholds, judged.truth, judged.outcome
    n_instances = np.bincount(truth.instances.label, minlength=len(truth.classes))
    n_detections = np.bincount(result.detections.label, minlength=len(truth.classes))
    ap = np.zeros((len(truth.classes), len(thresholds)))
    stops = np.cumsum(n_detections)
    for i, stop in enumerate(stops):
        of_class = slice(stop - n_detections[i], stop)
        correct, counted = result.instance[:, of_class] >= 0, result.counted[:, of_class]
        ap[i] = 100 * average_precision(correct, counted, n_instances[i], rules.interpolated)
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
            **judged.counts,
            "ambiguous_detections_dropped": result.n_dropped,
            "ambiguous_spans": len(truth.ambiguous),
        },
        "dialect": judged.dialect,
        "notes": [*truth.notes, *judged.notes],
    }
