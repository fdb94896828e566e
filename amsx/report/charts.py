"""The report's charts as inline SVG: coloured by the page's style sheet, so they follow light, dark and print.

Places along the x axis are percentages and letters have a fixed size, so a chart fills the width it is given and stays
legible in a narrow window and on paper. Series differ in colour and in the shape of their marks; a mark shows its
numbers when the pointer is over it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from amsx.figures.palette import SERIES
from amsx.figures.score_axis import score_axis, score_ticks

COLOURS, SHAPES = len(SERIES), 5  # series number i has colour i % COLOURS and shape i % SHAPES
HEIGHT = 244  # of the plot of a chart of lines or stacks, px
ROW = 20.0  # the least height of a row of `rows`, px


@dataclass(frozen=True)
class Series:
    """A line, or one mark in every category."""

    name: str
    style: int  # which colour and shape
    y: Sequence[float | None]  # None: no value; a line is interrupted there
    deviation: Sequence[float | None] | None = None  # half the length of an error bar
    x: Sequence[float] = ()  # of a line


@dataclass(frozen=True)
class Bands:
    """Stretches of a line chart's x axis with a name each."""

    edges: Sequence[float]  # one more than names
    names: Sequence[str]


def lines(
    series: Sequence[Series],
    *,
    title: str,
    x_label: str,
    y_label: str,
    x_ticks: Sequence[float] | None = None,
    y_range: tuple[float, float] | None = None,
    score: bool = True,
    bands: Bands | None = None,
    marks: bool = True,
    height: int = HEIGHT,
    palette: str = "c",
    apart: float = 0.0,
) -> str:
    """A line for every series over a numeric x axis, error bars where there are deviations.

    `y_range`: the ends of the y axis; without it they are those of a score in percent (`score_axis`), or, where the
    values are no scores, the least and the largest, and 0. `palette`: the style sheet's colours for configurations
    ("c") or for the terms of the loss ("t"). `apart`: pixels that the series are shifted against each other, so that no
    error bar hides another.
    """
    xs = [x for s in series for x in s.x] or [0.0, 1.0]
    y_low, y_high, y_ticks = _axis(series, score, y_range)
    x_ticks = _ticks(min(xs), max(xs)) if x_ticks is None else x_ticks
    pad = 0.03 * (max(xs) - min(xs)) if marks else 0.0
    x_of = _scale(min(xs) - pad, max(xs) + pad or 1.0, 0, 100)
    y_of = _scale(y_low, y_high, height, 0)
    parts = []
    if bands is not None:
        for i, name in enumerate(bands.names):
            left, right = x_of(bands.edges[i]), x_of(bands.edges[i + 1])
            if i % 2:
                parts.append(
                    f'<rect class="band" x="{left:.2f}%" y="0" width="{right - left:.2f}%" height="{height}"/>'
                )
            parts.append(_text(name, (left + right) / 2, -5, "small", "middle"))
    parts += [_level(tick, y_of(tick)) for tick in y_ticks]
    if y_low > 0 and y_range is None:
        # The sign of an axis that is cut off below, beside the axis.
        parts.append(f'<path class="cut" d="M-5 {height - 8}l10 -4 -10 -4 10 -4"/>')
        y_label = f"{y_label}; the axis begins at {y_low:g}, not at 0"
    parts += [_text(f"{tick:g}", x_of(tick), height + 17, "tick", "middle") for tick in x_ticks]
    parts.append(_text(x_label, 50, height + 35, "label", "middle"))
    for number, s in enumerate(series):
        shift = (number - (len(series) - 1) / 2) * apart
        points = [(x, y, i) for i, (x, y) in enumerate(zip(s.x, s.y, strict=True)) if y is not None]
        path = "".join(
            f"L{x_of(x):.2f} {y_of(y):.1f}"
            if i and s.y[i - 1] is not None
            else f"M{x_of(x):.2f} {y_of(y):.1f}h0"  # a point that stands alone is a dot
            for x, y, i in points
        )
        if points:
            # Its own coordinates, so that it stretches with the chart while its stroke does not.
            parts.append(
                f'<svg x="{shift:.1f}" width="100%" height="{height}" viewBox="0 0 100 {height}" '
                f'preserveAspectRatio="none"><path class="line {palette}{s.style % COLOURS}" d="{path}">'
                f"<title>{escape(s.name)}</title></path></svg>"
            )
        for x, y, i in points if marks else ():
            deviation = _deviation(s, i)
            error = ""
            if deviation is not None:
                error = _tag(
                    "line",
                    f"spread c{s.style % COLOURS}",
                    x1=shift,
                    x2=shift,
                    y1=y_of(y - deviation) - y_of(y),
                    y2=y_of(y + deviation) - y_of(y),
                )
            text = f"{s.name}, {x_label} {x:g}: {_figure(y, deviation)}"
            parts.append(_mark(s, x_of(x), y_of(y), text, error, shift))
    drawing = f'<svg width="100%" height="{height}">{"".join(parts)}</svg>'
    return _chart(drawing, title, y_label, "plot")


def rows(
    names: Sequence[str],
    series: Sequence[Series],
    *,
    title: str,
    x_label: str,
    notes: Sequence[str] | None = None,
    boxes: Sequence[str] | None = None,
    score: bool = True,
) -> str:
    """A row for every category with a mark for every series in it; horizontal, so that long names can be read.

    `score`: the values are scores in percent; otherwise the axis has their least and their largest value, and 0.
    `notes` stand in small letters behind the names, `boxes` (HTML) before them.
    """
    height = max(ROW, 9.0 * len(series) + 6)
    low, high, ticks = _axis(series, score)
    x_of = _scale(low, high, 0, 100)
    rungs = "".join(_rung(x_of(tick), height) for tick in ticks)
    if score and low > 0:
        x_label = f"{x_label}; the axis begins at {low:g}, not at 0"
    parts = []
    for row, name in enumerate(names):
        marks = []
        for i, s in enumerate(series):
            value, deviation = s.y[row], _deviation(s, row)
            if value is None:
                continue
            y = height / 2 + (i - (len(series) - 1) / 2) * 9
            if deviation is not None:
                ends = f'x1="{x_of(value - deviation):.2f}%" x2="{x_of(value + deviation):.2f}%"'
                marks.append(f'<line class="spread c{s.style % COLOURS}" {ends} y1="{y:.1f}" y2="{y:.1f}"/>')
            marks.append(_mark(s, x_of(value), y, f"{name}, {s.name}: {_figure(value, deviation)}"))
        note = f" <small>{escape(notes[row])}</small>" if notes else ""
        box = boxes[row] if boxes else ""
        parts.append(
            f'<div class="name">{box}<bdi>{escape(name)}</bdi>{note}</div>'
            f'<svg width="100%" height="{height:.0f}">{rungs}{"".join(marks)}</svg>'
        )
    figures = "".join(_text(f"{tick:g}", x_of(tick), 14, "tick", "middle") for tick in ticks)
    parts.append(
        f'<div class="name"></div><svg width="100%" height="18">{figures}</svg>'
        f'<div class="name"></div><p class="axis">{escape(x_label)}</p>'
    )
    return _chart("".join(parts), title, "", "rows")


def stacks(
    names: Sequence[str],
    kinds: Sequence[str],
    shares: Sequence[Sequence[float] | None],
    *,
    title: str,
    x_label: str,
    y_label: str,
) -> str:
    """A bar for every category, filled by the kinds' shares (percent); a category without shares has no bar."""
    column = 100 / max(1, len(names))
    y_of = _scale(0, 100, HEIGHT, 0)
    parts = [_level(tick, y_of(tick)) for tick in (0, 25, 50, 75, 100)]
    for i, (name, row) in enumerate(zip(names, shares, strict=True)):
        parts.append(_text(name, column * (i + 0.5), HEIGHT + 17, "tick", "middle"))
        below = 0.0
        for k, share in enumerate(row or ()):
            if share > 0:
                bar = f'x="{column * (i + 0.1):.2f}%" y="{y_of(below + share):.1f}" width="{0.8 * column:.2f}%"'
                tall = y_of(below) - y_of(below + share)
                parts.append(
                    f'<rect class="kind k{k}" {bar} height="{tall:.1f}">'
                    f"<title>{escape(name)}, {escape(kinds[k])}: {share:.1f} %</title></rect>"
                )
            below += share
    parts.append(_text(x_label, 50, HEIGHT + 35, "label", "middle"))
    return _chart(f'<svg width="100%" height="{HEIGHT}">{"".join(parts)}</svg>', title, y_label, "plot")


def key(style: int) -> str:
    """A series' mark alone, to stand before its name in a text."""
    return f'<svg class="key" width="16" height="16" aria-hidden="true">{_shape(style, 8, 8)}</svg>'


def kind_key(kind: int) -> str:
    """The colour of a kind of `stacks` alone, to stand before its name."""
    box = f'<rect class="kind k{kind}" x="2" y="2" width="12" height="12"/>'
    return f'<svg class="key" width="16" height="16" aria-hidden="true">{box}</svg>'


def legend(names: Sequence[str], styles: Sequence[int]) -> str:
    """Names beside their marks, for the charts that follow."""
    return _legend([(key(style), name) for name, style in zip(names, styles, strict=True)])


def kinds_legend(kinds: Sequence[str]) -> str:
    """The names of the kinds of `stacks` beside their colours."""
    return _legend([(kind_key(k), name) for k, name in enumerate(kinds)])


def _legend(items: Sequence[tuple[str, str]]) -> str:
    return f'<ul class="legend">{"".join(f"<li>{sign}<bdi>{escape(name)}</bdi></li>" for sign, name in items)}</ul>'


def _extent(series: Sequence[Series], also: Sequence[float] = ()) -> tuple[float, float]:
    values = list(also)
    for s in series:
        for i, y in enumerate(s.y):
            if y is not None:
                around = _deviation(s, i) or 0.0
                values += [y - around, y + around]
    return (min(values), max(values)) if values else (0.0, 1.0)


def _axis(
    series: Sequence[Series], score: bool, ends: tuple[float, float] | None = None
) -> tuple[float, float, list[float]]:
    """The ends of the axis of values and its ticks: of scores in percent, or of values that are none, with 0."""
    if score:
        low, high = ends or score_axis(*_extent(series))
        return low, high, score_ticks(low, high)
    low, high = ends or _extent(series, (0.0,))
    if high - low < 1e-9:
        high = low + 1.0
    ticks = _ticks(low, high)
    step = ticks[1] - ticks[0]
    low, high = step * math.floor(low / step + 1e-9), step * math.ceil(high / step - 1e-9)
    return low, high, [round(low + i * step, 10) for i in range(round((high - low) / step) + 1)]


def _ticks(low: float, high: float) -> list[float]:
    """About five round numbers within [low, high], at least two."""
    raw = max(high - low, 1e-9) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= raw)
    first = math.ceil(low / step - 1e-9)
    ticks = [round(i * step, 10) for i in range(first, math.floor(high / step + 1e-9) + 1)]
    return ticks if len(ticks) > 1 else [low, high]


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    """From [low, high] to [start, end]; what lies beyond an end of the axis is drawn at it."""
    span = high - low or 1.0
    return lambda value: start + min(1.0, max(0.0, (value - low) / span)) * (end - start)


def _deviation(series: Series, index: int) -> float | None:
    return None if series.deviation is None else series.deviation[index]


def _figure(value: float, deviation: float | None) -> str:
    return f"{value:.3g}" if deviation is None else f"{value:.3g} \u00b1 {deviation:.2g}"


def _mark(series: Series, x: float, y: float, text: str, error: str = "", shift: float = 0.0) -> str:
    """The mark of a value at `x` percent, with its error bar; its numbers are its title."""
    shape = f"{error}{_shape(series.style, shift, 0)}<title>{escape(text)}</title>"
    return f'<svg x="{x:.2f}%" y="{y:.1f}">{shape}</svg>'


def _shape(style: int, x: float, y: float) -> str:
    """Circle, square, triangle, diamond or ring, so that series differ without colour, too."""
    colour, shape = f"mark c{style % COLOURS}", style % SHAPES
    if shape in (0, 4):
        return f'<circle class="{colour}{" open" if shape else ""}" cx="{x:.1f}" cy="{y:.1f}" r="3.6"/>'
    corners = {
        1: ((-3.2, -3.2), (3.2, -3.2), (3.2, 3.2), (-3.2, 3.2)),
        2: ((0, -4.4), (4.2, 3.2), (-4.2, 3.2)),
        3: ((0, -4.8), (4.8, 0), (0, 4.8), (-4.8, 0)),
    }[shape]
    return f'<polygon class="{colour}" points="{" ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners)}"/>'


def _level(value: float, y: float) -> str:
    """A tick of the y axis: a line across the plot, and the number left of it."""
    line = f'<line class="rung" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>'
    return f'{line}<text class="tick" x="-7" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'


def _rung(x: float, height: float) -> str:
    return f'<line class="rung" x1="{x:.2f}%" x2="{x:.2f}%" y1="0" y2="{height:.0f}"/>'


def _tag(name: str, css: str, **places: float) -> str:
    return f'<{name} class="{css}" {" ".join(f"{k}={chr(34)}{v:.1f}{chr(34)}" for k, v in places.items())}/>'


def _text(text: str, x: float, y: float, css: str, anchor: str) -> str:
    """Letters at `x` percent."""
    return f'<text class="{css}" x="{x:.2f}%" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _chart(drawing: str, title: str, y_label: str, css: str) -> str:
    label = f'<p class="axis">{escape(y_label)}</p>' if y_label else ""
    return f'{label}<div class="chart {css}" role="img" aria-label="{escape(title)}">{drawing}</div>'
