"""How the cost grows in B, T, D and H: one of them varies at a time, the others are as in the headline case."""

from collections.abc import Sequence

from benchmarks.measuring import measure
from benchmarks.rows import Row
from benchmarks.sampler import backward, forward
from benchmarks.settings import Settings
from benchmarks.workloads import DIRECTIONS, QUICK, Workload

GROUP = "scaling"
AXES = ("B", "T", "D", "H")


def run(settings: Settings) -> list[Row]:
    rows: list[Row] = []
    for axis in AXES:
        for value, workload in _cases(axis, settings):
            # The literal form is compared only where H varies, because its cost is what grows with H.
            others = ("eager gather", "literal float32") if axis == "H" else ("eager gather",)
            for direction in DIRECTIONS:
                contenders = forward(workload, settings, others)
                if direction == "backward":
                    contenders = [c for c in backward(workload, settings, ()) if c.name in ("clone", "amsx")]
                rows += measure(
                    GROUP,
                    f"{axis} = {value}: {direction} {workload.name}",
                    {"axis": axis, **workload.parameters(direction)},
                    [c for c in contenders if c.name != "amsx, CUDA graph"],
                    settings,
                    "cold" if settings.cuda else "wall",
                )
    return rows


def _cases(axis: str, settings: Settings) -> Sequence[tuple[int, Workload]]:
    values: tuple[int, ...]
    if settings.quick:
        base = QUICK
        values = {"B": (1, 2), "T": (6, 12), "D": (4, 8), "H": (1, 3)}[axis]
    elif settings.cuda:
        base = Workload(B=16, T=2000)
        values = {
            "B": (1, 2, 4, 8, 16, 32),
            "T": (125, 250, 500, 1000, 2000, 4000),
            "D": (64, 128, 256, 512, 1024, 2048),
            "H": (1, 5, 20, 50, 200),
        }[axis]
    else:
        base = Workload()
        values = {
            "B": (1, 2, 4, 8, 16),
            "T": (125, 250, 500, 1000, 2000),
            "D": (64, 128, 256, 512, 1024, 2048),
            "H": (1, 5, 20, 50, 200),
        }[axis]
    return [(value, Workload(**{**vars(base), axis: value})) for value in values]
