"""The runner of stages, with pretended ones: budgets, order, what is kept and what is done again."""

import time
from typing import Any

import pytest

from benchmarks import stages
from benchmarks.commands import FailedError
from benchmarks.stages import AbsentError, CutShortError, Result, Stage, run_stages, side_by_side


def passing(limit: float) -> dict[str, Any]:
    return {"limit": round(limit)}


def raising(error: BaseException) -> stages.Work:
    def work(limit: float) -> dict[str, Any]:
        raise error

    return work


def test_no_stage_ends_the_others() -> None:
    plan = [
        Stage("one", 10, raising(FailedError("wrong", {"seen": 3}))),
        Stage("two", 10, raising(ZeroDivisionError("a bug of the stage itself"))),
        Stage("three", 10, raising(AbsentError("no tool"))),
        Stage("four", 10, raising(CutShortError("after 10 s", {"rows": 7}))),
        Stage("five", 10, passing, after=("one",)),
        Stage("six", 10, passing, after=("four",)),
        Stage("seven", 10, passing),
        Stage("eight", float("inf"), passing, after=("seven",)),
    ]
    kept: list[list[str]] = []
    results = run_stages(plan, 100, lambda done: kept.append([r.name for r in done]))
    outcomes = ["failed", "failed", "absent", "cut short", "not begun", "not begun", "passed", "passed"]
    assert [r.outcome for r in results] == outcomes
    assert (results[0].reason, results[0].details) == ("wrong", {"seen": 3})
    assert "a bug of the stage itself" in (results[1].reason or "")
    assert results[3].details == {"rows": 7}
    assert results[4].reason == "one did not pass"
    assert results[6].details == {"limit": 10}
    assert results[7].details == {"limit": 100}
    assert kept == [[stage.name for stage in plan[: i + 1]] for i in range(len(plan))]


def test_the_time_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def slow(limit: float) -> dict[str, Any]:
        now[0] += 70
        return {"limit": limit}

    results = run_stages([Stage(name, 80, slow) for name in "abc"], 100, lambda done: None)
    assert [r.outcome for r in results] == ["passed", "passed", "not begun"]
    assert [r.details.get("limit") for r in results] == [80, 30, None]
    assert results[2].reason == "the time ran out"


def test_what_stops_the_program_stops_it() -> None:
    kept: list[int] = []
    plan = [Stage("one", 1, passing), Stage("two", 1, raising(KeyboardInterrupt()))]
    with pytest.raises(KeyboardInterrupt):
        run_stages(plan, 100, lambda done: kept.append(len(done)))
    assert kept == [1]


def test_what_passed_before_is_taken_over() -> None:
    before = {"one": Result("one", "passed", None, 12.5, {"old": True})}
    plan = [Stage("one", 1, raising(FailedError("run again"))), Stage("two", 1, passing, after=("one",))]
    results = run_stages(plan, 100, lambda done: None, before)
    assert results[0] == before["one"]
    assert results[1].outcome == "passed"


def test_side_by_side() -> None:
    works = {"good": passing, "bad": raising(FailedError("wrong")), "absent": raising(AbsentError("no tool"))}
    with pytest.raises(FailedError, match="bad: wrong") as failed:
        side_by_side(works, 60, 2)
    assert {name: entry["outcome"] for name, entry in failed.value.details.items()} == {
        "good": "passed",
        "bad": "failed",
        "absent": "absent",
    }
    assert side_by_side({"good": passing}, 60, 2)["good"]["details"] == {"limit": 60}
    assert side_by_side({"good": passing}, 1, 2)["good"]["outcome"] == "not begun"


def test_a_result_as_a_line() -> None:
    line = str(Result("counters", "absent", "no ncu on PATH\nand more", 0.1))
    assert line.startswith("counters ")
    assert line.endswith(" absent: no ncu on PATH (0.1 s)")
