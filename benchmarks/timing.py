"""Times contenders side by side in one process, in the order A B C A B C ..., so that a disturbance hits all alike."""

import ctypes
import gc
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

Call = Callable[[], object]
Clock = Literal["wall", "cold"]


class UnavailableError(Exception):
    """A contender cannot run here. The message says why, and its row shows that reason in place of a figure."""


@dataclass(frozen=True)
class Contender:
    """One of the implementations that are compared."""

    name: str  # what its rows are called
    prepare: Callable[[], Call]  # makes the call that is timed; compiling or building a graph here is not
    bytes: int | None = None  # declared bytes of a call: inputs read once, outputs written once
    limit: int | None = None  # takes part in at most so many rounds, for what is slow; None: in all
    inner: int = 1  # calls per sample, for calls too short to be timed one by one


def ready(call: Call) -> Callable[[], Call]:
    """The `Contender.prepare` of a call that needs no preparation."""
    return lambda: call


@dataclass(frozen=True)
class Spread:
    """A summary of samples, in the unit of the samples."""

    minimum: float
    lower: float  # first quartile
    median: float
    upper: float  # third quartile
    count: int  # of the samples

    @classmethod
    def of(cls, samples: Sequence[float]) -> "Spread":
        """ValueError where there are no samples."""
        if not samples:
            raise ValueError("no samples to summarize")
        if len(samples) == 1:
            only = float(samples[0])
            return cls(only, only, only, only, 1)
        lower, median, upper = statistics.quantiles(samples, n=4, method="inclusive")
        return cls(min(samples), lower, median, upper, len(samples))


def compare(
    contenders: Sequence[Contender], *, repeats: int, clock: Clock, device: str, seconds: float = float("inf")
) -> dict[str, Spread | str]:
    """Map each contender's name to the spread of its seconds per call, or to the reason why it could not run.

    The clock "wall" is the host's, read when the result is there. The clock "cold" (CUDA only, ValueError elsewhere) is
    the device's, read by events, with the L2 cache flushed before each call. In round k every contender with a `limit`
    above k is called once, in the given order. There are `repeats` rounds, or as many as begin within `seconds`, but
    never fewer than three for want of time.
    """
    sample = _cold(device) if clock == "cold" else _wall(device)
    calls: dict[str, Call] = {}
    results: dict[str, Spread | str] = {}
    for contender in contenders:
        try:
            call = contender.prepare()
            call()  # compiles, fills caches and lets the allocator grow, all of which happens once
        except UnavailableError as reason:
            results[contender.name] = str(reason)
            continue
        if contender.limit is None:
            call()
        calls[contender.name] = call
    samples: dict[str, list[float]] = {name: [] for name in calls}
    began = time.monotonic()
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        for k in range(repeats):
            if k >= 3 and time.monotonic() - began > seconds:
                break
            for contender in contenders:
                if contender.name in calls and (contender.limit is None or k < contender.limit):
                    samples[contender.name].append(sample(calls[contender.name], contender.inner))
    finally:
        if collecting:
            gc.enable()
    results |= {name: Spread.of(values) for name, values in samples.items()}
    return {contender.name: results[contender.name] for contender in contenders}


def warm_up(device: str, seconds: float = 1.0) -> None:
    """Keep the device busy with copies for a while, so that its clocks have risen before anything is measured."""
    source = torch.empty(1 << 26, device=device)
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        for _ in range(10):
            source.clone()
        if device == "cuda":
            torch.cuda.synchronize()


def keep_freed_memory() -> str:
    """Make glibc reuse freed memory instead of returning it to the system; return what allocates, in words.

    By default an output of a few megabytes may be mapped anew at every call, and page faults, several times as slow as
    the copy, then hit one contender and not the next. CUDA's caching allocator keeps its memory by itself.
    """
    if not sys.platform.startswith("linux"):
        return "the platform's default"
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return "the platform's default"
    m_trim_threshold, m_mmap_max = -1, -4
    if mallopt(m_mmap_max, 0) == 1 and mallopt(m_trim_threshold, -1) == 1:
        return "glibc, keeping freed memory"
    return "the platform's default"


def _wall(device: str) -> Callable[[Call, int], float]:
    def sample(call: Call, inner: int) -> float:
        began = time.perf_counter()
        for _ in range(inner):
            result = call()  # freed only by the next call, for all contenders alike
        if device == "cuda":
            torch.cuda.synchronize()
        elapsed = time.perf_counter() - began
        del result
        return elapsed / inner

    return sample


def flushed(call: Call, device: str) -> Call:
    """The call behind a write of so much memory that nothing of its inputs is left in the L2 cache (CUDA)."""
    flush = _flush(device)

    def cold_call() -> object:
        flush.zero_()
        return call()

    return cold_call


def _flush(device: str) -> torch.Tensor:
    cache = getattr(torch.cuda.get_device_properties(0), "L2_cache_size", 64 << 20)
    # So large that the host has enqueued the call before the flush is over: the host's overhead is not measured.
    size = min(max(1 << 30, 8 * cache), torch.cuda.mem_get_info()[0] // 4)
    return torch.empty(size, dtype=torch.int8, device=device)


def _cold(device: str) -> Callable[[Call, int], float]:
    if device != "cuda":
        raise ValueError(f"the cold clock needs CUDA events, the device is {device!r}")
    flush = _flush(device)

    def sample(call: Call, inner: int) -> float:
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        flush.zero_()
        begin.record()
        for _ in range(inner):
            result = call()
        end.record()
        end.synchronize()
        del result
        return begin.elapsed_time(end) * 1e-3 / inner

    return sample
