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
    introduction,
    legend,
    rules,
    series_of,
)
from amsx.report.run_groups import summarize

MAP_N = "mAP_N: as if every class had the same number of instances in a bucket (DETAD), so that buckets compare."


def errors(groups: ComparedGroups) -> str:
    """What the detections are, what each kind of error costs, curves, and what depends on the instances."""
    first = first_explanation(groups)
    k, kinds = first.shown, TYPES
    at = f"at tIoU {first.evaluation.tiou[k]:g}, {first_view(groups)}"
    ranks = [f"{g}G" for g in range(1, 11)]
    breakdown = []
    for place, group in groups:
        counts = np.sum([explanation_of(run).errors.counts[k] for run in group.runs], axis=0)  # (10, 6)
        shares = [(100 * row / row.sum()).tolist() if row.sum() else None for row in counts]
        chart = charts.stacks(
            ranks,
            kinds,
            shares,
            title=f"kinds of detections by rank, {group.name}",
            x_label="detections of each class by rank; G is how many instances it has",
            width=480,
        )
        breakdown.append(figure(f"<h4>{charts.key(place)}{escape(group.name)}</h4>{chart}", f"{rules(groups, at)}"))
    gain = charts.rows(
        kinds[1:],
        series_of(groups, lambda explanation: [explanation.errors.gain[kind].average for kind in kinds[1:]]),
        title="mAP gained without each kind of error",
        x_label=f"points of average mAP gained, were there none, {first_view(groups)}",
        width=760,
    )
    missed = [summarize([explanation_of(run).errors.missed_share[k] for run in group.runs]) for _, group in groups]
    lost = "; ".join(
        f"{escape(g.name)} {cell(m.mean, m.deviation)} %" for (_, g), m in zip(groups, missed, strict=True)
    )
    curve = charts.lines(
        series_of(groups, lambda explanation: explanation.curves.mean[k], x=first.curves.recall.tolist(), bars=False),
        title="precision over recall",
        x_label="recall (%)",
        y_label=f"precision (%), mean over classes, {at}",
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
    parts = [
        f"<p class='under'>{introduction(groups)}</p>",
        f"<h3>What the detections are</h3>{charts.kinds_legend(kinds)}<div class='grid'>{''.join(breakdown)}</div>",
        f"<h3>What each kind of error costs</h3>{legend(groups)}",
        figure(gain, f"{rules(groups)} Instances that no detection finds {at}: {lost}."),
        f"<h3>Precision and recall</h3>{legend(groups)}<div class='grid'>",
        figure(curve, rules(groups, at)),
        figure(recall, "The best-scored proposals, whatever their class."),
        f"</div><h3>What depends on the instances</h3>{legend(groups)}<div class='grid'>{_sensitivity(groups)}</div>",
    ]
    return "".join(parts)


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
            width=480,
        )
        figures.append(figure(chart, f"{rules(groups)} {MAP_N}"))
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
        return f"to {to:.3g}{unit}"
    return f"above {above:.3g}{unit}" if to is None else f"{above:.3g} to {to:.3g}{unit}"
