"""Runs the stages of a long check one after another: each has a time budget, and none ends the others."""

import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.commands import FailedError

LEAST = 5.0  # seconds: with fewer left no further stage is begun

Work = Callable[[float], dict[str, Any]]  # what a stage does within so many seconds; returns details for the record


class AbsentError(Exception):
    """A stage cannot run on this machine. The message says why."""


class CutShortError(Exception):
    """A stage was stopped at its time limit, and what it has done by then is worth keeping. The message says when."""

    def __init__(self, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.details = details or {}  # for the record


@dataclass(frozen=True)
class Stage:
    """One part of a check, which depends on no other but those in `after`."""

    name: str
    budget: float  # seconds that it may take at most; infinity: all that are left
    work: Work  # raises FailedError, AbsentError or CutShortError; whatever else it raises is a failure, too
    after: tuple[str, ...] = ()  # without these stages having passed it is not begun


@dataclass
class Result:
    """What became of one stage."""

    name: str
    outcome: str  # passed, failed, absent, cut short or not begun
    reason: str | None = None  # why, where it has not passed
    seconds: float = 0.0  # that it took
    details: dict[str, Any] = field(default_factory=dict)  # for the record, JSON as they are

    def __str__(self) -> str:
        first = (self.reason or "").strip().splitlines()[:1]
        return f"{self.name:<18}{': '.join([self.outcome, *first])} ({self.seconds} s)"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def run_stages(
    stages: Sequence[Stage],
    total: float,
    keep: Callable[[list[Result]], None],
    passed_before: Mapping[str, Result] | None = None,
) -> list[Result]:
    """Run the stages in their order within `total` seconds; `keep` is called with all results after each of them.

    A stage of `passed_before` is not run again: its result is taken over.
    """
    ends = time.monotonic() + total
    results: list[Result] = []
    for stage in stages:
        print(f"\n=== {stage.name}", flush=True)
        if passed_before and stage.name in passed_before:
            result = passed_before[stage.name]
        else:
            result = _result(stage, ends - time.monotonic(), results)
        results.append(result)
        print(f"=== {result}", flush=True)
        keep(results)
    return results


def _result(stage: Stage, left: float, results: Sequence[Result]) -> Result:
    missing = [name for name in stage.after if not any(r.name == name and r.outcome == "passed" for r in results)]
    if missing:
        return Result(stage.name, "not begun", f"{', '.join(missing)} did not pass")
    if left < LEAST:
        return Result(stage.name, "not begun", "the time ran out")
    return timed(stage.name, stage.work, min(stage.budget, left))


def timed(name: str, work: Work, limit: float) -> Result:
    """The result of this work, whatever it raises; only what stops the whole program is raised further."""
    began = time.monotonic()
    outcome, reason, details = "passed", None, {}
    try:
        details = work(limit)
    except AbsentError as error:
        outcome, reason = "absent", str(error)
    except CutShortError as error:
        outcome, reason, details = "cut short", str(error), error.details
    except FailedError as error:
        outcome, reason, details = "failed", str(error), error.details
    except Exception:
        outcome, reason = "failed", traceback.format_exc()
    if outcome == "failed":
        print(reason, flush=True)
    return Result(name, outcome, reason, round(time.monotonic() - began, 1), details)


def side_by_side(works: Mapping[str, Work], limit: float, at_once: int) -> dict[str, Any]:
    """Do these works, so many at a time, each within the limit's remainder; return the details of all by name.

    FailedError where one failed: the others are done all the same, and its message holds what became of each.
    """
    ends = time.monotonic() + limit

    def one(name: str) -> Result:
        left = ends - time.monotonic()
        if left < LEAST:
            return Result(name, "not begun", "the time ran out")
        return timed(name, works[name], left)

    with ThreadPoolExecutor(max_workers=at_once) as pool:
        results = list(pool.map(one, works))
    for result in results:
        print(f"  {result}", flush=True)
    details = {result.name: {k: v for k, v in result.to_json().items() if k != "name"} for result in results}
    failed = [result for result in results if result.outcome == "failed"]
    if failed:
        reasons = "\n".join(f"{result.name}: {result.reason}" for result in failed)
        raise FailedError(reasons, details)
    return details
