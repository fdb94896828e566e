"""The report's charts as inline SVG: coloured by the page's style sheet, so they follow light, dark and print.

Series differ in colour and in the shape of their marks; a mark shows its numbers when the pointer is over it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

COLOURS, SHAPES = 8, 5  # series number i has colour i % COLOURS and shape i % SHAPES
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 14.0, 16.0, 40.0  # margins of a chart with numeric axes, px


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
    bands: Bands | None = None,
    marks: bool = True,
    size: tuple[int, int] = (520, 300),
    palette: str = "c",
    apart: float = 0.0,
) -> str:
    """A line for every series over a numeric x axis, error bars where there are deviations.

    `palette`: the style sheet's colours for configurations ("c") or for the terms of the loss ("t"). `apart`: pixels
    that the series are shifted against each other, so that no error bar hides another.
    """
    width, height = size
    xs = [x for s in series for x in s.x]
    y_low, y_high, y_ticks = _axis(_extent(series), y_range)
    x_ticks = _ticks(min(xs), max(xs)) if x_ticks is None else x_ticks
    x_low, x_high = min(xs), max(xs)
    pad = 0.03 * (x_high - x_low) if marks else 0.0
    x_of = _scale(x_low - pad, x_high + pad or 1.0, _LEFT, width - _RIGHT)
    y_of = _scale(y_low, y_high, height - _BOTTOM, _TOP)
    parts = []
    if bands is not None:
        for i, name in enumerate(bands.names):
            left, right = x_of(bands.edges[i]), x_of(bands.edges[i + 1])
            if i % 2:
                parts.append(_tag("rect", "band", x=left, y=_TOP, width=right - left, height=height - _TOP - _BOTTOM))
            parts.append(_text(name, (left + right) / 2, _TOP - 5, "faint", "middle"))
    for tick in y_ticks:
        parts.append(_tag("line", "rung", x1=_LEFT, x2=width - _RIGHT, y1=y_of(tick), y2=y_of(tick)))
        parts.append(_text(f"{tick:g}", _LEFT - 7, y_of(tick) + 4, "tick", "end"))
    for tick in x_ticks:
        parts.append(_text(f"{tick:g}", x_of(tick), height - _BOTTOM + 17, "tick", "middle"))
    parts.append(_text(x_label, (_LEFT + width - _RIGHT) / 2, height - 5, "label", "middle"))
    for number, s in enumerate(series):
        shift = (number - (len(series) - 1) / 2) * apart
        points = [(x, y, i) for i, (x, y) in enumerate(zip(s.x, s.y, strict=True)) if y is not None]
        path = "".join(
            f"{'L' if i and s.y[i - 1] is not None else 'M'}{x_of(x) + shift:.1f} {y_of(y):.1f}" for x, y, i in points
        )
        if points:
            parts.append(
                f'<path class="line {palette}{s.style % COLOURS}" d="{path}"><title>{escape(s.name)}</title></path>'
            )
        for x, y, i in points if marks else ():
            deviation, at = _deviation(s, i), x_of(x) + shift
            if deviation is not None:
                low, high = y_of(y - deviation), y_of(y + deviation)
                parts.append(_tag("line", f"spread c{s.style % COLOURS}", x1=at, x2=at, y1=low, y2=high))
            parts.append(_mark(s, at, y_of(y), f"{s.name}, {x_label} {x:g}: {_figure(y, deviation)}"))
    return _svg(parts, width, height, title, y_label)


def rows(
    names: Sequence[str],
    series: Sequence[Series],
    *,
    title: str,
    x_label: str,
    width: int = 520,
    notes: Sequence[str] | None = None,
    from_zero: bool = True,
) -> str:
    """A row for every category with a mark for every series in it; horizontal, so that long names can be read.

    The axis includes 0 if `from_zero`; `notes` stand in small letters behind the names.
    """
    step = max(20.0, 9.0 * len(series) + 6)
    left = min(0.42 * width, 24 + 6.4 * max(len(n) + (len(notes[i]) + 1 if notes else 0) for i, n in enumerate(names)))
    low, high, ticks = _axis(_extent(series, (0.0,) if from_zero else ()), None)
    x_of = _scale(low, high, left, width - 24)
    top, height = 8.0, int(8 + step * len(names) + _BOTTOM)
    bottom = top + step * len(names)
    parts = []
    for tick in ticks:
        parts.append(_tag("line", "rung", x1=x_of(tick), x2=x_of(tick), y1=top, y2=bottom))
        parts.append(_text(f"{tick:g}", x_of(tick), bottom + 15, "tick", "middle"))
    for row, name in enumerate(names):
        middle = top + step * (row + 0.5)
        if row:
            parts.append(_tag("line", "rule", x1=0, x2=width, y1=top + step * row, y2=top + step * row))
        note = f' <tspan class="faint">{escape(notes[row])}</tspan>' if notes else ""
        room = int((left - 14) / 6.2) - (len(notes[row]) + 1 if notes else 0)
        short = name if len(name) <= room else name[: max(1, room - 1)] + "\u2026"
        parts.append(
            f'<text class="name" x="{left - 10:.1f}" y="{middle + 4:.1f}" text-anchor="end">{escape(short)}{note}'
            f"<title>{escape(name)}</title></text>"
        )
        for i, s in enumerate(series):
            value, deviation = s.y[row], _deviation(s, row)
            if value is None:
                continue
            y = middle + (i - (len(series) - 1) / 2) * 9
            if deviation is not None:
                left_end, right_end = x_of(value - deviation), x_of(value + deviation)
                parts.append(_tag("line", f"spread c{s.style % COLOURS}", x1=left_end, x2=right_end, y1=y, y2=y))
            parts.append(_mark(s, x_of(value), y, f"{name}, {s.name}: {_figure(value, deviation)}"))
    parts.append(_text(x_label, (left + width - 24) / 2, bottom + 33, "label", "middle"))
    return _svg(parts, width, height, title)


def stacks(
    names: Sequence[str],
    kinds: Sequence[str],
    shares: Sequence[Sequence[float] | None],
    *,
    title: str,
    x_label: str,
    width: int = 520,
) -> str:
    """A bar for every category, filled by the kinds' shares (percent); a category without shares has no bar."""
    column = (width - _LEFT - _RIGHT) / max(1, len(names))
    height = 260
    y_of = _scale(0, 100, height - _BOTTOM, _TOP)
    parts = []
    for tick in (0, 25, 50, 75, 100):
        parts.append(_tag("line", "rung", x1=_LEFT, x2=width - _RIGHT, y1=y_of(tick), y2=y_of(tick)))
        parts.append(_text(f"{tick}", _LEFT - 7, y_of(tick) + 4, "tick", "end"))
    for i, (name, row) in enumerate(zip(names, shares, strict=True)):
        x = _LEFT + column * i + 0.1 * column
        parts.append(_text(name, x + 0.4 * column, height - _BOTTOM + 17, "tick", "middle"))
        below = 0.0
        for k, share in enumerate(row or ()):
            if share > 0:
                bar = f'x="{x:.1f}" y="{y_of(below + share):.1f}" width="{0.8 * column:.1f}"'
                tall = y_of(below) - y_of(below + share)
                parts.append(
                    f'<rect class="kind k{k}" {bar} height="{tall:.1f}">'
                    f"<title>{escape(name)}, {escape(kinds[k])}: {share:.1f} %</title></rect>"
                )
            below += share
    parts.append(_text(x_label, (_LEFT + width - _RIGHT) / 2, height - 5, "label", "middle"))
    return _svg(parts, width, height, title, "% of detections")


def key(style: int) -> str:
    """A series' mark alone, to stand before its name in a text."""
    return f'<svg class="key" width="16" height="16" aria-hidden="true">{_shape(style, 8, 8)}</svg>'


def legend(names: Sequence[str], styles: Sequence[int]) -> str:
    """Names beside their marks, for the charts that follow."""
    items = [f"<li>{key(style)}{escape(name)}</li>" for name, style in zip(names, styles, strict=True)]
    return f'<ul class="legend">{"".join(items)}</ul>'


def kinds_legend(kinds: Sequence[str]) -> str:
    """The names of the kinds of `stacks` beside their colours."""
    items = []
    for k, name in enumerate(kinds):
        box = f'<rect class="kind k{k}" x="2" y="2" width="12" height="12"/>'
        items.append(f'<li><svg class="key" width="16" height="16" aria-hidden="true">{box}</svg>{escape(name)}</li>')
    return f'<ul class="legend">{"".join(items)}</ul>'


def _extent(series: Sequence[Series], also: Sequence[float] = ()) -> tuple[float, float]:
    values = list(also)
    for s in series:
        for i, y in enumerate(s.y):
            if y is not None:
                around = _deviation(s, i) or 0.0
                values += [y - around, y + around]
    return (min(values), max(values)) if values else (0.0, 1.0)


def _axis(extent: tuple[float, float], fixed: tuple[float, float] | None) -> tuple[float, float, list[float]]:
    """The ends of an axis and its ticks; ends that are not `fixed` lie on ticks."""
    low, high = fixed or extent
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    ticks = _ticks(low, high)
    if fixed is None:
        step = ticks[1] - ticks[0]
        low, high = step * math.floor(low / step + 1e-9), step * math.ceil(high / step - 1e-9)
        ticks = [round(low + i * step, 10) for i in range(round((high - low) / step) + 1)]
    return low, high, ticks


def _ticks(low: float, high: float) -> list[float]:
    """About five round numbers within [low, high], at least two."""
    raw = max(high - low, 1e-9) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= raw)
    first = math.ceil(low / step - 1e-9)
    ticks = [round(i * step, 10) for i in range(first, math.floor(high / step + 1e-9) + 1)]
    return ticks if len(ticks) > 1 else [low, high]


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    span = high - low or 1.0
    return lambda value: float(np.clip(start + (value - low) / span * (end - start), min(start, end), max(start, end)))


def _deviation(series: Series, index: int) -> float | None:
    return None if series.deviation is None else series.deviation[index]


def _figure(value: float, deviation: float | None) -> str:
    return f"{value:.3g}" if deviation is None else f"{value:.3g} \u00b1 {deviation:.2g}"


def _mark(series: Series, x: float, y: float, text: str) -> str:
    return f"<g>{_shape(series.style, x, y)}<title>{escape(text)}</title></g>"


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


def _tag(name: str, css: str, **places: float) -> str:
    return f'<{name} class="{css}" {" ".join(f"{k}={chr(34)}{v:.1f}{chr(34)}" for k, v in places.items())}/>'


def _text(text: str, x: float, y: float, css: str, anchor: str) -> str:
    return f'<text class="{css}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(parts: Sequence[str], width: int, height: int, title: str, y_label: str = "") -> str:
    # Below four fifths of its size the letters could not be read: a narrow window scrolls instead.
    limits = f"min-width:{0.8 * width:.0f}px;max-width:{width}px"
    head = f'<svg class="chart" viewBox="0 0 {width} {height}" style="{limits}" role="img"'
    label = f'<p class="axis">{escape(y_label)}</p>' if y_label else ""
    return f'{label}{head} aria-label="{escape(title)}">{"".join(parts)}</svg>'
