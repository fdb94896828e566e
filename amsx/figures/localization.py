"""Pictures of localization in the manner of the paper's Fig. 6: one strip per CAS, its intervals, the ground truth."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from amsx.data.videos import Segment, Timebase

INTERVAL, TRUTH, CURVE = "#2a6f97", "#3a7d44", "#444444"


@dataclass(frozen=True)
class Strip:
    """One row of the picture: the CAS of one class over a video, and where it exceeds its threshold."""

    name: str
    cas: NDArray[np.float32]  # (T,)
    threshold: float  # in units of the CAS
    intervals: Sequence[tuple[float, float]]  # (start, end) in seconds


def draw_localization(
    path: Path | str, title: str, strips: Sequence[Strip], truth: Sequence[Segment], timebase: Timebase
) -> Path:
    """Write the strips of one video and class above each other, the ground truth last, to `path` (PNG, SVG, PDF).

    A strip's curve is its CAS, the dashed line its localization threshold, the bar beneath the intervals that exceed
    it. ValueError where there is no strip, or strips differ in length.
    """
    if not strips:
        raise ValueError("expected at least one strip to draw")
    snippets = len(strips[0].cas)
    for strip in strips:
        if len(strip.cas) != snippets:
            raise ValueError(f"strip {strip.name!r} has {len(strip.cas)} snippets, {strips[0].name!r} has {snippets}")
    centres = timebase.to_seconds(np.arange(snippets) + 0.5)
    figure = Figure(figsize=(9, 0.9 + 1.0 * len(strips)), layout="constrained")
    FigureCanvasAgg(figure)
    rows = figure.subplots(len(strips) + 1, 1, sharex=True, height_ratios=[1.0] * len(strips) + [0.28])
    for axes, strip in zip(rows, strips, strict=False):
        top = max(1e-6, float(strip.cas.max()), strip.threshold) * 1.1
        axes.fill_between(centres, strip.cas, color=CURVE, alpha=0.15, linewidth=0)
        axes.plot(centres, strip.cas, color=CURVE, linewidth=1.1)
        axes.axhline(strip.threshold, color="#b5651d", linewidth=0.9, linestyle="--")
        axes.set_ylim(-0.32 * top, top)
        axes.set_yticks([0, round(top / 1.1, 2)])
        for segment in truth:
            axes.axvspan(segment.start, segment.end, color=TRUTH, alpha=0.10, linewidth=0)
        _bar(axes, strip.intervals, -0.25 * top, 0.16 * top, INTERVAL)
        _name(axes, strip.name)
    _bar(rows[-1], [(s.start, s.end) for s in truth], 0.15, 0.7, TRUTH)
    rows[-1].set_ylim(0, 1)
    rows[-1].set_yticks([])
    _name(rows[-1], "ground truth")
    rows[-1].set_xlabel("seconds")
    rows[-1].set_xlim(float(timebase.to_seconds(0)), float(timebase.to_seconds(snippets)))
    for axes in rows:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    figure.suptitle(title, fontsize=10)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    return path


def _bar(axes: Axes, intervals: Sequence[tuple[float, float]], bottom: float, height: float, color: str) -> None:
    axes.broken_barh([(start, end - start) for start, end in intervals], (bottom, height), facecolors=color)


def _name(axes: Axes, name: str) -> None:
    axes.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
