"""Files tried in processes that may crash, hang or run out of memory without ending the whole."""

import multiprocessing
import os
import resource
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.fuzz.formats import Format
from benchmarks.fuzz.trial import MEMORY, SECONDS, changed, judge, prepare

GRACE = 5.0  # seconds of processor time after which a process is ended that does not end by itself
WALL = 120.0  # of time, for one that waits
BATCH = 200  # files after which the results of a process are sent


@dataclass
class Outcome:
    """What became of the files of one format."""

    name: str
    verdicts: Counter[str] = field(default_factory=Counter)  # "error", "accepted" or "bad" -> files
    faults: list[tuple[int, str]] = field(default_factory=list)  # number of a file, and what was bad

    def add(self, number: int, verdict: str) -> None:
        self.verdicts["bad" if verdict.startswith("BAD") else verdict] += 1
        if verdict.startswith("BAD"):
            self.faults.append((number, verdict))


def try_all(forms: Sequence[Format], numbers: range, folder: Path) -> Iterator[Outcome]:
    """Try the files `numbers` of every format, as many of them as it takes, and yield what became of each format.

    A file is its number's, so ranges that do not overlap have no file in common.
    """
    for form in forms:
        outcome = Outcome(form.name)
        left = range(-(-numbers.start // form.every) * form.every, numbers.stop, form.every)
        while left:
            done = _try_some(form, left, folder, outcome)
            left = left[left.index(done) + 1 :]
        yield outcome


def _try_some(form: Format, numbers: range, folder: Path, outcome: Outcome) -> int:
    """Try files in one process until all are tried or one ends it; the number of the last one that was tried."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    begun = context.Array("d", [numbers[0], time.monotonic()], lock=False)
    process = context.Process(target=_work, args=(form, numbers, folder, theirs, begun), daemon=True)
    process.start()
    theirs.close()
    number, used = -1.0, 0.0
    try:
        while True:
            if ours.poll(0.2):
                results: list[tuple[int, str]] = ours.recv()
                for which, verdict in results:
                    outcome.add(which, verdict)
                if results[-1][0] == numbers[-1]:
                    process.join()
                    return numbers[-1]
                continue
            if begun[0] != number:
                number, used = begun[0], _processor_time(process.pid)
            elif _processor_time(process.pid) - used > SECONDS + GRACE or time.monotonic() - begun[1] > WALL:
                process.kill()
                process.join()
                while ours.poll():
                    for which, verdict in ours.recv():
                        outcome.add(which, verdict)
                outcome.add(int(number), f"BAD: it took more than {SECONDS:g} s")
                return int(number)
    except EOFError:
        process.join()
        outcome.add(int(begun[0]), f"BAD: the process ended with exit code {process.exitcode}")
        return int(begun[0])


def _work(form: Format, numbers: range, folder: Path, pipe: Any, begun: Any) -> None:
    place = folder / f"trial-{os.getpid()}"
    prepare(place)
    os.chdir(place / "inside")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what libraries print of broken files
    with open("/proc/self/statm") as file:
        own = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (own + 2 * MEMORY, own + 2 * MEMORY))
    results = []
    sent = time.monotonic()
    for number in numbers:
        content = changed(form, number)
        begun[0], begun[1] = number, time.monotonic()
        results.append((number, judge(form, content, place)))
        if len(results) >= BATCH or time.monotonic() - sent > 2 or results[-1][1].startswith("BAD"):
            pipe.send(results)
            results, sent = [], time.monotonic()
    if results:
        pipe.send(results)


def _processor_time(process: int | None) -> float:
    try:
        with open(f"/proc/{process}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
