"""The tables of the report's section on `amsx reproduce`, as HTML: mean ± deviation of every row. Text is escaped."""

from collections.abc import Mapping, Sequence
from html import escape

from amsx.experiments.results import Curve, Result, SeedScores, comparison_names, row_curves
from amsx.experiments.table_text import p_in_words
from amsx.localization.fusion import FUSED
from amsx.report import charts
from amsx.report.markup import cell, scrolling, view_row

Rows = Sequence[tuple[str, Sequence[str]]]  # label and cells, HTML


def fused_first(result: Result) -> list[str]:
    """The views of a result: all streams fused first, where there are several, then each alone."""
    return sorted(result.views, key=lambda view: view != FUSED)


def per_iteration(result: Result, curves: Mapping[str, Sequence[Curve]], styles: Sequence[int]) -> str:
    """Average mAP of every curve after every iteration, by view; the paper's where it is known.

    `curves`: view -> its curves, which go by the colours and marks of `styles`.
    """
    papers = {row.key: result.paper(row.key) for row in result.last_rows}
    compared = any(paper is not None and paper[1] is not None for paper in papers.values())
    bodies = {}
    for view, drawn in curves.items():
        rows = []
        for curve, style in zip(drawn, styles, strict=True):
            cells = [_scores(result, curve.points.get(i)) for i in result.iterations]
            if compared:
                paper = papers.get(curve.key) if _has_paper(result, view) else None
                cells.append("" if paper is None else cell(paper[1], None))
            rows.append((charts.key(style) + escape(curve.name), cells))
        bodies[view] = rows
    heads = ["phase zero" if i == 0 else f"iteration {i}" for i in result.iterations]
    return _table("average mAP (%)", [*heads, *(["the paper"] if compared else [])], bodies)


def per_tiou(result: Result) -> str:
    """mAP at every tIoU and on average after the last iteration, by view; the paper's beneath where it is known."""
    bodies = {}
    for view in fused_first(result):
        rows = []
        for row in result.last_rows:
            score, paper = row.scores[view], result.paper(row.key)
            average = f"<strong>{_scores(result, score.average)}</strong>"
            rows.append((escape(row.full_name), [average, *(_scores(result, at) for at in score.per_tiou)]))
            if paper is not None and _has_paper(result, view):
                values = [cell(value, None) for value in (paper[1], *paper[0])]
                rows.append(('<span class="paper">the paper</span>', values))
        bodies[view] = rows
    return _table("mAP (%) at tIoU", ["average", *(f"@{t:g}" for t in result.tiou)], bodies)


def per_seed(result: Result) -> str:
    """Average mAP of every row, iteration and seed, by view."""
    bodies = {}
    for view in fused_first(result):
        rows = []
        for curve in row_curves(result, view):
            for iteration, scores in curve.points.items():
                when = f"iteration {iteration}" if iteration else "phase zero"
                label = f'{escape(curve.name)} <span class="sd">{when}</span>'
                rows.append((label, [cell(value, None) for value in scores.seeds]))
        bodies[view] = rows
    return _table("average mAP (%)", [f"seed {i}" for i in range(result.seeds)], bodies)


def per_difference(result: Result) -> str:
    """By how much rows differ after the last iteration (`Result.comparisons`), by view; bold: p below 0.05.

    Empty where nothing is compared.
    """
    if not result.comparisons:
        return ""
    head, names = comparison_names(result.comparisons)
    bodies = {}
    for view in fused_first(result):
        rows = []
        for name, comparison in zip(names, result.comparisons, strict=True):
            difference = comparison.difference(view)
            text = cell(difference.mean, difference.error)
            p = escape(p_in_words(difference.p))
            rows.append((escape(name), [f"<strong>{text}</strong>" if difference.clear else text, p]))
        bodies[view] = rows
    return _table(escape(head), ["mean ± its standard error", "p, paired t-test"], bodies)


def per_warp(result: Result) -> str:
    """The warp of time by every row's sampler, by stream."""
    bodies = {}
    for stream in result.rows[0].warp:
        rows = []
        for row in result.last_rows:
            warp = row.warp[stream]
            ratio = "some weights are 0" if warp.ratio is None else f"{warp.ratio:.2f}"
            rows.append((escape(row.full_name), [ratio, f"{warp.displacement:.2f}"]))
        bodies[stream] = rows
    return _table("warp of time", ["largest weight / smallest", "samples move by, snippets"], bodies)


def _has_paper(result: Result, view: str) -> bool:
    """Whether the paper's figures are of this view: it fuses RGB and flow, which a single stream may hold together."""
    return view == FUSED or len(result.views) == 1


def _scores(result: Result, scores: SeedScores | None) -> str:
    return cell(None, None) if scores is None else cell(scores.mean, scores.deviation)


def _table(corner: str, heads: Sequence[str], bodies: Mapping[str, Rows]) -> str:
    """A body for every view."""
    columns = "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
    parts = []
    for view, rows in bodies.items():
        lines = "".join(
            f'<tr><th scope="row">{label}</th>{"".join(f"<td>{text}</td>" for text in cells)}</tr>'
            for label, cells in rows
        )
        parts.append(f"<tbody>{view_row(view, len(heads) + 1, len(bodies) == 1)}{lines}</tbody>")
    table = (
        f'<table class="figures"><thead><tr><th scope="col">{corner}</th>{columns}</tr></thead>{"".join(parts)}</table>'
    )
    return scrolling(table, corner)
