"""The figures: one row per contender and case, printed as tables, kept as JSON."""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.settings import Settings
from benchmarks.timing import Clock, Contender, Spread, compare

BASELINE = "clone"
OUT_OF_TIME = "not measured: the time limit was reached"


@dataclass(frozen=True)
class Row:
    """One figure with its spread, or the reason why there is none."""

    group: str  # the benchmark
    case: str  # what was done, in words
    rival: str
    parameters: dict[str, Any]  # direction, dtype, B, T, D, H, C: whatever the case has
    unit: str = "s"  # s, B (bytes) or % (of a whole)
    clock: str | None = None  # wall or cold, where the unit is s
    spread: Spread | None = None
    bytes: int | None = None  # declared bytes of one call
    ratio: float | None = None  # to the copy of the same case
    copy_percent: float | None = None  # of the bandwidth that the copy of the same case reached
    note: str | None = None  # why there is no figure, or what to know about it
    details: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def measure(
    group: str,
    case: str,
    parameters: dict[str, Any],
    contenders: Sequence[Contender],
    settings: Settings,
    clock: Clock = "wall",
) -> list[Row]:
    """Compare the contenders; print the table; return its rows. The contender called `clone` is the copy."""
    if settings.out_of_time:
        rows = [Row(group, case, c.name, parameters, clock=clock, note=OUT_OF_TIME) for c in contenders]
        print_table(rows)
        return rows
    results = compare(
        contenders,
        repeats=settings.repeats,
        clock=clock,
        device=settings.device,
        seconds=settings.case_seconds,
    )
    copy = next((c for c in contenders if c.name == BASELINE), None)
    rows = [_row(group, case, parameters, clock, c, results[c.name], copy, results) for c in contenders]
    print_table(rows)
    if settings.keep is not None:
        settings.keep(rows)
    return rows


def find(rows: Iterable[Row], group: str, rival: str, clock: str | None = None, **parameters: Any) -> Row | None:
    """The first row of that group and rival that has a figure and these parameters."""
    for row in rows:
        if row.group != group or row.rival != rival or row.spread is None or (clock and row.clock != clock):
            continue
        if all(row.parameters.get(key) == value for key, value in parameters.items()):
            return row
    return None


def print_table(rows: Sequence[Row]) -> None:
    """The rows of one case."""
    first = rows[0]
    clock = {"wall": ", host time", "cold": ", device time, cold L2"}.get(first.clock or "", "")
    print(f"\n{first.group}: {first.case}{clock}")
    print(f"  {'':<34}{'median':>11}{'min':>11}{'quartiles':>21}{'n':>5}{'x clone':>9}{'% of copy':>11}")
    for row in rows:
        print(_line(row), flush=True)


def formatted(value: float, unit: str) -> str:
    """A figure with a unit that leaves it readable."""
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


def _row(
    group: str,
    case: str,
    parameters: dict[str, Any],
    clock: str,
    contender: Contender,
    result: Spread | str,
    copy: Contender | None,
    results: dict[str, Spread | str],
) -> Row:
    row = Row(group, case, contender.name, parameters, clock=clock, bytes=contender.bytes)
    if isinstance(result, str):
        return dataclasses.replace(row, note=result)
    reference = results[copy.name] if copy is not None else None
    if not isinstance(reference, Spread):
        return dataclasses.replace(row, spread=result)
    ratio = result.median / reference.median
    percent = None
    if contender.bytes is not None and copy is not None and copy.bytes:
        percent = 100 * contender.bytes / copy.bytes / ratio
    return dataclasses.replace(row, spread=result, ratio=ratio, copy_percent=percent)
