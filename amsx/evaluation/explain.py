"""Why a score is what it is: curves, errors, sensitivity, recall of proposals, and the videos, beside the score."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amsx.evaluation.columns import Source
from amsx.evaluation.errors import Errors, find_errors
from amsx.evaluation.inputs import read_inputs
from amsx.evaluation.precision import RECALLS, Curve, mean_curve, percent, precision_recall
from amsx.evaluation.predictions import Detections
from amsx.evaluation.protocols import DEFAULT_TIOU, Protocol, protocol_of, thresholds_of
from amsx.evaluation.recall import ProposalRecall, proposal_recall
from amsx.evaluation.scoring import Evaluation, MatchedInputs, match_inputs, score_matches
from amsx.evaluation.selection import DEFAULT_SELECTION, Selection
from amsx.evaluation.sensitivity import Cuts, Sensitivity, cuts_named, measure_sensitivity
from amsx.evaluation.video_scores import video_scores


@dataclass(frozen=True, eq=False)
class Curves:
    """Precision over recall at K thresholds, in percent to four decimals."""

    recall: NDArray[np.float64]  # (101,) where `mean` is taken
    mean: NDArray[np.float64]  # (K, 101) the classes' mean interpolated precision
    per_class: dict[str, list[Curve]]  # label -> a curve at each threshold

    def to_json(self) -> dict[str, Any]:
        return {
            "recall": self.recall.tolist(),
            "mean": self.mean.tolist(),
            "per_class": {label: [curve.to_json() for curve in curves] for label, curves in self.per_class.items()},
        }


@dataclass(frozen=True, eq=False)
class Explanation:
    """What `evaluate` returns, and why. Figures are in percent."""

    evaluation: Evaluation  # its notes say what could not be explained, too
    curves: Curves
    errors: Errors  # what kind the false positives are of, and what each kind costs
    sensitivity: Sensitivity  # to the length, coverage and number of instances
    proposals: ProposalRecall  # whatever the label
    videos: dict[str, float]  # id of every video with an instance -> its score by `video_scores`

    @property
    def shown(self) -> int:
        """The index of the threshold to show where there is room for one."""
        return shown_threshold(self.evaluation.tiou)

    def to_json(self) -> dict[str, Any]:
        """The dictionary that `amsx evaluate --explain --json` prints: that of the evaluation, and five keys more."""
        return {
            **self.evaluation.to_json(),
            "curves": self.curves.to_json(),
            "errors": self.errors.to_json(),
            "sensitivity": self.sensitivity.to_json(),
            "proposals": self.proposals.to_json(),
            "videos": self.videos,
        }


def explain(
    predictions: Detections,
    ground_truth: Source,
    protocol: str | Protocol = "activitynet",
    tiou: str | float | Sequence[float] = DEFAULT_TIOU,
    *,
    selection: Selection = DEFAULT_SELECTION,
    cuts: str | Cuts = "quantiles",
) -> Explanation:
    """Evaluate detections, and explain the score; the arguments are those of `evaluate`.

    cuts: where the buckets of sensitivity end, a name of `sensitivity.CUTS` or one's own. Where the ground truth gives
    no durations, there is no coverage (None, and a note). Raises what `evaluate` raises, and ValueError for unknown
    cuts.
    """
    chosen = cuts_named(cuts) if isinstance(cuts, str) else cuts
    rules, thresholds = protocol_of(protocol), thresholds_of(tiou)
    inputs = read_inputs(predictions, ground_truth, selection, order_ends=rules.orders_ends)
    matched = match_inputs(inputs, rules, thresholds)
    evaluation = score_matches(matched)
    sensitivity, notes = measure_sensitivity(matched, chosen)
    return Explanation(
        evaluation=replace(evaluation, notes=[*evaluation.notes, *notes]),
        curves=_curves(matched),
        errors=find_errors(matched),
        sensitivity=sensitivity,
        proposals=proposal_recall(matched.matches.detections, matched.truth.instances),
        videos=video_scores(matched.matches, rules.interpolated),
    )


def shown_threshold(thresholds: Sequence[float]) -> int:
    """The index of the threshold to show where there is room for one: the nearest to 0.5."""
    return int(np.abs(np.asarray(thresholds) - 0.5).argmin())


def _curves(matched: MatchedInputs) -> Curves:
    matches, classes = matched.matches, matched.truth.classes
    n_instances = np.bincount(matched.truth.instances.label, minlength=len(classes))
    starts = np.searchsorted(matches.detections.label, np.arange(len(classes) + 1))
    curves = [
        [
            precision_recall(matches.instance[k, a:b] >= 0, matches.counted[k, a:b], n)
            for a, b, n in zip(starts, starts[1:], n_instances, strict=False)
        ]
        for k in range(len(matched.thresholds))
    ]
    return Curves(
        recall=percent(RECALLS),
        mean=np.stack([percent(mean_curve(of_classes)) for of_classes in curves]),
        per_class={label: [of_classes[c].percent() for of_classes in curves] for c, label in enumerate(classes)},
    )
