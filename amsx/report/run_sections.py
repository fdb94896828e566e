"""The report's sections on results, classes, training and settings as HTML. Text from data is escaped."""

import json
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from amsx.localization.fusion import FUSED
from amsx.report import charts
from amsx.report.charts import Bands, Series
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
    without_nan,
)
from amsx.report.run_groups import Group, Run, summarize, views_of
from amsx.training.config import to_dict
from amsx.training.epoch_log import TERMS, EpochRecord
from amsx.training.phases import schedule

LATER = (
    "Scores after every iteration were computed for this report and chose nothing: the result is the last iteration, "
    "whatever the curve says. 0 is phase zero."
)
TERM_NAMES = {
    "classification": "classification",
    "cas_classification": "CAS classification",
    "similarity": "co-activity similarity",
    "localization": "localization (pseudo-labels)",
}


def results(groups: ComparedGroups) -> str:
    """mAP per threshold and on average, of every view, as a table; the first view as a chart."""
    tiou = first_explanation(groups).evaluation.tiou
    heads = "".join(f'<th scope="col">{t:g}</th>' for t in tiou)
    bodies: list[str] = []
    for view in views_of(groups[0][1].runs[0].streams):
        rows = []
        for place, group in groups:
            scores = [run.explanations[view].evaluation for run in group.runs]
            summary = summarize([[*score.mean_ap, score.average] for score in scores])
            cells = [cell(m, _at(summary.deviation, i)) for i, m in enumerate(summary.mean)]
            cells[-1] = f"<strong>{cells[-1]}</strong>"
            name = (
                f'<th scope="row">{charts.key(place)}{escape(group.name)}</th><td class="count">{len(group.runs)}</td>'
            )
            rows.append(f"<tr>{name}{''.join(f'<td>{text}</td>' for text in cells)}</tr>")
        what = "all streams fused" if view == FUSED else "the only stream" if not bodies else "stream alone"
        head = f'<th colspan="{len(tiou) + 3}" scope="rowgroup">{escape(view)} <span>{what}</span></th>'
        bodies.append(f'<tbody><tr class="view">{head}</tr>{"".join(rows)}</tbody>')
    table = (
        f'<div class="scroll"><table class="figures"><thead><tr><th scope="col">mAP (%) at tIoU</th>'
        f'<th scope="col">seeds</th>{heads}<th scope="col">average</th></tr></thead>{"".join(bodies)}</table></div>'
    )
    chart = charts.lines(
        series_of(groups, lambda explanation: explanation.evaluation.mean_ap, x=tiou),
        title="mAP over tIoU of every configuration",
        x_label="tIoU",
        y_label=f"mAP (%), {first_view(groups)}",
        x_ticks=tiou,
    )
    parts = [figure(chart, rules(groups)), figure(_iterations(groups), f"{rules(groups)} {LATER}")]
    return f"<p class='under'>{introduction(groups)}</p>{table}{legend(groups)}<div class='grid'>{''.join(parts)}</div>"


def classes(groups: ComparedGroups) -> str:
    """AP per class: a chart sorted by the first configuration, and the figures as a table."""
    counts = first_explanation(groups).evaluation.per_class
    names = sorted(counts, key=lambda label: (-_mean_ap(groups[0][1], label), label))
    series = series_of(groups, lambda explanation: [explanation.evaluation.per_class[label].average for label in names])
    chart = charts.rows(
        names,
        series,
        title="average AP of every class",
        x_label=f"AP (%), average over tIoU, {first_view(groups)}",
        width=760,
    )
    head = "".join(f'<th scope="col">{charts.key(place)}{escape(g.name)}</th>' for place, g in groups)
    rows = []
    for i, label in enumerate(names):
        cells = "".join(f"<td>{cell(s.y[i], None if s.deviation is None else s.deviation[i])}</td>" for s in series)
        rows.append(f'<tr><th scope="row">{escape(label)}</th>{cells}</tr>')
    table = (
        '<details><summary>The same as a table</summary><div class="scroll"><table class="figures"><thead><tr>'
        f'<th scope="col">AP (%), average</th>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div></details>'
    )
    return f"<p class='under'>{introduction(groups)}</p>{legend(groups)}{figure(chart, rules(groups))}{table}"


def training(groups: Sequence[Group]) -> str:
    """The losses of every epoch, of every configuration, stream and branch; the mean over the seeds."""
    parts = []
    for place, group in enumerate(groups):
        figures = []
        for stream in group.runs[0].streams:
            logs = [run.log[stream] for run in group.runs if run.log[stream]]
            if not logs:
                figures.append(f"<p>{escape(stream)}: no log in this run.</p>")
                continue
            branches = [b for b in ("base", "supplementary") if any(record.trains == b for record in logs[0])]
            figures += [_losses(logs, stream, branch, group.runs[0]) for branch in branches]
        parts.append(f"<h3>{charts.key(place)}{escape(group.name)}</h3><div class='grid'>{''.join(figures)}</div>")
    sums = [sum(record.seconds for log in run.log.values() for record in log) for g in groups for run in g.runs]
    seconds = [spent for spent in sums if spent > 0]
    spent = f"Training took {min(seconds):.0f} to {max(seconds):.0f} s a run, all streams together." if seconds else ""
    line = '<svg width="22" height="10" aria-hidden="true"><path class="line t{}" d="M1 5H21"/></svg>'
    kinds = "".join(f"<li>{line.format(i)}{name}</li>" for i, name in enumerate(TERM_NAMES.values()))
    return f'<p class="under">{spent} Bands are iterations.</p><ul class="legend">{kinds}</ul>{"".join(parts)}'


def settings(groups: Sequence[Group]) -> str:
    """Which run directories there are, how the configurations differ, and the first one's whole configuration."""
    rows = []
    for place, group in enumerate(groups):
        runs = "".join(
            f"<li><code>{escape(str(run.folder))}</code> seed {run.config.optimization.seed}</li>" for run in group.runs
        )
        differs = "<br>".join(f"<code>{escape(line)}</code>" for line in group.settings)
        differs = differs or "the others are compared with it"
        name = f'<th scope="row">{charts.key(place)}{escape(group.name)}</th>'
        rows.append(f"<tr>{name}<td>{differs}</td><td><ul>{runs}</ul></td></tr>")
    data = groups[0].runs[0].data
    whole = json.dumps({"data": dict(data), "config": to_dict(groups[0].runs[0].config)}, indent=1)
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("configuration", "differs in", "runs"))
    return (
        f'<div class="scroll"><table class="settings"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
        f"<details><summary>The whole configuration of {escape(groups[0].name)}</summary>"
        f"<pre>{escape(whole)}</pre></details>"
    )


def _losses(logs: Sequence[Sequence[EpochRecord]], stream: str, branch: str, run: Run) -> str:
    epochs = min(len(log) for log in logs)
    edges, names, done = [0.5], [], 0
    for iteration in range(run.config.phases.iterations + 1):
        done += sum(p.epochs for p in schedule(run.config.phases) if p.iteration == iteration)
        edges.append(done + 0.5)
        names.append(str(iteration))
    series = []
    for i, term in enumerate(TERMS[1:]):
        values: list[float | None] = []
        for epoch in range(epochs):
            record = logs[0][epoch]
            trained = record.trains == branch and (term != "localization" or record.phase != "zero")
            values.append(float(np.mean([log[epoch].term(term) for log in logs])) if trained else None)
        if any(values):
            series.append(Series(TERM_NAMES[term], i, values, x=list(range(1, epochs + 1))))
    chart = charts.lines(
        series,
        title=f"losses of the {branch} branch, {stream}",
        x_label="epoch",
        y_label=f"{stream}, {branch} branch: loss",
        bands=Bands([min(e, epochs) for e in edges], names),
        marks=False,
        size=(480, 230),
        palette="t",
    )
    seeds = f"mean of {len(logs)} seeds" if len(logs) > 1 else "one seed"
    return figure(chart, f"training videos, {seeds}")


def _iterations(groups: ComparedGroups) -> str:
    """mAP per iteration in the manner of Fig. 4, for the configurations that kept their iterations."""
    series = []
    view = first_view(groups)
    for place, group in groups:
        scores = [run.iteration_scores(view) for run in group.runs]
        shared = sorted(set.intersection(*(set(s) for s in scores)))
        if shared:
            summary = summarize([[s[i] for i in shared] for s in scores])
            series.append(Series(group.name, place, summary.mean.tolist(), without_nan(summary.deviation), x=shared))
    if not series:
        return "<p>No run kept its iterations.</p>"
    longest = max((list(s.x) for s in series), key=len)
    return charts.lines(
        series,
        title="average mAP after every iteration",
        x_label="iteration",
        y_label=f"average mAP (%), {view}",
        x_ticks=longest,
    )


def _mean_ap(group: Group, label: str) -> float:
    return float(np.mean([explanation_of(run).evaluation.per_class[label].average for run in group.runs]))


def _at(values: Any, index: int) -> float | None:
    return None if values is None else float(values[index])
