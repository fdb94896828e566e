"""Scores over iterations or over a setting, with their deviations over seeds, as in the paper's Fig. 4 and 5."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from amsx.figures import canvas, palette
from amsx.figures.lettering import one_line, short
from amsx.figures.score_axis import score_axis, score_ticks

STYLES = {  # name of a curve -> colour and marker
    "both branches": (palette.TIMELINE["fused"].light, "o"),
    "base": (palette.TIMELINE["base"].light, "s"),
    "supplementary": (palette.TIMELINE["supplementary"].light, "^"),
}


@dataclass(frozen=True)
class ScoreCurve:
    """One curve of a panel."""

    name: str  # a key of STYLES
    x: Sequence[float]
    mean: Sequence[float]  # over seeds, percent, at every x
    deviation: Sequence[float] | None  # over seeds, percent, at every x; None: there is one seed


def draw_score_curves(
    path: Path | str,
    title: str,
    panels: Mapping[str, Sequence[ScoreCurve]],
    *,
    x_label: str,
    x_ticks: Mapping[float, str] | None = None,
    formats: Sequence[str] = canvas.FORMATS,
) -> list[Path]:
    """Write a picture with a panel of curves for every entry of `panels`; the files written, `path` with a suffix.

    `x_ticks`: what stands at which x; None leaves it to matplotlib.
    """
    figure = canvas.new_figure(1 + 3.4 * len(panels), 3.6)
    for axes, (name, curves) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        for curve in curves:
            color, marker = STYLES[curve.name]
            style = {"color": color, "marker": marker, "markersize": 4, "linewidth": 1.3, "capsize": 2.5}
            axes.errorbar(curve.x, curve.mean, curve.deviation, label=curve.name, **style)
        axes.set_title(one_line(name, 40), fontsize=10)
        canvas.plain(axes)
        axes.grid(axis="y", color=palette.GRID.light, linewidth=0.6)
        axes.set_xlabel(x_label)
        bottom, top = score_axis(*_extent(curves))
        axes.set_ylim(bottom, top)
        axes.set_yticks(score_ticks(bottom, top))
        mean = "mean mAP" if any(curve.deviation for curve in curves) else "mAP"
        axes.set_ylabel(f"{mean} (%)" + (f"; the axis begins at {bottom:g}, not at 0" if bottom else ""), fontsize=9)
        if x_ticks is not None:
            axes.set_xticks(list(x_ticks), list(x_ticks.values()))
    named = {handle.get_label(): handle for axes in figure.axes for handle in axes.get_legend_handles_labels()[0]}
    canvas.legend_below(figure, list(named.values()), columns=3)
    figure.suptitle(short(title, 50 + 45 * len(panels)), fontsize=9)
    return canvas.save(figure, path, formats)


def _extent(curves: Sequence[ScoreCurve]) -> tuple[float, float]:
    """The lowest and the highest value of the curves with their deviations."""
    spreads = [curve.deviation or [0.0] * len(curve.mean) for curve in curves]
    low = [
        m - d for curve, spread in zip(curves, spreads, strict=True) for m, d in zip(curve.mean, spread, strict=True)
    ]
    high = [
        m + d for curve, spread in zip(curves, spreads, strict=True) for m, d in zip(curve.mean, spread, strict=True)
    ]
    return min(low, default=0.0), max(high, default=100.0)
