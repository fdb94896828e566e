"""What the machine code of the CUDA kernels says: registers, resident blocks, instructions, modelled bandwidth.

No GPU is needed, only nvcc and nvdisasm. tests/emulation/test_compile_gate.py holds the kernels to limits.
"""

import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.disassembly import SOURCES, Kernel, NoToolError, kernels, missing_tool
from benchmarks.machine_model import (
    CARDS,
    GRAD_THREADS,
    ROW_THREADS,
    VIDEO_THREADS,
    Card,
    Estimate,
    count,
    estimate,
    goal_sizes,
    resident_blocks,
)
from benchmarks.rows import Row
from benchmarks.settings import Settings
from benchmarks.timing import Spread
from benchmarks.workloads import DIRECTIONS, Workload

GROUP = "machine-code"
ARCHITECTURES = (75, 80, 90, 100)
GOAL = 0.85  # of the copy's bandwidth
KERNELS = tuple(sorted(path.name for path in SOURCES.glob("*.cu")))


def run(settings: Settings) -> list[Row]:
    missing = missing_tool()
    if missing is not None:
        print(f"\n{GROUP}: {missing}")
        return [Row(GROUP, "machine code", GROUP, {}, unit="instructions", note=missing)]
    architectures, names = ((90,), ("align.cu",)) if settings.quick else (ARCHITECTURES, KERNELS)
    found = disassembled(architectures, names)
    rows = [_row_of_kernel(kernel) for kernel in found if _shown(kernel)]
    print_kernels(found)
    estimates = estimates_of(found)
    print_estimates(estimates)
    return rows + [
        Row(
            GROUP,
            f"{case.direction} {case.workload.name}, modelled",
            case.card.name,
            case.workload.parameters(case.direction),
            unit="%",
            spread=Spread.of([100 * of.share]),
            details=vars(of) | {"modelled": True},
        )
        for case, of in estimates
    ]


@dataclass(frozen=True)
class Case:
    """A pass over a batch on a card."""

    direction: str  # forward or backward
    workload: Workload
    card: Card

    @property
    def kernel(self) -> str:
        """The kernel that moves the rows."""
        name = "gather_kernel" if self.direction == "forward" else "gather_backward_kernel"
        return f"{name}<{self.workload.dtype}, {4 if self.workload.dtype == 'float32' else 8}>"


def estimates_of(found: Sequence[Kernel]) -> list[tuple[Case, Estimate]]:
    """The model's estimates at the goal sizes, of the cards whose architecture is among the kernels'."""
    table = {(kernel.name, kernel.architecture): kernel for kernel in found}
    cases = [Case(d, workload, card) for d in DIRECTIONS for workload in goal_sizes() for card in CARDS]
    return [
        (case, estimate(kernel, case.card, case.workload, case.direction == "forward"))
        for case in cases
        if (kernel := table.get((case.kernel, case.card.architecture))) is not None
    ]


def disassembled(architectures: Iterable[int], names: Sequence[str] = KERNELS) -> list[Kernel]:
    """All kernels of the named sources. Architectures that this nvcc does not know are left out, and said."""
    jobs = [(SOURCES / name, architecture) for architecture in architectures for name in names]
    found: list[Kernel] = []
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(max_workers=2) as pool:
        futures = [(job, pool.submit(kernels, *job, Path(folder))) for job in jobs]
        for (source, architecture), future in futures:
            try:
                found += future.result()
            except NoToolError as error:
                if "Unsupported gpu architecture" not in str(error) and "is not defined" not in str(error):
                    raise
                print(f"{source.name}: this nvcc does not compile for sm_{architecture}")
    return found


def _shown(kernel: Kernel) -> bool:
    """Kernels of rows that are not aligned, 1 element at a time, are left out of the table."""
    return not kernel.name.endswith(", 1>")


def blocks_of(kernel: Kernel) -> int:
    """The blocks of a kernel that a multiprocessor holds at once."""
    if kernel.name.startswith("gather_backward_kernel"):
        return resident_blocks(kernel, GRAD_THREADS)
    of_videos = kernel.name.startswith(("sampling", "long", "sample_sums", "timestamps"))
    return resident_blocks(kernel, VIDEO_THREADS if of_videos else ROW_THREADS)


def _row_of_kernel(kernel: Kernel) -> Row:
    counted = count(kernel)
    details = {
        "registers": kernel.registers,
        "spilled_bytes": kernel.spilled,
        "shared_bytes": kernel.shared,
        "resident_blocks": blocks_of(kernel),
        "share_of_128_bit_accesses": kernel.wide_share,
    }
    spread = Spread.of([counted.per_pack])
    return Row(GROUP, f"sm_{kernel.architecture}", kernel.name, {}, unit="instructions", spread=spread, details=details)


def print_kernels(found: Sequence[Kernel]) -> None:
    print(f"\n{GROUP}: of every kernel and architecture: registers, bytes spilled, resident blocks; and, of those that")
    print("move rows, instructions per 16 bytes stored, share of 128-bit accesses")
    architectures = sorted({kernel.architecture for kernel in found})
    table = {(kernel.name, kernel.architecture): kernel for kernel in found if _shown(kernel)}
    print("| kernel | " + " | ".join(f"sm_{a}" for a in architectures) + " |")
    print("| --- |" + " --- |" * len(architectures))
    for name in sorted({name for name, _ in table}):
        cells = [_cell(table[name, a]) if (name, a) in table else "-" for a in architectures]
        print(f"| `{name}` | " + " | ".join(cells) + " |", flush=True)


def _cell(kernel: Kernel) -> str:
    cell = f"{kernel.registers}, {kernel.spilled}, {blocks_of(kernel)}"
    if _moves_rows(kernel):
        cell += f"; {count(kernel).per_pack:.0f}, {100 * (kernel.wide_share or 0):.0f} %"
    return cell


def _moves_rows(kernel: Kernel) -> bool:
    return bool(kernel.wide_share)


def print_estimates(estimates: Sequence[tuple[Case, Estimate]]) -> None:
    print(f"\n{GROUP}: modelled, not measured (benchmarks/machine_model.py): time of a copy, time to issue all")
    print("instructions, time of the sampler that the gather waits for, and the share of the copy's bandwidth")
    print("| B 16, C 20 | card | copy | issue | sampler | share |")
    print("| --- | --- | --- | --- | --- | --- |")
    for case, of in estimates:
        size = f"{case.direction} {case.workload.dtype} T {case.workload.T}, D {case.workload.D}"
        times = " | ".join(f"{1e6 * seconds:.1f} us" for seconds in (of.memory, of.issue, of.sampler))
        print(f"| {size} | {case.card.name} | {times} | {100 * of.share:.0f} %{_why(of)} |", flush=True)


def _why(of: Estimate) -> str:
    """What keeps an estimate from the goal."""
    if of.share >= GOAL:
        return ""
    without_sampler = Estimate(of.memory, of.issue, 0.0).share
    return ", short by the sampler's time" if without_sampler >= GOAL else ", short by the issue of instructions"
