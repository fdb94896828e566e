"""A table's result as text for a terminal and as Markdown."""

from collections.abc import Sequence
from typing import Any

from amsx.experiments.paper import reported


def headline(result: dict[str, Any]) -> str:
    """What was measured, under which protocol, on what, how often."""
    tiou, data, config = ", ".join(f"{t:g}" for t in result["tiou"]), result["data"], result["config"]
    views = result["rows"][0]["scores"]
    beta = f"; beta {config['localization']['beta']:g}" if {"rgb", "fused"} <= views.keys() else ""
    return (
        f"{result['title']}, on {data['root'] or data['layout']}: mean mAP (%) over tIoU {tiou}; protocol "
        f"{result['protocol']}; {data['videos']['test']} test videos{beta}; {_seeds(result['seeds'])}, "
        "mean ± standard deviation"
    )


def averages(result: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Heads and rows: the average over tIoU for every row, iteration and view; the paper's where it is known."""
    views = list(result["rows"][0]["scores"])
    heads = ["", *views, *(["paper, fused"] if result["thumos14"] else [])]
    rows = []
    for row in result["rows"]:
        cells = [_with_deviation(score) for score in row["scores"].values()]
        if result["thumos14"]:
            paper = reported(result["key"], row["key"], result["tiou"])[1]
            cells.append(_or_nothing(paper if row in _last(result["rows"]) else None))
        rows.append([_label(row), *cells])
    return heads, rows


def per_tiou(result: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Heads and rows: mAP at every tIoU after the last iteration, the last view (all streams fused)."""
    view = list(result["rows"][0]["scores"])[-1]
    heads = [f"{view}, at tIoU", *(f"{t:g}" for t in result["tiou"]), "average"]
    rows = []
    for row in _last(result["rows"]):
        score = row["scores"][view]
        rows.append([_label(row), *map(_with_deviation, [*score["mAP"], score])])
        if result["thumos14"]:
            each, average = reported(result["key"], row["key"], result["tiou"])
            rows.append(["   the paper", *map(_or_nothing, [*each, average])])
    return heads, rows


def as_text(result: dict[str, Any]) -> str:
    """Both parts of the table, columns aligned."""
    return "\n\n".join([headline(result) + "\n" + _aligned(*averages(result)), _aligned(*per_tiou(result))])


def as_markdown(result: dict[str, Any]) -> str:
    """Both parts of the table as Markdown."""
    parts = [headline(result)]
    for heads, rows in (averages(result), per_tiou(result)):
        lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
        parts.append("\n".join("| " + " | ".join(cell.strip() for cell in line) + " |" for line in lines))
    return "\n\n".join(parts)


def _aligned(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    lines = []
    for line in (heads, *rows):
        first, *others = (cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        lines.append("  ".join([line[0].ljust(len(first)), *others]).rstrip())
    return "\n".join(lines)


def _seeds(count: int) -> str:
    return f"{count} seed" + "s" * (count > 1)


def _last(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The last iteration of every row."""
    return list({row["key"]: row for row in rows}.values())


def _label(row: dict[str, Any]) -> str:
    when = f"iteration {row['iteration']}" if row["iteration"] else "phase zero"
    short = f"{row['key']}  " if row["key"] in "ABCDEF" else ""
    return f"{short}{row['name']}, {when}"


def _with_deviation(score: dict[str, Any]) -> str:
    return f"{score['mean']:.1f} ± {score['deviation']:.1f}"


def _or_nothing(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
