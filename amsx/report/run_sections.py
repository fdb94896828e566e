"""The report's sections on results, classes, training and settings as HTML. Text from data is escaped."""

import json
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from amsx.report import charts
from amsx.report.charts import Bands, Series
from amsx.report.markup import (
    ComparedGroups,
    cell,
    explanation_of,
    figure,
    first_explanation,
    first_view,
    folded,
    introduction,
    legend,
    name_cell,
    scrolling,
    series_of,
    view_row,
    without_nan,
)
from amsx.report.run_groups import Group, Run, summarize, views_of
from amsx.training.config import to_dict
from amsx.training.epoch_log import TERMS, EpochRecord
from amsx.training.phases import schedule
from amsx.training.stopping import CRITERIA

LATER = (
    "The scores after the earlier iterations were computed for this report, and nothing was chosen by them: the result "
    "is that of the last iteration. Iteration 0 is phase zero."
)
TERM_NAMES = {
    "classification": "classification",
    "cas_classification": "CAS classification",
    "similarity": "co-activity similarity",
    "localization": "localization (pseudo-labels)",
}


def results(groups: ComparedGroups) -> str:
    """mAP on average and per threshold, of every view, as a table; the first view as a chart."""
    tiou = first_explanation(groups).evaluation.tiou
    heads = "".join(f'<th scope="col">@{t:g}</th>' for t in tiou)
    bodies: list[str] = []
    views = views_of(groups[0][1].runs[0].streams)
    for view in views:
        rows = []
        for place, group in groups:
            scores = [run.explanations[view].evaluation for run in group.runs]
            summary = summarize([[score.average, *score.mean_ap] for score in scores])
            average, *cells = [cell(m, _at(summary.deviation, i)) for i, m in enumerate(summary.mean)]
            figures = "".join(f"<td>{text}</td>" for text in (f"<strong>{average}</strong>", *cells))
            rows.append(
                f'<tr>{name_cell(group.name, charts.key(place))}{figures}<td class="count">{len(group.runs)}</td></tr>'
            )
        bodies.append(f"<tbody>{view_row(view, len(tiou) + 3, len(views) == 1)}{''.join(rows)}</tbody>")
    table = scrolling(
        '<table class="figures"><thead><tr><th scope="col">mAP (%) at tIoU</th><th scope="col">average</th>'
        f'{heads}<th scope="col">seeds</th></tr></thead>{"".join(bodies)}</table>',
        "mAP of every configuration",
    )
    chart = charts.lines(
        series_of(groups, lambda explanation: explanation.evaluation.mean_ap, x=tiou),
        title="mAP over tIoU of every configuration",
        x_label="tIoU",
        y_label=f"mAP (%), {first_view(groups)}",
        x_ticks=tiou,
    )
    parts = [figure(chart), _iterations(groups)]
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
        notes=[str(counts[label].instances) for label in names],
    )
    head = "".join(f'<th scope="col">{charts.key(place)}<bdi>{escape(g.name)}</bdi></th>' for place, g in groups)
    rows = []
    for i, label in enumerate(names):
        cells = "".join(f"<td>{cell(s.y[i], None if s.deviation is None else s.deviation[i])}</td>" for s in series)
        rows.append(f'<tr>{name_cell(label)}{cells}<td class="count">{counts[label].instances}</td></tr>')
    table = scrolling(
        f'<table class="figures"><thead><tr><th scope="col">average AP (%)</th>{head}<th scope="col">instances</th>'
        f"</tr></thead><tbody>{''.join(rows)}</tbody></table>",
        "average AP of every class",
    )
    best = f", the best of {escape(groups[0][1].name)} first" if len(groups) > 1 else ", the best first"
    under = f"The classes{best}; the small number behind a class is how many instances it has."
    return f"{legend(groups)}{figure(chart, under)}{folded('The same as a table', table)}"


def training(groups: Sequence[Group]) -> str:
    """The losses of every epoch, of every configuration, stream and branch; the mean over the seeds."""
    parts = []
    for place, group in enumerate(groups):
        figures = []
        for stream in group.runs[0].streams:
            logs = [run.log[stream] for run in group.runs if run.log[stream]]
            if not logs:
                figures.append(f"<p>This run holds no log of the stream {escape(stream)}.</p>")
                continue
            branches = [b for b in ("base", "supplementary") if any(record.trains == b for record in logs[0])]
            figures += [_losses(logs, stream, branch, group.runs[0]) for branch in branches]
        name = f"<h3>{charts.key(place)}<bdi>{escape(group.name)}</bdi></h3>" if len(groups) > 1 else ""
        parts.append(f"{name}{_chosen_epochs(group)}<div class='grid'>{''.join(figures)}</div>")
    line = '<svg class="key" width="22" height="10" aria-hidden="true"><path class="line t{}" d="M1 5H21"/></svg>'
    kinds = "".join(f"<li>{line.format(i)}{name}</li>" for i, name in enumerate(TERM_NAMES.values()))
    most = max(len(group.runs) for group in groups)
    mean = "Every curve is the mean over the seeds. " if most > 1 else ""
    under = (
        f"{_time_spent(groups)}The losses are those of the training videos, epoch by epoch. {mean}"
        "The numbers above the bands are iterations; 0 is phase zero."
    )
    return f'<p class="under">{under}</p><ul class="legend">{kinds}</ul>{"".join(parts)}'


def settings(groups: Sequence[Group]) -> str:
    """Which run directories there are, how the configurations differ, and the first one's whole configuration."""
    several = len(groups) > 1
    rows = []
    for place, group in enumerate(groups):
        runs = "".join(
            f"<li><code>{escape(str(run.folder))}</code> with seed {run.config.optimization.seed}</li>"
            for run in group.runs
        )
        differs = "<br>".join(f"<code>{escape(line)}</code>" for line in group.settings)
        differs = differs or "the configuration that the others are compared with"
        columns = [differs, f"<ul>{runs}</ul>"] if several else [f"<ul>{runs}</ul>"]
        cells = "".join(f"<td>{text}</td>" for text in columns)
        rows.append(f"<tr>{name_cell(group.name, charts.key(place))}{cells}</tr>")
    data = groups[0].runs[0].data
    whole = json.dumps({"data": dict(data), "config": to_dict(groups[0].runs[0].config)}, indent=1, ensure_ascii=False)
    names = ("configuration", "differs in", "runs") if several else ("configuration", "runs")
    heads = "".join(f'<th scope="col">{name}</th>' for name in names)
    table = scrolling(
        f'<table class="settings"><thead><tr>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table>',
        "configurations and their runs",
    )
    summary = f"The whole configuration of {groups[0].name}" if several else "The whole configuration"
    return table + _retests(groups) + folded(summary, f'<pre tabindex="0">{escape(whole)}</pre>')


def _retests(groups: Sequence[Group]) -> str:
    """The retests of the runs with their settings and scores; empty where there is none."""
    rows = []
    for run in (run for group in groups for run in group.runs):
        for retest in run.retests:
            changes = "<br>".join(f"<code>{escape(line)}</code>" for line in retest.changes)
            head = name_cell(str(run.folder / retest.name))
            rows.append(f"<tr>{head}<td>{changes}</td><td>{cell(retest.average, None)}</td></tr>")
    if not rows:
        return ""
    names = ("retest", "value of the run, value of the retest", "average mAP (%)")
    heads = "".join(f'<th scope="col">{name}</th>' for name in names)
    table = f'<table class="settings"><thead><tr>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    under = "What amsx test made of the runs with other settings of localization and evaluation."
    return f'<h3>Retests</h3><p class="under">{under}</p>{scrolling(table, "retests")}'


def _time_spent(groups: Sequence[Group]) -> str:
    """A sentence on how long training took, empty where no run says it."""
    sums = [sum(record.seconds for log in run.log.values() for record in log) for g in groups for run in g.runs]
    spent = [f"{seconds:.0f}" for seconds in sorted(sums) if seconds > 0]
    if not spent:
        return ""
    streams = ", all streams together" if len(groups[0].runs[0].streams) > 1 else ""
    if len(sums) == 1:
        return f"Training took {spent[0]} s{streams}. "
    span = spent[0] if spent[0] == spent[-1] else f"{spent[0]} to {spent[-1]}"
    return f"Training took {span} s for each run{streams}. "


def _chosen_epochs(group: Group) -> str:
    """Which epochs the runs kept and why, where they chose them."""
    lines = []
    for run in group.runs:
        if run.stopping is None:
            continue
        streams = ", ".join(
            f"{escape(stream)}: epoch {chosen.epoch} of {chosen.trained} ({chosen.validation:.1f} %)"
            for stream, chosen in run.stopping.chosen.items()
        )
        seed = f"Seed {run.config.optimization.seed}: " if len(group.runs) > 1 else ""
        lines.append(
            f"{seed}the model was chosen on {len(run.stopping.held_out)} held-out training videos by their "
            f"{CRITERIA[run.config.stopping.on]}. {streams}."
        )
    return "".join(f'<p class="under">{line[0].upper()}{line[1:]}</p>' for line in lines)


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
        y_label=f"loss of the {branch} branch, {stream}",
        bands=Bands([min(e, epochs) for e in edges], names),
        marks=False,
        score=False,
        height=180,
        palette="t",
    )
    return figure(chart)


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
        return "<p>No run kept the activations of its iterations, so there is no curve over them.</p>"
    longest = max((list(s.x) for s in series), key=len)
    if len(longest) == 1:
        return ""  # a schedule without iterations
    chart = charts.lines(
        series,
        title="average mAP after every iteration",
        x_label="iteration",
        y_label=f"average mAP (%), {view}",
        x_ticks=longest,
    )
    return figure(chart, LATER)


def _mean_ap(group: Group, label: str) -> float:
    return float(np.mean([explanation_of(run).evaluation.per_class[label].average for run in group.runs]))


def _at(values: Any, index: int) -> float | None:
    return None if values is None else float(values[index])
