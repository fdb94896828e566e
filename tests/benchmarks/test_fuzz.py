"""Changed files are refused or read rightly, and the script notices when they are not."""

import dataclasses
import pickle
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from amsx.unpickling import load_pickle
from benchmarks.fuzz.formats import Format, formats
from benchmarks.fuzz.mutations import CANARY, dangerous_pickle
from benchmarks.fuzz.running import try_all
from benchmarks.fuzz.trial import MEMORY, changed


def test_a_few_changed_files_of_every_kind(tmp_path: Path) -> None:
    every = formats(tmp_path, large=False)
    seen = {outcome.name: outcome for outcome in try_all(every, range(12), tmp_path)}
    assert set(seen) == {form.name for form in every}
    assert [(outcome.name, fault) for outcome in seen.values() for fault in outcome.faults] == []
    assert sum(outcome.verdicts["accepted"] for outcome in seen.values()) > 10  # some changes do no harm
    assert sum(outcome.verdicts["error"] for outcome in seen.values()) > 100


@pytest.mark.parametrize("fault", [OverflowError, RecursionError, MemoryError, UnicodeEncodeError("a", "b", 0, 1, "c")])
def test_a_change_that_cannot_be_made_gives_an_empty_file(fault):
    def change(*_: Any) -> bytes:
        raise fault

    form = Format("other", ".json", (b"x",), change, lambda _: None, lambda _, value: True)
    assert changed(form, 0) == b""


def hangs(_: Path) -> None:
    while True:
        time.sleep(0.0)


def ends(_: Path) -> None:
    import os

    os._exit(7)


def fills_the_memory(_: Path) -> Any:
    return np.ones(1 << 24)


def loads_pickles(path: Path) -> Any:
    try:
        return pickle.loads(path.read_bytes())
    except Exception as error:
        raise ValueError("broken") from error


def has_a_fault(_: Path) -> None:
    raise KeyError("inside")


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ("Unable to allocate 8.00 GiB for an array with shape (1073741824,)", "bad"),
        ("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory", "bad"),
        ("Can't open file (memory allocation failed for object header)", "bad"),
        ("[Errno 12] Cannot allocate memory", "bad"),
        ("std::bad_alloc", "bad"),
        ("Object visitation failed (address of object past end of allocation)", "error"),
        ("Unable to synchronously open file (memory allocation failed for on disk image buffer)", "error"),
    ],
)
def test_an_error_that_tells_of_short_memory_is_told_from_one_that_has_the_word(tmp_path, said, verdict):
    def refuses(_: Path) -> Any:
        raise ValueError("not a readable file") from RuntimeError(said)

    form = Format("other", ".h5", (b"x",), lambda _, given: given, refuses, lambda _, value: True)
    (outcome,) = try_all([form], range(1), tmp_path)
    assert outcome.verdicts == {verdict: 1}


def test_hdf5_whose_metadata_promises_much_is_refused_and_fills_no_memory(tmp_path):
    form = next(form for form in formats(tmp_path, large=False) if form.name == "h5")
    where, length = (0x578).to_bytes(8, "little"), (88).to_bytes(8, "little")  # of the rest of the root's header
    assert form.seeds[0].count(where + length) == 1
    for promised in (MEMORY + (MEMORY >> 2), 10 << 30):  # within the limit on the address space, and beyond it
        content: bytes = form.seeds[0].replace(where + length, where + promised.to_bytes(8, "little"))
        promising = dataclasses.replace(form, seeds=(content,), change=lambda _, given: given)
        (outcome,) = try_all([promising], range(1), tmp_path)
        assert outcome.verdicts == {"error": 1}, outcome.faults


def test_ranges_of_numbers_that_do_not_overlap_have_no_file_in_common(tmp_path):
    def numbers(first: int, last: int, every: int) -> list[int]:
        form = Format("other", ".txt", (b"x",), lambda *_: b"x", bad, lambda _, value: True, every)
        (outcome,) = try_all([form], range(first, last), tmp_path)
        return [number for number, _ in outcome.faults]

    def bad(_: Path) -> Any:
        raise KeyError

    assert numbers(0, 5, 1) + numbers(5, 9, 1) == list(range(9))
    assert numbers(0, 5, 4) + numbers(5, 9, 4) + numbers(9, 12, 4) == [0, 4, 8]


@pytest.mark.parametrize(
    ("reader", "verdict"),
    [
        (ends, "the process ended with exit code 7"),
        (fills_the_memory, "more than 64 MiB of memory"),
        (has_a_fault, "KeyError"),
        (loads_pickles, "it ran"),
        (lambda _: "other", "accepted with wrong values"),
        (hangs, "it took more than"),
    ],
)
def test_readers_that_are_bad_are_noticed(tmp_path, monkeypatch, reader, verdict):
    monkeypatch.setattr("benchmarks.fuzz.trial.SECONDS", 0.5)
    monkeypatch.setattr("benchmarks.fuzz.trial.MEMORY", 64 << 20)
    content = b"cposix\nsystem\n(V" + f"touch {CANARY}".encode() + b"\ntR."
    form = Format("bad", ".pkl", (content,), lambda _, given: given, reader, lambda _, value: value == "right")
    (outcome,) = try_all([form], range(1), tmp_path)
    assert outcome.verdicts["bad"] == 1
    assert verdict in outcome.faults[0][1]


def test_pickles_that_mean_harm_would_do_it(tmp_path):
    """Without the restricted unpickler; with it, each is refused by name."""
    chance = random.Random(0)
    for number in range(30):
        path = tmp_path / f"{number}.pkl"
        path.write_bytes(dangerous_pickle(chance))
        with pytest.raises(ValueError, match=r"\d+\.pkl: refused|not a readable pickle"):
            load_pickle(path)
