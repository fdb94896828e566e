"""Measures the contenders of one case and makes a row of each."""

import dataclasses
from collections.abc import Mapping, Sequence

from benchmarks.rows import Row, Value, print_table
from benchmarks.settings import Settings
from benchmarks.timing import Clock, Contender, Spread, compare

BASELINE = "clone"  # the contender that copies; the others' ratios and bandwidths are relative to it
OUT_OF_TIME = "not measured: the time limit was reached"


def measure(
    group: str,
    case: str,
    parameters: Mapping[str, Value],
    contenders: Sequence[Contender],
    settings: Settings,
    clock: Clock = "wall",
) -> list[Row]:
    """Compare the contenders, print the table, and return its rows. The contender called `clone` is the copy."""
    rows = [Row(group, case, c.name, parameters, clock=clock, bytes=c.bytes) for c in contenders]
    if settings.out_of_time:
        rows = [dataclasses.replace(row, bytes=None, note=OUT_OF_TIME) for row in rows]
        print_table(rows)
        return rows
    results = compare(
        contenders,
        repeats=settings.repeats,
        clock=clock,
        device=settings.device,
        seconds=settings.case_seconds,
    )
    copied = next((c.bytes for c in contenders if c.name == BASELINE), None)
    rows = [_with_result(row, results, copied) for row in rows]
    print_table(rows)
    if settings.keep is not None:
        settings.keep(rows)
    return rows


def _with_result(row: Row, results: Mapping[str, Spread | str], copied: int | None) -> Row:
    """The row with its contender's result; `copied` is the number of bytes that the copy declares."""
    result, copy = results[row.rival], results.get(BASELINE)
    if isinstance(result, str):
        return dataclasses.replace(row, note=result)
    if not isinstance(copy, Spread):
        return dataclasses.replace(row, spread=result)
    ratio = result.median / copy.median
    percent = 100 * row.bytes / copied / ratio if row.bytes is not None and copied else None
    return dataclasses.replace(row, spread=result, ratio=ratio, copy_percent=percent)
