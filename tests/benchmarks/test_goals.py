"""Goals are met, missed or not measured; none is left out."""

import pytest

from benchmarks.goals import curve, exponent, goals
from benchmarks.rows import Row
from benchmarks.timing import Spread
from benchmarks.workloads import Workload


def sampler_row(rival: str, seconds: float, direction: str = "forward", ratio: float | None = None) -> Row:
    parameters = Workload().parameters(direction)
    return Row("sampler", "", rival, parameters, clock="wall", spread=Spread.of([seconds]), ratio=ratio)


def lines(rows: list[Row], device: str = "cpu") -> dict[str, str]:
    return {goal.text: str(goal) for goal in goals(rows, device)}


def test_nothing_measured() -> None:
    found = lines([])
    assert len(found) >= 20
    assert all(line.endswith(": not measured") for line in found.values())
    assert all(line.endswith(": not measured") for line in lines([], "cuda").values())
    assert len(lines([], "cuda")) > len(found)


def test_met_and_missed() -> None:
    rows = [
        sampler_row("amsx", 0.010, ratio=1.09),
        sampler_row("compiled gather", 0.008),
        sampler_row("reference", 1.5),
        sampler_row("amsx", 0.011, "backward", ratio=1.3),
    ]
    found = lines(rows)
    text = "CPU forward <= 1.15 x clone"
    assert found[text] == f"goal: {text}: measured 1.09 met"
    text = "CPU backward <= 1.25 x clone"
    assert found[text] == f"goal: {text}: measured 1.30 missed"
    text = "CPU forward >= 100 x faster than the literal reference"
    assert found[text] == f"goal: {text}: measured 150.0 met"
    text = "CPU forward faster than torch.compile of a gather formulation"
    assert found[text] == f"goal: {text}: measured 0.80 x as fast missed"
    assert "not measured" in found["CPU call on tiny inputs <= 15 us"]


def test_figures_of_a_gpu_are_not_taken_for_the_cpus() -> None:
    assert "not measured" in lines([sampler_row("amsx", 0.01, ratio=1.0)], "cuda")["CPU forward <= 1.15 x clone"]


def test_growth() -> None:
    def row(T: int, seconds: float) -> Row:
        return Row(
            "scaling", "", "amsx", {"axis": "T", **Workload(T=T).parameters("forward")}, spread=Spread.of([seconds])
        )

    linear = [row(T, 1e-5 * T + 1e-4) for T in (100, 200, 400, 800, 1600)]
    points = curve(reversed(linear), "T", "amsx", "forward")
    assert [size for size, _ in points] == [100, 200, 400, 800, 1600]
    assert exponent(points) == pytest.approx(1, abs=0.1)
    assert exponent([(T, 1e-9 * T**2) for T in (10, 20, 40, 80)]) == pytest.approx(2)
    assert exponent(points[:1]) is None
    assert lines(linear)["CPU forward at most linear in T (exponent of the larger half <= 1.15)"].endswith("met")
    quadratic = [row(T, 1e-9 * T**2) for T in (10, 20, 40, 80)]
    assert lines(quadratic)["CPU forward at most linear in T (exponent of the larger half <= 1.15)"].endswith("missed")
