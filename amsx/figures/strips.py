"""Strips of one video above each other, in the manner of the paper's Fig. 6: curves and bars on the axis of seconds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import ArrayLike

from amsx.data.videos import Timebase
from amsx.figures import canvas, palette
from amsx.figures.lettering import one_line, short
from amsx.localization.proposals import true_runs

Intervals = Sequence[tuple[float, float]]  # (start, end) in seconds
Kind = Literal["truth", "base", "supplementary", "fused", "proposal", "slowed", "other"]
NAMES: dict[Kind, str] = {  # kind of bars -> what the legend calls them
    "truth": "ground truth",
    "proposal": "proposals",
    "base": "pseudo-labels of the base branch",
    "supplementary": "pseudo-labels of the supplementary branch",
    "slowed": "slowed down",
}

SHADE = 0.12  # how much of its colour the shading of the ground truth has


@dataclass(frozen=True)
class Strip:
    """One row of a picture: a curve over the snippets, bars that stand for intervals, or both."""

    name: str  # stands to the left of the strip; may have several lines
    curve: ArrayLike | None = None  # (n,), non-negative, a value for every snippet
    threshold: float | None = None  # in units of the curve, drawn as a dashed line
    bars: Mapping[Kind, Intervals] = field(default_factory=dict)  # a key of NAMES -> the intervals of that kind
    shade: Intervals | None = None  # what is shaded; None: the ground truth
    height: float = 1.0  # as a multiple of the other strips' height
    kind: Kind = "other"  # whose curve it is, which decides its colour: a branch, all fused, or none of them


def truth_strip(truth: Intervals) -> Strip:
    """A low strip with the ground truth as bars, to stand beneath the others."""
    return Strip("ground truth", bars={"truth": truth}, shade=(), height=0.28, kind="truth")


def density_strip(name: str, density: ArrayLike, timebase: Timebase) -> Strip:
    """How many samples fall on every snippet (n,); bars where it is more than one, which slows the video down there."""
    return Strip(name, density, 1.0, {"slowed": intervals_above(density, 1.0, timebase)})


def intervals_above(values: ArrayLike, threshold: float, timebase: Timebase) -> list[tuple[float, float]]:
    """The intervals, in seconds, of the snippets whose value (n,) is above the threshold."""
    runs = timebase.to_seconds(true_runs(np.asarray(values) > threshold))
    return [(float(start), float(end)) for start, end in runs]


def draw_strips(
    path: Path | str,
    title: str,
    strips: Sequence[Strip],
    truth: Intervals,
    timebase: Timebase,
    *,
    formats: Sequence[str] = canvas.FORMATS,
    row_height: float = 1.0,
) -> list[Path]:
    """Write the strips of one video to `path` with ".png" and the like appended, for every format; the files written.

    `truth` is shaded behind every strip that shades nothing else. `row_height` is the height of a strip in inches. A
    legend names the colours in use.
    ValueError where no strip has a curve, or curves differ in length.
    """
    lengths = {strip.name: len(np.asarray(strip.curve)) for strip in strips if strip.curve is not None}
    if not lengths:
        raise ValueError("expected at least one strip with a curve to draw")
    first, snippets = next(iter(lengths.items()))
    for name, length in lengths.items():
        if length != snippets:
            raise ValueError(f"strip {name!r} has {length} snippets, {first!r} has {snippets}")
    heights = [strip.height for strip in strips]
    figure = canvas.new_figure(9, 1.1 + row_height * sum(heights))
    rows = figure.subplots(len(strips), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for axes, strip in zip(rows, strips, strict=True):
        for start, end in truth if strip.shade is None else strip.shade:
            axes.axvspan(start, end, color=_colour("truth"), alpha=SHADE, linewidth=0)
        _draw_bars(axes, strip, _draw_curve(axes, strip, timebase))
        axes.set_ylabel(short(strip.name, 40), rotation=0, ha="right", va="center", fontsize=9)
        canvas.plain(axes)
    rows[-1].set_xlim(float(timebase.to_seconds(0)), float(timebase.to_seconds(snippets)))
    rows[-1].set_xlabel("seconds", fontsize=9)
    figure.suptitle(one_line(title, 100), fontsize=10)
    canvas.legend_below(figure, _handles(strips, truth), columns=3)
    return canvas.save(figure, path, formats)


def _colour(kind: Kind) -> str:
    return palette.TIMELINE.get(kind, palette.MUTED).light


def _handles(strips: Sequence[Strip], truth: Intervals) -> list[Artist]:
    """A sample of every kind of bars that some strip has, of the shading, and of the thresholds."""
    kinds = {kind for strip in strips for kind in strip.bars}
    shaded = len(truth) and any(strip.shade is None for strip in strips)
    names = NAMES | ({"truth": "ground truth, also shaded"} if shaded else {})
    kinds |= {"truth"} if shaded else set()
    handles: list[Artist] = [Patch(color=_colour(kind), label=name) for kind, name in names.items() if kind in kinds]
    if any(strip.threshold is not None for strip in strips):
        handles.append(Line2D([], [], color=palette.MUTED.light, lw=1, ls="--", label="threshold"))
    return handles


def _draw_curve(axes: Axes, strip: Strip, timebase: Timebase) -> float:
    """Draw the strip's curve and threshold, if any; returns the upper end of its y axis."""
    top = 1.0
    if strip.curve is None:
        axes.set_yticks([])
    else:
        curve = np.asarray(strip.curve, dtype=np.float64)
        centres = timebase.to_seconds(np.arange(len(curve)) + 0.5)
        top = max(1e-9, float(curve.max()), strip.threshold or 0.0) * 1.1
        axes.fill_between(centres, curve, color=_colour(strip.kind), alpha=0.15, linewidth=0)
        axes.plot(centres, curve, color=_colour(strip.kind), linewidth=1.0)
        highest = top / 1.1
        axes.set_yticks([0, round(highest, 2) if highest >= 1 else float(f"{highest:.2g}")])
    if strip.threshold is not None:
        axes.axhline(strip.threshold, color=palette.MUTED.light, linewidth=0.9, linestyle="--")
    return top


def _draw_bars(axes: Axes, strip: Strip, top: float) -> None:
    """Draw the strip's bars beneath its curve, or in its place; several kinds of bars one above the other."""
    count = len(strip.bars)
    below = 0.32 * top if strip.curve is not None and count else 0.0
    axes.set_ylim(-below, top)
    low, room = (-below, below) if below else (0.0, top)
    for i, (kind, intervals) in enumerate(strip.bars.items()):
        bottom = low + room * (count - 1 - i + 0.16) / count
        spans = [(start, end - start) for start, end in intervals]
        axes.broken_barh(spans, (bottom, 0.68 * room / count), facecolors=_colour(kind))
