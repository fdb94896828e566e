"""Pictures of the paper's Fig. 4 and 5: mAP after every iteration, and against eta, with deviations over seeds."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

CURVES = {"both branches": ("#222222", "o"), "base": ("#2a6f97", "s"), "supplementary": ("#b5651d", "^")}


def draw_iterations(path: Path, result: Mapping[str, Any]) -> list[Path]:
    """Fig. 4: one panel per view, mAP of both branches fused and of each alone after every iteration.

    `result` is what `amsx.experiments.reproduce` says of figure 4. Writes `path` as PNG and as SVG.
    """
    rows = result["rows"]
    iterations = [row["iteration"] for row in rows]
    figure, panels = _panels(result)
    for view, axes in panels.items():
        scores = [row["scores"][view] for row in rows]
        _curve(axes, iterations, scores, "both branches")
        for branch in ("base", "supplementary"):
            _curve(axes, iterations, [score["branches"][branch] for score in scores], branch)
        axes.set_xlabel("iteration")
        axes.set_xticks(iterations, ["phase zero" if i == 0 else str(i) for i in iterations])
        axes.legend(fontsize=8, frameon=False)
    return _write(figure, path)


def draw_eta(path: Path, result: Mapping[str, Any]) -> list[Path]:
    """Fig. 5: one panel per view, mAP against eta. `result` and files as of `draw_iterations`."""
    rows = result["rows"]
    figure, panels = _panels(result)
    for view, axes in panels.items():
        _curve(axes, [float(row["key"]) for row in rows], [row["scores"][view] for row in rows], "both branches")
        axes.set_xlabel("eta")
    return _write(figure, path)


def _panels(result: Mapping[str, Any]) -> tuple[Figure, dict[str, Axes]]:
    """A figure with a panel for every view, titled with what was measured."""
    views = list(result["rows"][0]["scores"])
    figure = Figure(figsize=(1 + 3.4 * len(views), 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = dict(zip(views, figure.subplots(1, len(views), squeeze=False)[0], strict=True))
    for view, axes in panels.items():
        axes.set_title(view, fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
        axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    next(iter(panels.values())).set_ylabel("mean mAP (%)")
    tiou = result["tiou"]
    data = Path(result["data"]["root"] or result["data"]["layout"]).name
    figure.suptitle(
        f"{data}, tIoU {tiou[0]:g} to {tiou[-1]:g}\nprotocol {result['protocol']}, seeds: {result['seeds']}, "
        "± standard deviation",
        fontsize=9,
    )
    return figure, panels


def _curve(axes: Axes, x: Sequence[float], scores: Sequence[Mapping[str, Any]], name: str) -> None:
    color, marker = CURVES[name]
    axes.errorbar(
        x,
        [score["mean"] for score in scores],
        [score["deviation"] for score in scores],
        color=color,
        marker=marker,
        markersize=4,
        linewidth=1.3,
        capsize=2.5,
        label=name,
    )


def _write(figure: Figure, path: Path) -> list[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    written = [path.with_suffix(suffix) for suffix in (".png", ".svg")]
    for file in written:
        figure.savefig(file, dpi=150)
    return written
