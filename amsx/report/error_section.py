"""The report's section on errors as HTML: what the detections are, what errors cost, what depends on the instances."""

from collections.abc import Callable
from html import escape

import numpy as np

from amsx.evaluation.errors import TYPES
from amsx.evaluation.explain import Explanation
from amsx.evaluation.sensitivity import Bucket
from amsx.report import charts
from amsx.report.markup import (
    ComparedGroups,
    cell,
    explanation_of,
    figure,
    first_explanation,
    first_view,
    legend,
    series_of,
)
from amsx.report.run_groups import Group, summarize

MAP_N = (
    "mAP_N is the normalized mAP of DETAD: it counts as if every class had the same number of instances in a bucket, "
    "so that buckets can be compared."
)


def errors(groups: ComparedGroups) -> str:
    """What the detections are, what each kind of error costs, curves, and what depends on the instances."""
    first = first_explanation(groups)
    k, several = first.shown, len(groups) > 1
    at = f"at tIoU {first.evaluation.tiou[k]:g}"
    gain = charts.rows(
        TYPES[1:],
        series_of(groups, lambda explanation: [explanation.errors.gain[kind].average for kind in TYPES[1:]]),
        title="mAP gained without each kind of error",
        x_label=f"points of average mAP that would be gained if there were none, {first_view(groups)}",
        boxes=[charts.kind_key(1 + i) for i in range(len(TYPES) - 1)],
        score=False,
    )
    curve = charts.lines(
        series_of(groups, lambda explanation: explanation.curves.mean[k], x=first.curves.recall.tolist(), bars=False),
        title="precision over recall",
        x_label="recall (%)",
        y_label=f"precision (%), mean over classes, {at}, {first_view(groups)}",
        x_ticks=[0, 20, 40, 60, 80, 100],
        y_range=(0, 100),
        marks=False,
    )
    recall = charts.lines(
        series_of(groups, lambda explanation: explanation.proposals.average, x=first.proposals.number, bars=False),
        title="recall over the number of proposals",
        x_label="proposals per video, on average",
        y_label="recall (%), average over tIoU "
        f"{first.proposals.tiou[0]:g} to {first.proposals.tiou[-1]:g}, {first_view(groups)}",
        y_range=(0, 100),
        marks=False,
    )
    breakdown = "".join(_kinds(place, group, k, several) for place, group in groups)
    parts = [
        f"<h3>What the detections are</h3>{charts.kinds_legend(TYPES)}<div class='grid'>{breakdown}</div>",
        f"<p class='under'>The kinds of detections are counted {at}, {first_view(groups)}.</p>",
        f"<h3>What each kind of error costs</h3>{legend(groups)}{figure(gain, _missed(groups, k))}",
        f"<h3>Precision and recall</h3>{legend(groups)}<div class='grid'>{figure(curve)}",
        figure(recall, "The proposals with the best scores count, whatever their class."),
        f"</div><h3>What depends on the instances</h3>{legend(groups)}<div class='grid'>{_sensitivity(groups)}</div>",
        f"<p class='under'>{MAP_N}</p>",
    ]
    return "".join(parts)


def _kinds(place: int, group: Group, k: int, named: bool) -> str:
    """The kinds of detections of one configuration by their rank; `named`: under its name."""
    counts = np.sum([explanation_of(run).errors.counts[k] for run in group.runs], axis=0)  # (10, 6)
    chart = charts.stacks(
        [f"{g}G" for g in range(1, len(counts) + 1)],
        TYPES,
        [(100 * row / row.sum()).tolist() if row.sum() else None for row in counts],
        title=f"kinds of detections by rank, {group.name}",
        x_label="rank in the class, in multiples of its G instances",
        y_label="share of the detections (%)",
    )
    name = f"<h4>{charts.key(place)}<bdi>{escape(group.name)}</bdi></h4>" if named else ""
    return figure(f"{name}{chart}")


def _missed(groups: ComparedGroups, k: int) -> str:
    """A sentence on the instances that no detection finds."""
    at = f"{first_explanation(groups).evaluation.tiou[k]:g}"
    shares = []
    for _, group in groups:
        share = summarize([explanation_of(run).errors.missed_share[k] for run in group.runs])
        whose = f" of {escape(group.name)}" if len(groups) > 1 else ""
        shares.append(f"{cell(share.mean, share.deviation)} %{whose}")
    return f"Share of the instances that no detection finds at tIoU {at}: {', '.join(shares)}."


def _sensitivity(groups: ComparedGroups) -> str:
    figures = []
    for name, sensitivity in first_explanation(groups).sensitivity.characteristics.items():
        if sensitivity is None:
            continue
        buckets = sensitivity.buckets
        chart = charts.rows(
            [bucket.name for bucket in buckets],
            series_of(groups, _bucket_scores(name)),
            title=f"normalized mAP by {name}",
            x_label=f"mAP_N (%), average over tIoU, by {name}",
            notes=[_range(bucket, name) for bucket in buckets],
        )
        figures.append(figure(chart))
    return "".join(figures)


def _bucket_scores(name: str) -> Callable[[Explanation], list[float | None]]:
    def averages(explanation: Explanation) -> list[float | None]:
        characteristic = explanation.sensitivity.characteristics[name]
        buckets = characteristic.buckets if characteristic else []
        return [bucket.score.average if bucket.score else None for bucket in buckets]

    return averages


def _range(bucket: Bucket, name: str) -> str:
    unit = {"length": " s", "coverage": ""}.get(name, "")
    above, to = bucket.above, bucket.to
    if above is None and to is None:
        return "all"
    if above is None:
        return f"up to {to:.3g}{unit}"
    return f"above {above:.3g}{unit}" if to is None else f"{above:.3g} to {to:.3g}{unit}"
