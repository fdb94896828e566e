"""A result of `amsx reproduce` (what table3.json and its like hold) taken apart: its views, its rows, its curves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from amsx.experiments.paper import reported
from amsx.localization.fusion import FUSED

Score = Mapping[str, Any]  # {"mean", "deviation", "seeds", ...} of one entry
BRANCHES = {"both branches": 4, "base": 0, "supplementary": 1}  # curve of Fig. 4 -> its style: the timelines' colours


@dataclass(frozen=True)
class Curve:
    """A row's scores over iterations or over eta."""

    key: str
    name: str
    style: int  # which colour and shape
    points: Mapping[float, Score]


def views_of_result(result: Mapping[str, Any]) -> list[str]:
    """All streams fused first, where there are several, then each alone."""
    return sorted(result["rows"][0]["scores"], key=lambda view: view != FUSED)


def last_rows(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The last iteration of every row."""
    return list({row["key"]: row for row in result["rows"]}.values())


def deviation_of(result: Mapping[str, Any], score: Score) -> float | None:
    """None where a single seed leaves nothing to deviate."""
    return score["deviation"] if result["seeds"] > 1 else None


def paper_of(result: Mapping[str, Any], key: str) -> tuple[list[float | None], float | None] | None:
    """What the paper reports for a row, streams fused: at every tIoU and on average; None where nothing is known."""
    if not result["thumos14"]:
        return None
    each, average = reported(result["key"], key, result["tiou"])
    return (each, average) if any(value is not None for value in (*each, average)) else None


def curves_of_rows(result: Mapping[str, Any], view: str) -> list[Curve]:
    """A curve for every row of a table, over iterations."""
    points: dict[str, dict[float, Score]] = {}
    for row in result["rows"]:
        points.setdefault(row["key"], {})[row["iteration"]] = row["scores"][view]
    return [Curve(row["key"], _name(row), i, points[row["key"]]) for i, row in enumerate(last_rows(result))]


def curves_of_branches(result: Mapping[str, Any], view: str) -> list[Curve]:
    """Fig. 4's: both branches fused, and each alone, over iterations."""
    scores = {row["iteration"]: row["scores"][view] for row in result["rows"]}
    return [
        Curve(name, name, style, {i: s["branches"].get(name, s) for i, s in scores.items()})
        for name, style in BRANCHES.items()
    ]


def curves_of_eta(result: Mapping[str, Any], view: str) -> list[Curve]:
    """Fig. 5's only one, over eta."""
    return [Curve("eta", "all of AMS", 0, {float(row["key"]): row["scores"][view] for row in last_rows(result)})]


def names_of_rows(result: Mapping[str, Any]) -> Sequence[str]:
    return [_name(row) for row in last_rows(result)]


def _name(row: Mapping[str, Any]) -> str:
    """The rows of Table III go by their letters, too."""
    return f"{row['key']}: {row['name']}" if len(row["key"]) == 1 and row["key"].isalpha() else str(row["name"])
