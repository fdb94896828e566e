"""Why a score is what it is: curves, errors, sensitivity and recall of proposals, beside the score itself."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from amsx.evaluation import sensitivity
from amsx.evaluation.ambiguous import Spans
from amsx.evaluation.curves import RECALLS, mean_curve, precision_recall
from amsx.evaluation.errors import TYPES, bucket_counts, error_types, gains, total_counts
from amsx.evaluation.labels import ClassList
from amsx.evaluation.protocols import Protocol
from amsx.evaluation.recall import MOST, THRESHOLDS, proposal_recall
from amsx.evaluation.records import Source
from amsx.evaluation.scoring import Judged, judge, summary
from amsx.evaluation.sensitivity import Cuts
from amsx.evaluation.tiou import DEFAULT_TIOU

_DECIMALS = 4  # of points of curves, in percent: they are many


def explain(
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
    cuts: str | Cuts = "quantiles",
) -> dict[str, Any]:
    """What `evaluate` returns, of the same arguments, and why: a plain dict, ready for JSON. Figures in percent.

    cuts: where the buckets of sensitivity end, a name of `sensitivity.CUTS` or one's own. Where the ground truth gives
    no durations, there is no coverage (None, and a note). With K thresholds, there is beside the result of `evaluate`:

    curves       recall [101]; mean [K][101], the classes' mean interpolated precision there; per_class: label -> [K]
                 of recall, precision and envelope at its true positives, see `curves.Curve` (four decimals)
    errors       types [6], see `errors`; counts and shares [K][10][6] of the detections ranked g * G to (g + 1) * G in
                 their class, G its instances (a row of shares is None where there are none); all: counts and
                 shares [K][6] of every detection; gain: type -> mAP [K] and average, in points, were there none of
                 the type; missed: instances [K] and share [K] that nothing found
    sensitivity  cuts, their name; instances_per_class, the N of mAP_N; overall: mAP_N [K], average, missed [K];
                 characteristics: length, coverage, instances per video -> left_out (instances without a value), and
                 buckets: name, above, to, instances, classes, mAP_N [K], average, missed [K] (None where empty)
    proposals    tiou [10]; number [100], of proposals per video; recall [100], the average over tiou; per_tiou
                 [10][100]; area, under recall; available, proposals per video; videos

    Raises what `evaluate` raises, and ValueError for unknown cuts.
    """
    chosen = sensitivity.cuts_named(cuts) if isinstance(cuts, str) else cuts
    judged = judge(predictions, ground_truth, protocol, tiou, subset, videos, exclude, ambiguous, labels)
    result = summary(judged)
    sensitive, notes = _sensitivity(judged, chosen)
    return {
        **result,
        "curves": _curves(judged),
        "errors": _errors(judged),
        "sensitivity": sensitive,
        "proposals": _proposals(judged),
        "notes": [*result["notes"], *notes],
    }


def shown_threshold(thresholds: Sequence[float]) -> int:
    """The index of the threshold to show where there is room for one: the nearest to 0.5."""
    return int(np.abs(np.asarray(thresholds) - 0.5).argmin())


def _instances_per_class(judged: Judged) -> np.ndarray:
    return np.bincount(judged.truth.instances.label, minlength=len(judged.truth.classes))


def _curves(judged: Judged) -> dict[str, Any]:
    outcome, n_instances = judged.outcome, _instances_per_class(judged)
    starts = np.searchsorted(outcome.detections.label, np.arange(len(n_instances) + 1))
    curves = [
        [
            precision_recall(outcome.instance[k, a:b] >= 0, outcome.counted[k, a:b], n)
            for a, b, n in zip(starts, starts[1:], n_instances, strict=False)
        ]
        for k in range(len(judged.thresholds))
    ]
    return {
        "recall": _percent(RECALLS),
        "mean": [_percent(mean_curve(of_classes)) for of_classes in curves],
        "per_class": {
            label: [
                {name: _percent(getattr(of_classes[c], name)) for name in ("recall", "precision", "envelope")}
                for of_classes in curves
            ]
            for c, label in enumerate(judged.truth.classes)
        },
    }


def _percent(values: np.ndarray) -> list[float]:
    return np.round(100 * values, _DECIMALS).tolist()


def _errors(judged: Judged) -> dict[str, Any]:
    outcome, n_instances = judged.outcome, _instances_per_class(judged)
    labels = outcome.detections.label
    kinds = error_types(outcome, judged.rules, judged.thresholds)
    counts, everything = bucket_counts(kinds, labels, n_instances), total_counts(kinds)
    gain = gains(kinds, labels, n_instances, judged.rules.interpolated)
    found = (outcome.instance >= 0).sum(axis=1)
    n_missed = len(outcome.instances) - found
    return {
        "types": list(TYPES),
        "counts": counts.tolist(),
        "shares": [[_shares(row) for row in of_threshold] for of_threshold in counts],
        "all": {"counts": everything.tolist(), "shares": [_shares(row) for row in everything]},
        "gain": {
            name: {"mAP": (100 * points).tolist(), "average": 100 * float(points.mean())}
            for name, points in gain.items()
        },
        "missed": {"instances": n_missed.tolist(), "share": (100 * n_missed / len(outcome.instances)).tolist()},
    }


def _shares(counts: np.ndarray) -> list[float] | None:
    total = counts.sum()
    return (100 * counts / total).tolist() if total else None


def _sensitivity(judged: Judged, cuts: Cuts) -> tuple[dict[str, Any], list[str]]:
    outcome, truth, interpolated = judged.outcome, judged.truth, judged.rules.interpolated
    n_classes, notes = len(truth.classes), []
    everything = np.ones(len(outcome.instances), dtype=bool)
    overall = sensitivity.normalized_map(outcome, n_classes, everything, interpolated)
    found: dict[str, Any] = {}
    for name, values, of_characteristic in sensitivity.characteristics(truth, cuts):
        unknown = int(np.isnan(values).sum())
        if unknown:
            notes.append(f"{unknown} instances of no known {name}: the ground truth gives no duration of their videos")
        if unknown == len(values):
            found[name] = None
            continue
        buckets = sensitivity.buckets(outcome, n_classes, values, of_characteristic, interpolated)
        found[name] = {"left_out": unknown, "buckets": [_bucket(bucket) for bucket in buckets]}
    return {
        "cuts": cuts.name,
        "instances_per_class": len(everything) / n_classes,
        "overall": {
            "mAP_N": (100 * overall).tolist(),
            "average": 100 * float(overall.mean()),
            "missed": (100 * sensitivity.missed(outcome, everything)).tolist(),
        },
        "characteristics": found,
    }, notes


def _bucket(bucket: sensitivity.Bucket) -> dict[str, Any]:
    scores, missed = bucket.normalized_map, bucket.missed
    return {
        "name": bucket.name,
        "above": bucket.above,
        "to": bucket.to,
        "instances": bucket.n_instances,
        "classes": bucket.n_classes,
        "mAP_N": None if scores is None else (100 * scores).tolist(),
        "average": None if scores is None else 100 * float(scores.mean()),
        "missed": None if missed is None else (100 * missed).tolist(),
    }


def _proposals(judged: Judged) -> dict[str, Any]:
    found = proposal_recall(judged.outcome.detections, judged.truth.instances)
    return {
        "tiou": list(THRESHOLDS),
        "number": list(range(1, MOST + 1)),
        "recall": (100 * found.average).tolist(),
        "per_tiou": (100 * found.recall).tolist(),
        "area": 100 * found.area,
        "available": found.available,
        "videos": found.n_videos,
    }
