"""A model of the sampler's time on a card, from its machine code alone: memory time against issue time.

It is a limit on paper, not a measurement. Its constants stand in this file, each with its source.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.control_flow import Loop
from benchmarks.disassembly import Kernel
from benchmarks.workloads import Workload


@dataclass(frozen=True)
class Card:
    name: str
    architecture: int
    multiprocessors: int  # NVIDIA H100 and H200 data sheets and whitepaper: 132 on the SXM boards
    clock: float  # Hz; below the boost of 1.98 GHz that the data sheets' peak rates follow from
    slots: int  # warp instructions issued per cycle by a multiprocessor: one by each of four schedulers (whitepaper)
    copy: float  # bytes per second, read and written, that a copy reaches when measured
    cache: int = 50 << 20  # bytes of the second cache (data sheets)

    @property
    def issued(self) -> float:
        """Warp instructions per second."""
        return self.multiprocessors * self.clock * self.slots


CARDS = (
    Card("H100", 90, 132, 1.7e9, 4, 3.0e12),  # measured: 3.0 TB/s of the 3.35 that the data sheet names
    Card("H200", 90, 132, 1.7e9, 4, 4.3e12),  # measured: 4.3 TB/s of the 4.8 that the data sheet names
)

# Registers, shared memory, threads and blocks of a multiprocessor: CUDA C++ Programming Guide, "Technical
# specifications per compute capability". The driver keeps 1 KiB of shared memory for every block from 8.0 on.
_SHARED = {75: 64, 80: 164, 90: 228, 100: 228}  # KiB
_THREADS = {75: 1024, 80: 2048, 90: 2048, 100: 2048}
_BLOCKS = {75: 16, 80: 32, 90: 32, 100: 32}
_REGISTERS = 65536  # given to warps 256 at a time


def resident_blocks(kernel: Kernel, threads: int) -> int:
    """Blocks of so many threads that a multiprocessor of the kernel's architecture holds at once."""
    architecture, warps = kernel.architecture, (threads + 31) // 32
    of_warp = -(-max(kernel.registers, 1) * 32 // 256) * 256
    kept = 0 if architecture < 80 else 1024
    return min(
        _BLOCKS[architecture],
        _THREADS[architecture] // threads,
        _REGISTERS // of_warp // warps,
        _SHARED[architecture] * 1024 // max(kernel.shared + kept, 1),
    )


# ---- the counts of csrc/cuda on which the number of instructions depends

RUN = 4  # kRun: rows that a thread of gather writes in one pass
GRAD_RUN = 8  # kGradRun: of gather_backward
AHEAD = 4  # kAhead: rows that one round of gather_backward's loop over samples reads
ROW_THREADS = 256  # kRowThreads: of a block, which go over a row of gather together
VIDEO_THREADS = 512  # kBlock: of a block that works on a video or a part of one
GRAD_THREADS = 128  # kGradThreads: of a block of gather_backward, where each thread has one piece of a row
WARP_SEARCH = 3  # rounds of a search of a warp among 2000 timestamps
SEARCH = 11  # rounds of a search of one thread
SHORT = 2  # rounds of a loop over the runs of a block


@dataclass(frozen=True)
class Count:
    """Instructions of one thread, on average."""

    all: float
    slow: float  # of them, those that a pipe of half the issue rate takes
    packs: float  # of 16 bytes that the thread stores

    @property
    def per_pack(self) -> float:
        return self.all / self.packs

    @property
    def cycles(self) -> float:
        """Issue slots that it takes: a slow instruction keeps its pipe for two."""
        return max(self.all, 2 * self.slow)


def _with_outer(loops: Sequence[tuple[Loop, int | None]], holds: list[bool]) -> list[bool]:
    """What holds of a loop holds of those around it, which come before it."""
    for i in reversed(range(len(loops))):
        around = loops[i][1]
        if around is not None and holds[i]:
            holds[around] = True
    return holds


def count(kernel: Kernel, passes: int = 1) -> Count:
    """The instructions of a thread that goes over its rows in so many passes of 16 bytes each.

    The longest way through the code is taken: every branch as its longer side, whatever only some warps do as if all
    did it, and every loop as often as it runs where as many samples as rows lie evenly over a video.
    """
    by_sample = kernel.name.startswith("gather_backward_kernel")
    rows = GRAD_RUN if by_sample else RUN if kernel.name.startswith("gather_kernel") else 1
    loops = kernel.flow.loops()
    moves = _with_outer(loops, [bool(loop.loads or loop.stores) for loop, _ in loops])  # rows
    fetches = _with_outer(loops, [bool(loop.prefetches) for loop, _ in loops])  # in advance, in few blocks
    parts: list[tuple[Loop, float]] = [(kernel.flow.straight(), 1)]
    others = [loop for i, (loop, _) in enumerate(loops) if not moves[i] and not fetches[i]]
    searches = [(loop, WARP_SEARCH if loop.votes else SEARCH) for loop in others if loop.lookups]
    if searches:  # one of float32 timestamps, and one of float64
        parts.append(max(searches, key=lambda search: search[0].length * search[1]))
    parts += [(loop, SHORT) for loop in others if not loop.lookups]
    writes = [loop for loop, _ in loops if by_sample and loop.stores and not loop.loads]
    parts += [(loop, passes * rows / len(writes)) for loop in writes]
    for (loop, around), moving in zip(loops, moves, strict=True):
        if moving and loop not in writes:
            parts.append((loop, passes if around is None else passes * (rows + 1) / AHEAD))
    return Count(
        sum(part.length * times for part, times in parts),
        sum(part.slow * times for part, times in parts),
        passes * rows,
    )


def sampler_seconds(T: int) -> float:
    """Weights, scan and inversion of videos of at most 2048 snippets, C = 20, from a reading of the machine code.

    4 us for the launch, the first dependent loads and the inversion, and 1.25 us per 512 snippets for one round of
    loads of the CAS from memory and one round of the scan.
    """
    return 4e-6 + 1.25e-6 * -(-T // 512)


STARTED = 2e-6  # seconds after the sampler's start from which on blocks of the gather fetch rows into the second cache


def exposed_seconds(card: Card, workload: Workload) -> float:
    """What is left of the sampler's time beside the rows that gather_kernel fetches meanwhile, on cards from 9.0 on.

    At most half of the second cache is filled, as fast as a copy runs.
    """
    sampler = sampler_seconds(workload.T)
    fetched = min(card.cache / 2, workload.B * workload.T * workload.D * size_of(workload)) / card.copy
    return sampler - min(fetched, sampler - STARTED) if card.architecture >= 90 else sampler


def size_of(workload: Workload) -> int:
    return 4 if workload.dtype == "float32" else 2


@dataclass(frozen=True)
class Estimate:
    """What the model says about one pass of the sampler over a batch. Times in seconds."""

    memory: float  # the copy's: the features read once and written once
    issue: float  # to issue all instructions
    sampler: float  # that nothing hides; 0 in the backward pass, which takes the timestamps that are there

    @property
    def share(self) -> float:
        """Of the copy's bandwidth. A quarter of the smaller of memory and issue time is taken as not hidden."""
        moving = max(self.memory, self.issue) + min(self.memory, self.issue) / 4
        return self.memory / (self.sampler + moving)


def estimate(kernel: Kernel, card: Card, workload: Workload, forward: bool) -> Estimate:
    packs = workload.D * size_of(workload) // 16
    counted = count(kernel, -(-packs // ROW_THREADS) if forward else 1)
    elements = workload.B * workload.T * packs  # packs stored by all threads together
    warps = elements / counted.packs / 32
    return Estimate(
        memory=2 * 16 * elements / card.copy,
        issue=warps * counted.cycles / card.issued,
        sampler=exposed_seconds(card, workload) if forward else 0.0,
    )


def goal_sizes() -> Sequence[Workload]:
    return [
        Workload(B=16, T=T, D=D, C=20, dtype=dtype)
        for dtype in ("float32", "bfloat16")
        for T in (2000, 1000)
        for D in (1024, 2048)
    ]
