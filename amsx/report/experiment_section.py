"""The report's section on a folder of `amsx reproduce` as HTML: the paper's tables and figures. Text is escaped."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from amsx.experiments.reproduction import Reproduced
from amsx.experiments.results import (
    BRANCHES,
    Curve,
    curves_of_branches,
    curves_of_eta,
    curves_of_rows,
    deviation_of,
    last_rows,
    names_of_rows,
    paper_of,
    views_of_result,
)
from amsx.report import charts
from amsx.report.charts import Series
from amsx.report.experiment_tables import per_iteration, per_seed, per_tiou
from amsx.report.markup import facts, figure, rules_of

PARTS = {
    "whole": "whole schedule",
    "base": "phase zero, base branch",
    "supplementary": "phase zero, supplementary branch",
}
CHOSE_NOTHING = "0 is phase zero. No iteration is chosen by its score: the result is the last."
REPEATS = "Phase zero has no pseudo-labels yet: a row that uses them begins as the row without (\u2013)."


def experiments(found: Reproduced, name: str) -> str:
    """The section element with the id `name` about one folder."""
    parts = [_result(result, apart) for result, apart in zip(found.results, _apart(found.results), strict=True)]
    parts += [_strips(found.strips)] if found.strips else []
    return (
        f'<section id="{name}"><h2>The paper\'s experiments</h2>'
        f'<dl class="facts">{facts(found.data, "trainings", _trained(found))}</dl>'
        f"{''.join(parts)}{_trainings(found)}</section>"
    )


def _apart(results: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """For every result the settings, as "section.key=value", that not all of them have: of a folder scored anew."""
    settings = [
        {f"{section}.{name}": value for section, fields in result["config"].items() for name, value in fields.items()}
        for result in results
    ]
    return [
        [f"{name}={value}" for name, value in own.items() if any(other.get(name) != value for other in settings)]
        for own in settings
    ]


def _result(result: Mapping[str, Any], apart: Sequence[str]) -> str:
    """One table or figure: what was measured, the figures as a table and as a chart, every seed."""
    if result["key"] == "figure4":
        curves = {view: curves_of_branches(result, view) for view in views_of_result(result)}
        legend = charts.legend(list(BRANCHES), list(BRANCHES.values()))
        body = legend + _lines(result, curves, "iteration") + _same_as_table(per_iteration(result, curves))
    elif result["key"] == "figure5":
        curves = {view: curves_of_eta(result, view) for view in views_of_result(result)}
        body = _lines(result, curves, "eta") + _same_as_table(per_tiou(result))
    elif len({row["iteration"] for row in result["rows"]}) > 1:
        curves = {view: curves_of_rows(result, view) for view in views_of_result(result)}
        names = names_of_rows(result)
        body = (
            f"{per_iteration(result, curves)}{charts.legend(names, range(len(names)))}"
            f"{_lines(result, curves, 'iteration')}<h4>After the last iteration</h4>{per_tiou(result)}"
        )
    else:
        body = per_tiou(result) + _marks(result)
    seeds = _folded("Every seed", per_seed(result)) if result["seeds"] > 1 else ""
    return f"<h3>{escape(result['title'])}</h3><p class='under'>{_measured(result, apart)}</p>{body}{seeds}"


def _measured(result: Mapping[str, Any], apart: Sequence[str]) -> str:
    """What stands above a result: the rules, what was scored, how often, and how to read it."""
    views, seeds = views_of_result(result), result["seeds"]
    said = [
        rules_of(result),
        f"{result['data']['videos']['test']} test videos.",
        f"{seeds} seeds: mean ± standard deviation." if seeds > 1 else "One seed: no deviation, no error bars.",
    ]
    if len(views) > 1:
        said.append(f"Streams fused with beta {result['config']['localization']['beta']:g}.")
    if apart:
        said.append(f"Not all tables and figures here have the same settings; this one has {escape(', '.join(apart))}.")
    if len({row["iteration"] for row in result["rows"]}) > 1:
        said += [CHOSE_NOTHING, REPEATS] if result["key"].startswith("table") else [CHOSE_NOTHING]
    if any(paper_of(result, row["key"]) is not None for row in last_rows(result)):
        said.append("Beside them stand the paper's figures, as far as they are known, RGB and flow fused.")
    return " ".join(said)


def _lines(result: Mapping[str, Any], curves: Mapping[str, Sequence[Curve]], x_label: str) -> str:
    """A chart for every view."""
    figures = []
    for view, drawn in curves.items():
        chart = charts.lines(
            [_series(result, curve) for curve in drawn],
            title=f"{result['title']}, {view}",
            x_label=x_label,
            y_label=f"average mAP (%), {view}",
            x_ticks=sorted({x for curve in drawn for x in curve.points}),
            size=(760, 320) if len(curves) == 1 else (520, 300),
            apart=4,
        )
        figures.append(figure(chart, rules_of(result)))
    return f"<div class='grid'>{''.join(figures)}</div>"


def _series(result: Mapping[str, Any], curve: Curve) -> Series:
    x = sorted(curve.points)
    scores = [curve.points[at] for at in x]
    deviation = [deviation_of(result, score) for score in scores]
    return Series(curve.name, curve.style, [score["mean"] for score in scores], deviation, x=x)


def _marks(result: Mapping[str, Any]) -> str:
    """A table's rows under each other, a mark for every view."""
    rows, views = last_rows(result), views_of_result(result)
    series = []
    for i, view in enumerate(views):
        scores = [row["scores"][view] for row in rows]
        deviation = [deviation_of(result, score) for score in scores]
        series.append(Series(view, i, [score["mean"] for score in scores], deviation))
    chart = charts.rows(
        names_of_rows(result),
        series,
        title=result["title"],
        x_label=f"average mAP (%){f', {views[0]}' if len(views) == 1 else ''}; the axis need not begin at 0",
        width=760,
        from_zero=False,
    )
    legend = charts.legend(views, range(len(views))) if len(views) > 1 else ""
    return f"{legend}{figure(chart, rules_of(result))}"


def _strips(strips: Mapping[str, Sequence[Path]]) -> str:
    """Fig. 6. As images: an SVG inside a page would share its style sheet and its ids with everything else there."""
    parts = []
    for stream, paths in strips.items():
        figures = []
        for path in paths:
            data = base64.b64encode(path.read_bytes()).decode()
            about = f"{escape(path.stem)}, {escape(stream)}"
            picture = f'<img class="still" alt="strips of {about}" src="data:image/svg+xml;base64,{data}">'
            figures.append(figure(picture, f"{about}, seed 0, after the last iteration."))
        parts.append(f'<details class="stills" open><summary>{escape(stream)}</summary>{"".join(figures)}</details>')
    return f"<h3>Fig. 6, what AMS does to single videos</h3>{''.join(parts)}"


def _trainings(found: Reproduced) -> str:
    """What was trained, how often, how long, and where each cell lies."""
    if not found.trainings:
        return ""
    rows = []
    for training in found.trainings:
        seconds, folders = training.seconds, training.folders
        differs = "<br>".join(f"<code>{escape(line)}</code>" for line in training.settings) or "all of AMS"
        places = "".join(f"<li><code>{escape(str(path))}</code></li>" for path in folders)
        cells = [
            escape(PARTS.get(training.part, training.part)),
            escape(training.stream),
            f"{len(seconds)} of {len(folders)}",
            f"{sum(seconds) / len(seconds):.0f} s" if seconds else "\u2013",
            f"<details><summary>{len(folders)} folders</summary><ul>{places}</ul></details>",
        ]
        entries = "".join(f"<td>{text}</td>" for text in cells)
        rows.append(f'<tr><th scope="row">{differs}</th>{entries}</tr>')
    columns = ("differs in", "part", "stream", "finished", "mean time", "where")
    heads = "".join(f'<th scope="col">{name}</th>' for name in columns)
    table = (
        f'<div class="scroll"><table class="settings"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
    return f"<h3>Trainings</h3>{_folded('What was trained, and where it is', table)}"


def _trained(found: Reproduced) -> str:
    every = sum(len(training.folders) for training in found.trainings)
    seconds = [spent for training in found.trainings for spent in training.seconds]
    if not every:
        return "none in this folder"
    whole = f"{sum(seconds) / 3600:.1f} h" if sum(seconds) > 3600 else f"{sum(seconds) / 60:.0f} min"
    return f"{len(seconds)} of {every} finished, {whole} in all"


def _same_as_table(table: str) -> str:
    return _folded("The same as a table", table)


def _folded(summary: str, body: str) -> str:
    return f"<details><summary>{escape(summary)}</summary>{body}</details>"
