"""The rows of the result tables: one figure each, printed as a line, kept as JSON, found again for the goals."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.timing import Spread

Value = int | float | str  # of a parameter


@dataclass(frozen=True)
class Row:
    """One figure with its spread, or the reason why there is none."""

    group: str  # the name of the benchmark
    case: str  # what was done, in words
    rival: str  # the name of the contender that did it
    parameters: Mapping[str, Value]  # direction, dtype, B, T, D, H, C: whichever of them the case has
    unit: str = "s"  # s, B (bytes), launches or % (of a whole)
    clock: str | None = None  # wall or cold, where the unit is s
    spread: Spread | None = None  # the samples, summarized; None: nothing was measured, and `note` says why
    bytes: int | None = None  # declared bytes of one call: inputs read once, outputs written once
    ratio: float | None = None  # median over the median of the copy in the same case
    copy_percent: float | None = None  # percent of the bandwidth that the copy of the same case reached
    note: str | None = None  # why there is no figure, or what to know about it
    details: dict[str, Any] = field(default_factory=dict)  # further values for the record, JSON as they are

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def find(rows: Iterable[Row], group: str, rival: str, clock: str | None = None, **parameters: Value) -> Row | None:
    """The first row of that group and rival that has a figure and these parameters."""
    for row in rows:
        if row.group != group or row.rival != rival or row.spread is None or (clock and row.clock != clock):
            continue
        if all(row.parameters.get(key) == value for key, value in parameters.items()):
            return row
    return None


def print_table(rows: Sequence[Row]) -> None:
    """Print the rows of one case, at least one, under a heading."""
    first = rows[0]
    clock = {"wall": ", host time", "cold": ", device time, cold L2"}.get(first.clock or "", "")
    print(f"\n{first.group}: {first.case}{clock}")
    print(f"  {'':<34}{'median':>11}{'min':>11}{'quartiles':>21}{'n':>5}{'x clone':>9}{'% of copy':>11}")
    for row in rows:
        print(_line(row), flush=True)


def formatted(value: float, unit: str) -> str:
    """A figure with its unit; seconds and bytes get the prefix that leaves them readable."""
    if unit == "s":
        scale, name = next((pair for pair in ((1, "s"), (1e3, "ms")) if value * pair[0] >= 1), (1e6, "us"))
    elif unit == "B":
        scale, name = next((pair for pair in ((1e-9, "GB"), (1e-6, "MB")) if value * pair[0] >= 1), (1e-3, "kB"))
    else:
        scale, name = 1, unit
    return f"{value * scale:.{1 if value * scale >= 100 else 2}f} {name}"


def _line(row: Row) -> str:
    if row.spread is None:
        return f"  {row.rival:<34}{row.note}"
    s = row.spread
    quartiles = f"{formatted(s.lower, row.unit)} .. {formatted(s.upper, row.unit)}"
    line = f"  {row.rival:<34}{formatted(s.median, row.unit):>11}{formatted(s.minimum, row.unit):>11}{quartiles:>21}"
    line += f"{s.count:>5}"
    line += f"{row.ratio:>9.2f}" if row.ratio is not None else " " * 9
    line += f"{row.copy_percent:>10.1f}%" if row.copy_percent is not None else " " * 11
    return line + (f"  {row.note}" if row.note else "")
