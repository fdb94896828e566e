"""Contenders take turns, the slow fewer, and those that cannot run say why."""

import time

import pytest

from benchmarks.timing import Call, Contender, Spread, UnavailableError, compare, ready


def logging_contender(name: str, log: list[str], **options: int) -> Contender:
    return Contender(name, ready(lambda: log.append(name)), **options)


def count(result: Spread | str) -> int:
    assert isinstance(result, Spread)
    return result.count


def test_contenders_take_turns() -> None:
    log: list[str] = []
    contenders = [logging_contender(name, log) for name in "abc"]
    results = compare(contenders, repeats=4, clock="wall", device="cpu")
    assert list(results) == ["a", "b", "c"]
    assert "".join(log) == "aabbcc" + "abc" * 4  # warm-up, then rounds


def test_the_slow_leave_after_their_limit() -> None:
    log: list[str] = []
    contenders = [logging_contender("a", log), logging_contender("s", log, limit=2), logging_contender("b", log)]
    results = compare(contenders, repeats=4, clock="wall", device="cpu")
    assert "".join(log) == "aasbb" + "asb" * 2 + "ab" * 2
    assert [count(results[name]) for name in "asb"] == [4, 2, 4]


def test_several_calls_a_sample() -> None:
    log: list[str] = []
    results = compare([logging_contender("a", log, inner=5)], repeats=2, clock="wall", device="cpu")
    assert len(log) == 2 + 2 * 5
    assert count(results["a"]) == 2


def test_the_time_is_that_of_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    def call() -> None:
        now[0] += 3.0

    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    results = compare([Contender("a", ready(call), inner=4)], repeats=3, clock="wall", device="cpu")
    assert results["a"] == Spread(3, 3, 3, 3, 3)


def test_rounds_end_with_the_time_but_not_before_three() -> None:
    results = compare([Contender("a", ready(lambda: None))], repeats=50, clock="wall", device="cpu", seconds=0)
    assert count(results["a"]) == 3


def test_who_cannot_run_says_why() -> None:
    def absent() -> Call:
        raise UnavailableError("no compiler")

    results = compare(
        [Contender("a", absent), Contender("b", ready(lambda: None))], repeats=2, clock="wall", device="cpu"
    )
    assert results["a"] == "no compiler"
    assert count(results["b"]) == 2


def test_other_errors_are_not_hidden() -> None:
    def broken() -> Call:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        compare([Contender("a", ready(broken))], repeats=2, clock="wall", device="cpu")


def test_the_cold_clock_needs_a_gpu() -> None:
    with pytest.raises(ValueError, match="cold clock needs CUDA events"):
        compare([Contender("a", ready(lambda: None))], repeats=2, clock="cold", device="cpu")


def test_spread() -> None:
    assert Spread.of([5, 1, 4, 2, 3]) == Spread(1, 2, 3, 4, 5)
    assert Spread.of([2.5]) == Spread(2.5, 2.5, 2.5, 2.5, 1)
    with pytest.raises(ValueError, match="no samples"):
        Spread.of([])
