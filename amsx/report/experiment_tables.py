"""The tables of the report's section on `amsx reproduce`, as HTML: mean ± deviation of every row. Text is escaped."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from amsx.experiments.results import (
    Curve,
    Score,
    curves_of_rows,
    deviation_of,
    last_rows,
    names_of_rows,
    paper_of,
    views_of_result,
)
from amsx.localization.fusion import FUSED
from amsx.report import charts
from amsx.report.markup import cell

Rows = Sequence[tuple[str, Sequence[str]]]  # label and cells, HTML


def per_iteration(result: Mapping[str, Any], curves: Mapping[str, Sequence[Curve]]) -> str:
    """Average mAP of every curve after every iteration, by view; the paper's where it is known."""
    iterations = sorted({row["iteration"] for row in result["rows"]})
    papers = {row["key"]: paper_of(result, row["key"]) for row in last_rows(result)}
    compared = any(paper is not None and paper[1] is not None for paper in papers.values())
    bodies = {}
    for view, drawn in curves.items():
        rows = []
        for curve in drawn:
            cells = [_score(result, curve.points.get(i)) for i in iterations]
            if compared:
                paper = papers.get(curve.key) if _is_the_papers(result, view) else None
                cells.append("" if paper is None else cell(paper[1], None))
            rows.append((charts.key(curve.style) + escape(curve.name), cells))
        bodies[view] = rows
    heads = ["phase zero" if i == 0 else f"iteration {i}" for i in iterations]
    return _table("average mAP (%)", [*heads, *(["the paper"] if compared else [])], bodies)


def per_tiou(result: Mapping[str, Any]) -> str:
    """mAP at every tIoU and on average after the last iteration, by view; the paper's beneath where it is known."""
    bodies = {}
    for view in views_of_result(result):
        rows = []
        for name, row in zip(names_of_rows(result), last_rows(result), strict=True):
            score, paper = row["scores"][view], paper_of(result, row["key"])
            average = f"<strong>{_score(result, score)}</strong>"
            rows.append((escape(name), [*(_score(result, at) for at in score["mAP"]), average]))
            if paper is not None and _is_the_papers(result, view):
                values = [cell(value, None) for value in (*paper[0], paper[1])]
                rows.append(('<span class="paper">the paper</span>', values))
        bodies[view] = rows
    return _table("mAP (%) at tIoU", [*(f"{t:g}" for t in result["tiou"]), "average"], bodies)


def per_seed(result: Mapping[str, Any]) -> str:
    """Average mAP of every row, iteration and seed, by view."""
    bodies = {}
    for view in views_of_result(result):
        rows = []
        for curve in curves_of_rows(result, view):
            for iteration, score in curve.points.items():
                when = f"iteration {iteration}" if iteration else "phase zero"
                label = f'{escape(curve.name)} <span class="sd">{when}</span>'
                rows.append((label, [cell(value, None) for value in score["seeds"]]))
        bodies[view] = rows
    return _table("average mAP (%)", [f"seed {i}" for i in range(result["seeds"])], bodies)


def _is_the_papers(result: Mapping[str, Any], view: str) -> bool:
    """The paper fuses RGB and flow: so do all streams together here, or the only one, which may hold both."""
    return view == FUSED or len(views_of_result(result)) == 1


def _score(result: Mapping[str, Any], score: Score | None) -> str:
    return cell(None, None) if score is None else cell(score["mean"], deviation_of(result, score))


def _table(corner: str, heads: Sequence[str], bodies: Mapping[str, Rows]) -> str:
    """A body for every view."""
    columns = "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
    parts = []
    for view, rows in bodies.items():
        what = "all streams fused" if view == FUSED else "the only stream" if len(bodies) == 1 else "stream alone"
        lines = "".join(
            f'<tr><th scope="row">{label}</th>{"".join(f"<td>{text}</td>" for text in cells)}</tr>'
            for label, cells in rows
        )
        head = f'<th colspan="{len(heads) + 1}" scope="rowgroup">{escape(view)} <span>{what}</span></th>'
        parts.append(f'<tbody><tr class="view">{head}</tr>{lines}</tbody>')
    return (
        f'<div class="scroll"><table class="figures"><thead><tr><th scope="col">{corner}</th>{columns}</tr></thead>'
        f"{''.join(parts)}</table></div>"
    )
