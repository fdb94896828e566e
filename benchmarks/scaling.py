"""How the cost grows in B, T, D and H: one axis at a time, the rest as in the headline case."""

from collections.abc import Sequence

from benchmarks.problems import Problem
from benchmarks.rows import Row, measure
from benchmarks.sampler import backward, forward
from benchmarks.settings import Settings

GROUP = "scaling"
AXES = ("B", "T", "D", "H")


def run(settings: Settings) -> list[Row]:
    rows: list[Row] = []
    for axis in AXES:
        for value, problem in _cases(axis, settings):
            # Only where H grows is the literal form of interest: it is what grows with it.
            others = ("eager gather", "literal float32") if axis == "H" else ("eager gather",)
            for direction in ("forward", "backward"):
                contenders = forward(problem, settings, others)
                if direction == "backward":
                    contenders = [c for c in backward(problem, settings, ()) if c.name in ("clone", "amsx")]
                rows += measure(
                    GROUP,
                    f"{axis} = {value}: {direction} {problem.name}",
                    {"axis": axis, **problem.parameters(direction)},
                    [c for c in contenders if c.name != "amsx, CUDA graph"],
                    settings,
                    "cold" if settings.cuda else "wall",
                )
    return rows


def _cases(axis: str, settings: Settings) -> Sequence[tuple[int, Problem]]:
    values: tuple[int, ...]
    if settings.quick:
        base = Problem(B=2, T=12, D=8, H=3)
        values = {"B": (1, 2), "T": (6, 12), "D": (4, 8), "H": (1, 3)}[axis]
    elif settings.cuda:
        base = Problem(B=16, T=2000)
        values = {
            "B": (1, 2, 4, 8, 16, 32),
            "T": (125, 250, 500, 1000, 2000, 4000),
            "D": (64, 128, 256, 512, 1024, 2048),
            "H": (1, 5, 20, 50, 200),
        }[axis]
    else:
        base = Problem()
        values = {
            "B": (1, 2, 4, 8, 16),
            "T": (125, 250, 500, 1000, 2000),
            "D": (64, 128, 256, 512, 1024, 2048),
            "H": (1, 5, 20, 50, 200),
        }[axis]
    return [(value, Problem(**{**vars(base), axis: value})) for value in values]
