"""The performance goals: what is wanted, what was measured, and whether that is enough."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.rows import Row, Value, find
from benchmarks.sampler import CPU_HEADLINE
from benchmarks.workloads import DIRECTIONS

NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Goal:
    """One goal and what this run says about it."""

    text: str  # what is wanted, in words
    measured: str | None = None  # the figure with its unit; None: this run has none
    met: bool | None = None  # None where nothing was measured

    @property
    def outcome(self) -> str:
        return NOT_MEASURED if self.measured is None else ("met" if self.met else "missed")

    def __str__(self) -> str:
        if self.measured is None:
            return f"goal: {self.text}: {NOT_MEASURED}"
        return f"goal: {self.text}: measured {self.measured} {self.outcome}"

    def to_json(self) -> dict[str, str | None]:
        return {"goal": self.text, "measured": self.measured, "outcome": self.outcome}


def goals(rows: Sequence[Row], device: str) -> list[Goal]:
    """The goals of the CPU, and for a run on CUDA those of an H200 as well."""
    cpu = [row for row in rows if device == "cpu"]
    return [*cpu_goals(cpu), *(cuda_goals(rows) if device == "cuda" else [])]


def cpu_goals(rows: Sequence[Row]) -> list[Goal]:
    headline = vars(CPU_HEADLINE)
    checked = [
        _at_most("CPU forward <= 1.15 x clone", _ratio(rows, "sampler", "amsx", direction="forward", **headline), 1.15),
        _at_most(
            "CPU backward <= 1.25 x clone", _ratio(rows, "sampler", "amsx", direction="backward", **headline), 1.25
        ),
        _at_least(
            "CPU forward >= 100 x faster than the literal reference",
            _speedup(rows, "sampler", "reference", direction="forward", **headline),
            100,
        ),
    ]
    for direction in DIRECTIONS:
        speedup = _speedup(rows, "sampler", "compiled gather", direction=direction, **headline)
        checked.append(_faster(f"CPU {direction} faster than torch.compile of a gather formulation", speedup))
    for C in (20, 100):
        for direction in DIRECTIONS:
            speedup = _speedup(rows, "alignment", "compiled searchsorted", direction=direction, C=C)
            text = f"CPU align_cas {direction} at C {C} faster than torch.compile of a searchsorted formulation"
            checked.append(_faster(text, speedup))
    for dtype in ("float16", "bfloat16"):
        for direction in DIRECTIONS:
            half = _seconds(rows, "sampler", "amsx", direction=direction, **{**headline, "dtype": dtype})
            full = _seconds(rows, "sampler", "amsx", direction=direction, **headline)
            # Half the bytes should take half the time; a fifth more is granted for work that does not shrink with them.
            checked.append(_at_most(f"CPU {direction} in {dtype} <= 0.6 x float32", _quotient(half, full), 0.6))
    call = _seconds(rows, "overhead", "amsx", direction="forward")
    checked.append(_at_most("CPU call on tiny inputs <= 15 us", None if call is None else call * 1e6, 15, " us"))
    localization = _seconds(rows, "postprocessing", "ten thresholds, contrast, soft NMS")
    text = "post-processing of 210 videos, ten thresholds and soft NMS <= 0.5 s"
    checked.append(_at_most(text, localization, 0.5, " s"))
    scoring = _seconds(rows, "evaluation", "amsx", case="mAP")
    checked.append(_at_most("scoring 31 k detections x 7 tIoU <= 0.1 s", scoring, 0.1, " s"))
    loops = _seconds(rows, "evaluation", "pandas row loops", case="mAP")
    text = "scoring >= 100 x faster than an evaluator of pandas row loops"
    checked.append(_at_least(text, _quotient(loops, scoring), 100))
    return checked + _scaling("CPU", rows)


def cuda_goals(rows: Sequence[Row]) -> list[Goal]:
    checked: list[Goal] = []
    for dtype in ("float32", "bfloat16"):
        for T in (1000, 2000):
            for D in (1024, 2048):
                sizes = {"B": 16, "T": T, "D": D, "H": 20, "dtype": dtype}
                for direction in DIRECTIONS:
                    row = find(rows, "sampler", "amsx", "cold", direction=direction, **sizes)
                    text = f"GPU {direction} {dtype} B 16, T {T}, D {D} >= 85 % of the copy's bandwidth"
                    checked.append(_at_least(text, row.copy_percent if row else None, 85, " %"))
    for direction in DIRECTIONS:
        row = find(rows, "launches", "amsx", direction=direction)
        count = row.spread.median if row and row.spread else None
        checked.append(_at_most(f"GPU {direction} <= 2 launches", count, 2))
    for direction in DIRECTIONS:
        graph = find(rows, "sampler", "amsx, CUDA graph", direction=direction)
        text = f"GPU {direction} captured in a CUDA graph"
        checked.append(Goal(text) if graph is None else Goal(text, "captured and replayed", True))
    for rival, title in (("compiled gather", "torch.compile"), ("binary search", "a binary search per thread")):
        for direction in DIRECTIONS:
            for dtype in ("float32", "bfloat16"):
                sizes = {"B": 16, "T": 2000, "D": 1024, "H": 20, "dtype": dtype, "direction": direction}
                speedup = _speedup(rows, "sampler", rival, "wall", **sizes)
                checked.append(_faster(f"GPU {direction} {dtype}, eager wall time less than that of {title}", speedup))
    share = find(rows, "training", "sampler and alignment")
    text = "GPU sampler's share of an AMS training step is shown"
    measured = f"{share.spread.median:.1f} %" if share and share.spread else None
    return [*checked, Goal(text, measured, measured is not None or None), *_scaling("GPU", rows)]


def _scaling(device: str, rows: Sequence[Row]) -> list[Goal]:
    checked = []
    for axis in ("B", "T", "D"):
        for direction in DIRECTIONS:
            points = curve(rows, axis, "amsx", direction)
            text = f"{device} {direction} at most linear in {axis} (exponent of the larger half <= 1.15)"
            checked.append(_at_most(text, exponent(points), 1.15))
    for direction in DIRECTIONS:
        times = [seconds for _, seconds in curve(rows, "H", "amsx", direction)]
        flat = max(times) / min(times) if len(times) > 1 else None
        checked.append(_at_most(f"{device} {direction} flat in H (slowest <= 1.2 x fastest)", flat, 1.2))
    return checked


def curve(rows: Iterable[Row], axis: str, rival: str, direction: str) -> list[tuple[int, float]]:
    """The (value on the axis, median seconds) pairs of the scaling benchmark in ascending order."""
    points = [
        (int(row.parameters[axis]), row.spread.median)
        for row in rows
        if row.group == "scaling"
        and row.rival == rival
        and row.spread is not None
        and row.parameters["axis"] == axis
        and row.parameters["direction"] == direction
    ]
    return sorted(points)


def exponent(points: Sequence[tuple[int, float]]) -> float | None:
    """The slope of log time over log size, by least squares over the larger half; None below two points."""
    if len(points) < 2:
        return None
    larger = points[min(len(points) // 2, len(points) - 2) :]
    x, y = [math.log(size) for size, _ in larger], [math.log(seconds) for _, seconds in larger]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    covariance = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return covariance / sum((a - mean_x) ** 2 for a in x)


def _ratio(rows: Sequence[Row], group: str, rival: str, **parameters: Value) -> float | None:
    row = find(rows, group, rival, "wall", **parameters)
    return row.ratio if row else None


def _seconds(rows: Sequence[Row], group: str, rival: str, clock: str = "wall", **parameters: Value) -> float | None:
    row = find(rows, group, rival, clock, **parameters)
    return row.spread.median if row and row.spread else None


def _speedup(rows: Sequence[Row], group: str, rival: str, clock: str = "wall", **parameters: Value) -> float | None:
    """How many times as long as amsx the rival takes."""
    return _quotient(
        _seconds(rows, group, rival, clock, **parameters), _seconds(rows, group, "amsx", clock, **parameters)
    )


def _quotient(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a / b


def _at_most(text: str, value: float | None, limit: float, unit: str = "") -> Goal:
    return Goal(text) if value is None else Goal(text, f"{value:.2f}{unit}", value <= limit)


def _at_least(text: str, value: float | None, limit: float, unit: str = "") -> Goal:
    return Goal(text) if value is None else Goal(text, f"{value:.1f}{unit}", value >= limit)


def _faster(text: str, speedup: float | None) -> Goal:
    return Goal(text) if speedup is None else Goal(text, f"{speedup:.2f} x as fast", speedup > 1)
