"""The paper's Fig. 6: strips of one video above each other, curves and bars on the axis of seconds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from amsx.data.videos import Timebase

CURVE, LEVEL, SHADE = "#444444", "#b5651d", "#3a7d44"
BARS = {"truth": "#3a7d44", "proposals": "#2a6f97", "base": "#2a6f97", "supplementary": "#b5651d"}


@dataclass(frozen=True)
class Strip:
    """A name, and a curve over the snippets, bars of intervals, or both."""

    name: str
    curve: ArrayLike | None = None  # (n,), non-negative
    level: float | None = None  # a threshold, drawn as a dashed line
    bars: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)  # a key of BARS -> seconds
    shade: Sequence[tuple[float, float]] | None = None  # what is shaded, in seconds; None: the ground truth


def draw_strips(
    path: Path, title: str, strips: Sequence[Strip], truth: Sequence[tuple[float, float]], timebase: Timebase
) -> list[Path]:
    """Write the strips as PNG and SVG beside `path`; the ground truth is shaded where a strip shades nothing else."""
    figure = Figure(figsize=(9, 0.8 + 0.72 * len(strips)), layout="constrained")
    FigureCanvasAgg(figure)
    rows = figure.subplots(len(strips), 1, sharex=True, squeeze=False)[:, 0]
    for axes, strip in zip(rows, strips, strict=True):
        for first, last in truth if strip.shade is None else strip.shade:
            axes.axvspan(first, last, color=SHADE, alpha=0.10, linewidth=0)
        top = 1.0
        if strip.curve is not None:
            curve = np.asarray(strip.curve, dtype=np.float64)
            seconds = timebase.to_seconds(np.arange(len(curve)) + 0.5)
            top = max(1e-9, float(curve.max()), strip.level or 0.0) * 1.1
            axes.fill_between(seconds, curve, color=CURVE, alpha=0.15, linewidth=0)
            axes.plot(seconds, curve, color=CURVE, linewidth=1.0)
            axes.set_yticks([0, float(f"{top / 1.1:.2g}")])
        else:
            axes.set_yticks([])
        if strip.level is not None:
            axes.axhline(strip.level, color=LEVEL, linewidth=0.9, linestyle="--")
        _bars(axes, strip, top)
        axes.set_ylabel(strip.name, rotation=0, ha="right", va="center", fontsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=7)
    end = timebase.to_seconds(len(np.asarray(next(s.curve for s in strips if s.curve is not None))))
    rows[-1].set_xlim(float(timebase.to_seconds(0)), float(end))
    rows[-1].set_xlabel("seconds", fontsize=8)
    figure.suptitle(title, fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    written = [path.with_name(path.name + suffix) for suffix in (".png", ".svg")]
    for file in written:
        figure.savefig(file, dpi=150)
    return written


def _bars(axes: Axes, strip: Strip, top: float) -> None:
    """Beneath the curve, or in its place; several kinds of bars one above the other."""
    count = len(strip.bars)
    below = 0.35 * top if strip.curve is not None and count else 0.0
    axes.set_ylim(-below, top)
    low, room = (-below, below) if below else (0.0, top)
    for i, (kind, intervals) in enumerate(strip.bars.items()):
        bottom = low + room * (count - 1 - i + 0.15) / count
        spans = [(start, end - start) for start, end in intervals]
        axes.broken_barh(spans, (bottom, 0.7 * room / count), facecolors=BARS[kind])
        if count > 1:
            axes.annotate(kind, (1.002, bottom + 0.35 * room / count), xycoords=("axes fraction", "data"), fontsize=6,
                          va="center", color=BARS[kind])  # fmt: skip
