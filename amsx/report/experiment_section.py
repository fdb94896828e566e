"""The report's section on a folder of `amsx reproduce` as HTML: the paper's tables and figures. Text is escaped."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from amsx.experiments.reproduction import Reproduction
from amsx.experiments.results import BOTH, Curve, Result, SeedScores, branch_curves, eta_curve, row_curves
from amsx.report import charts
from amsx.report.charts import Series
from amsx.report.experiment_tables import fused_first, per_difference, per_iteration, per_seed, per_tiou, per_warp
from amsx.report.markup import counted, facts, figure, folded, rules_of, scrolling, spread_sentence
from amsx.training.config import to_dict

PARTS = {
    "whole": "the whole schedule",
    "base": "phase zero of the base branch",
    "supplementary": "phase zero of the supplementary branch",
}
BRANCH_STYLES = {BOTH: 4, "base": 0, "supplementary": 1}  # curve of Fig. 4 -> its style: the timelines' colours
CHOSE_NOTHING = "Iteration 0 is phase zero. No iteration is chosen by its score: the result is that of the last."
REPEATS = "Phase zero has no pseudo-labels, so a row that uses them has no score of its own there (\u2013)."


def experiments(reproduction: Reproduction, name: str) -> str:
    """The section element with the id `name` about one folder."""
    results = reproduction.results
    shared = {_rules(result) for result in results}
    above = f"<p class='under'>{shared.pop()}</p>" if len(shared) == 1 else ""
    parts = [
        _result(result, differing, ruled=not above)
        for result, differing in zip(results, differing_settings(results), strict=True)
    ]
    parts += [_strips(reproduction.strips)] if reproduction.strips else []
    return (
        f'<section id="{name}"><h2>The paper\'s experiments</h2>'
        f'<dl class="facts">{facts(reproduction.data, "trainings", _trained(reproduction))}</dl>'
        f"{above}{''.join(parts)}{_trainings(reproduction)}</section>"
    )


def differing_settings(results: Sequence[Result]) -> list[list[str]]:
    """For every result its settings, as "section.key=value", that not all of them share.

    Results differ in settings where some of a folder's tables were scored again with others.
    """
    settings = [
        {f"{section}.{name}": value for section, fields in to_dict(r.config).items() for name, value in fields.items()}
        for r in results
    ]
    return [
        [f"{name}={value}" for name, value in own.items() if any(other.get(name) != value for other in settings)]
        for own in settings
    ]


def _result(result: Result, differing: Sequence[str], ruled: bool) -> str:
    """One table or figure: what was measured, the scores as a table and as a chart, every seed.

    `ruled`: the rules that it was scored under are said here, because they are not those of all.
    """
    views = fused_first(result)
    if result.key == "figure4":
        names, styles = list(BRANCH_STYLES), list(BRANCH_STYLES.values())
        curves = {view: branch_curves(result, view) for view in views}
        table = folded("The same as a table", per_iteration(result, curves, styles))
        body = charts.legend(names, styles) + _lines(result, curves, styles, "iteration") + table
    elif result.key == "figure5":
        curves = {view: [eta_curve(result, view)] for view in views}
        body = _lines(result, curves, [0], "eta") + folded("The same as a table", per_tiou(result))
    elif len(result.iterations) > 1:
        curves = {view: row_curves(result, view) for view in views}
        names, styles = [row.full_name for row in result.last_rows], list(range(len(result.last_rows)))
        body = (
            f"{per_iteration(result, curves, styles)}{charts.legend(names, styles)}"
            f"{_lines(result, curves, styles, 'iteration')}<h4>After the last iteration</h4>{per_tiou(result)}"
            f"{per_difference(result)}"
        )
    else:
        body = per_tiou(result) + _marks(result)
        body += per_difference(result)
        body += per_warp(result) if result.rows[0].warp else ""
    seeds = folded("Every seed", per_seed(result)) if result.seeds > 1 else ""
    introduction = _introduction(result, differing)
    if ruled:
        introduction = f"{_rules(result)} {introduction}"
    return f"<h3>{escape(result.title)}</h3><p class='under'>{introduction}</p>{body}{seeds}"


def _rules(result: Result) -> str:
    """The protocol of a result, and what stands behind its figures."""
    return f"Scored under {rules_of(result.protocol, result.tiou)}. {spread_sentence(result.seeds)}"


def _introduction(result: Result, differing: Sequence[str]) -> str:
    """What stands above a result: how to read it."""
    sentences = []
    if result.weights:
        sentences.append(f"The streams are fused with the weights {escape(result.weights)}.")
    if differing:
        sentences.append(
            f"Not all tables and figures here have the same settings; those of this one are "
            f"{escape(', '.join(differing))}."
        )
    if len(result.iterations) > 1:
        sentences += [CHOSE_NOTHING, REPEATS] if result.key.startswith("table") else [CHOSE_NOTHING]
    if any(result.paper(row.key) is not None for row in result.last_rows):
        sentences.append(
            "The paper's figures, which are those of RGB and flow fused, stand beside ours as far as they are known."
        )
    return " ".join(sentences)


def _lines(result: Result, curves: Mapping[str, Sequence[Curve]], styles: Sequence[int], x_label: str) -> str:
    """A chart for every view."""
    figures = []
    for view, drawn in curves.items():
        series = []
        for curve, style in zip(drawn, styles, strict=True):
            x = sorted(curve.points)
            series.append(_series(result, curve.name, style, [curve.points[at] for at in x], x))
        chart = charts.lines(
            series,
            title=f"{result.title}, {view}",
            x_label=x_label,
            y_label=f"average mAP (%), {view}",
            x_ticks=sorted({x for curve in drawn for x in curve.points}),
            apart=4,
        )
        figures.append(figure(chart))
    return f"<div class='grid'>{''.join(figures)}</div>"


def _marks(result: Result) -> str:
    """A table's rows under each other, a mark for every view."""
    rows, views = result.last_rows, fused_first(result)
    chart = charts.rows(
        [row.full_name for row in rows],
        [_series(result, view, i, [row.scores[view].average for row in rows]) for i, view in enumerate(views)],
        title=result.title,
        x_label=f"average mAP (%){f', {views[0]}' if len(views) == 1 else ''}",
    )
    legend = charts.legend(views, range(len(views))) if len(views) > 1 else ""
    return f"{legend}{figure(chart)}"


def _series(result: Result, name: str, style: int, scores: Sequence[SeedScores], x: Sequence[float] = ()) -> Series:
    return Series(name, style, [s.mean for s in scores], [s.deviation for s in scores], x=x)


def _strips(strips: Mapping[str, Sequence[Path]]) -> str:
    """Fig. 6. As images: an SVG inside a page would share its style sheet and its ids with everything else there."""
    parts = []
    for stream, paths in strips.items():
        figures = []
        for path in paths:
            data = base64.b64encode(path.read_bytes()).decode()
            about = f"{escape(path.stem)}, {escape(stream)}"
            picture = f'<img class="still" alt="strips of {about}" src="data:image/svg+xml;base64,{data}">'
            under = f"{about}: the first seed, after the last iteration."
            figures.append(figure(scrolling(picture, about), under))
        parts.append(f'<details class="stills" open><summary>{escape(stream)}</summary>{"".join(figures)}</details>')
    return f"<h3>Fig. 6, what AMS does to single videos</h3>{''.join(parts)}"


def _trainings(reproduction: Reproduction) -> str:
    """What was trained, how often, how long, and where each cell lies."""
    if not reproduction.trainings:
        return ""
    rows = []
    for training in reproduction.trainings:
        seconds, folders = training.seconds, training.folders
        differs = "<br>".join(f"<code>{escape(line)}</code>" for line in training.settings) or "all of AMS"
        places = "".join(f"<li><code>{escape(str(path))}</code></li>" for path in folders)
        cells = [
            escape(PARTS.get(training.part, training.part)),
            escape(training.stream),
            f"{len(seconds)} of {len(folders)}",
            f"{sum(seconds) / len(seconds):.0f} s" if seconds else "\u2013",
            folded(counted(len(folders), "folder"), f"<ul>{places}</ul>"),
        ]
        entries = "".join(f"<td>{text}</td>" for text in cells)
        rows.append(f'<tr><th scope="row">{differs}</th>{entries}</tr>')
    columns = ("differs in", "part", "stream", "finished", "mean time", "where")
    heads = "".join(f'<th scope="col">{name}</th>' for name in columns)
    table = scrolling(
        f'<table class="settings"><thead><tr>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table>',
        "trainings",
    )
    return f"<h3>Trainings</h3>{folded('What was trained, and where it is', table)}"


def _trained(reproduction: Reproduction) -> str:
    every = sum(len(training.folders) for training in reproduction.trainings)
    seconds = [spent for training in reproduction.trainings for spent in training.seconds]
    if not every:
        return "none in this folder"
    whole = f"{sum(seconds) / 3600:.1f} h" if sum(seconds) > 3600 else f"{sum(seconds) / 60:.0f} min"
    return f"{len(seconds)} of {every} finished, {whole} in all"
