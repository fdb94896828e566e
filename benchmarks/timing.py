"""Contenders side by side in one process: A B C A B C ..., so that whatever the machine does befalls all alike."""

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
    """A rival cannot run here; the message says why. Its row is printed with that reason."""


@dataclass(frozen=True)
class Contender:
    """One of those that are compared."""

    name: str
    prepare: Callable[[], Call]  # compiles, captures, builds the graph: outside of what is timed
    bytes: int | None = None  # declared: inputs read once, outputs written once
    limit: int | None = None  # at most so many rounds, for the slow
    inner: int = 1  # calls per sample, for those too short to time alone


def ready(call: Call) -> Callable[[], Call]:
    """The `prepare` of a call that needs no preparation."""
    return lambda: call


@dataclass(frozen=True)
class Spread:
    """Samples, summarized."""

    minimum: float
    lower: float  # first quartile
    median: float
    upper: float  # third quartile
    count: int

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
    """Name -> spread of its seconds per call, or the reason why it could not run.

    Clock "wall": the host's, until the result is there. "cold" (CUDA): the device's, between events, with the L2 cache
    flushed before each call. In round k every contender with a `limit` above k is called once, in the given order;
    rounds end when `seconds` have passed, but not before three.
    """
    sample = _cold(device) if clock == "cold" else _wall(device)
    calls: dict[str, Call] = {}
    results: dict[str, Spread | str] = {}
    for contender in contenders:
        try:
            call = contender.prepare()
            call()  # once for what happens once: compilation, caches, the allocator's first growth
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


def keep_freed_memory() -> str:
    """Lets glibc reuse what is freed instead of returning it; says which allocator the figures stand on.

    By default an output of some megabytes may be mapped anew at every call, and page faults, several times as slow
    as the copy, fall upon one contender and not the next. CUDA's caching allocator needs no such thing.
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
            result = call()  # held until the next: freeing is the next one's business, for all alike
        if device == "cuda":
            torch.cuda.synchronize()
        elapsed = time.perf_counter() - began
        del result
        return elapsed / inner

    return sample


def _cold(device: str) -> Callable[[Call, int], float]:
    if device != "cuda":
        raise ValueError(f"the cold clock needs CUDA events, the device is {device!r}")
    cache = getattr(torch.cuda.get_device_properties(0), "L2_cache_size", 64 << 20)
    # Large enough that the host has enqueued the call before the flush is over, so that its overhead does not show.
    size = min(max(1 << 30, 8 * cache), torch.cuda.mem_get_info()[0] // 4)
    flush = torch.empty(size, dtype=torch.int8, device=device)

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
