"""A bug of each kind, planted in a copy of the sources, is caught: the checks of test_sanitizers.py can fail."""

import os
import re
import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from emulation import toolchain
from emulation.toolchain import CSRC, DRIVER, OPTIONS, Unit, compiled, linked, run


@dataclass(frozen=True)
class Bug:
    """`old` becomes `new` in `file`; `operation`, in `unit`, then fails under the sanitizer, saying `says`."""

    kind: str
    file: str
    old: str
    new: str
    unit: str
    operation: str
    sanitizer: str
    says: str


BARRIER = "    __syncthreads();\n"
DIVERGENT = "    if (threadIdx.x < 100) __syncthreads();\n"
PADDING = "    for (int64_t k = n + threadIdx.x; k < p.snippets && writes; k += kBlock) out[k] = 0;\n"
SCANNED = "        total += sum;\n    }\n"
HELD = "    __syncthreads();  // also: the weights may lie where the masses go now\n"
FIRST = "    __syncthreads();  // the scratch may still be read from the call before\n"
OWN = "        weights = reinterpret_cast<A*>(held + kHeld);\n"
GUARD = 'if (device != previous_) check(cudaSetDevice(device), "cudaSetDevice");'

BUGS = [
    Bug(
        "reads the row beyond the last",
        "cuda/gather.cu",
        "read.fraction != 0 && row + 1 < n ? read.from + bytes : read.from",
        "read.from + bytes",
        "cuda/gather.cu",
        "gather",
        "address",
        "heap-buffer-overflow",
    ),
    Bug(
        "shared memory for a warp too few",
        "cuda/timestamps.cu",
        "__shared__ double scratch[kWarps];",
        "__shared__ double scratch[kWarps - 1];",
        "cuda/timestamps.cu",
        "sampling",
        "address",
        "use-after-poison",
    ),
    Bug(
        "wide accesses to unaligned rows",
        "cuda/rows.cuh",
        "dims % width == 0 && aligned(base) &&",
        "dims % width == 0 &&",
        "cuda/gather.cu",
        "gather",
        "address",
        "misaligned address",
    ),
    Bug(
        "masses beyond 63 bits",
        "cumulation.h",
        "ldexp(1.0, 60 -",
        "ldexp(1.0, 63 -",
        "cuda/timestamps.cu",
        "sampling",
        "address",
        "signed integer overflow",
    ),
    Bug(
        "a barrier that some threads miss",
        "cuda/timestamps.cu",
        PADDING + BARRIER,
        PADDING + DIVERGENT,
        "cuda/timestamps.cu",
        "sampling",
        "address",
        "divergent block",
    ),
    Bug(
        "a barrier that some threads miss",
        "cuda/timestamps.cu",
        PADDING + BARRIER,
        PADDING + DIVERGENT,
        "cuda/timestamps.cu",
        "sampling",
        "thread",
        "divergent block",
    ),
    Bug(
        "a shuffle that some lanes miss",
        "cuda/gather.cu",
        "sum = warp_reduce(sum, Add());",
        "if (threadIdx.x < 16) sum = warp_reduce(sum, Add());",
        "cuda/gather.cu",
        "gather_backward_timestamps",
        "address",
        "divergent block",
    ),
    Bug(
        "no barrier between cumulating masses and searching them",
        "cuda/timestamps.cu",
        SCANNED + BARRIER,
        SCANNED,
        "cuda/timestamps.cu",
        "sampling",
        "thread",
        "data race",
    ),
    Bug(
        "no barrier between weights and masses in the same memory",
        "cuda/timestamps.cu",
        HELD,
        "",
        "cuda/timestamps.cu",
        "sampling",
        "thread",
        "data race",
    ),
    Bug(
        "no barrier before shared memory is used again",
        "cuda/block.cuh",
        FIRST,
        "",
        "cuda/timestamps_backward.cu",
        "weights_backward",
        "thread",
        "data race",
    ),
    Bug(
        "all lanes write one word of shared memory",
        "cuda/block.cuh",
        "if (lane == 0) scratch[warp] = value;",
        "scratch[warp] = value;",
        "cuda/timestamps.cu",
        "sampling",
        "thread",
        "data race",
    ),
    Bug(
        "no barrier between finding a run's samples and using them",
        "cuda/gather.cu",
        "__syncthreads();\n    int begin",
        "int begin",
        "cuda/gather.cu",
        "gather_backward",
        "thread",
        "data race",
    ),
    Bug(
        "more shares than there is shared memory for",
        "cuda/gather.cu",
        "known[kWarpsOfGrad][kKnown]",
        "known[kWarpsOfGrad][kKnown / 4]",
        "cuda/gather.cu",
        "gather_backward",
        "address",
        "out of bounds",
    ),
    Bug(
        "several blocks weigh one video in place",
        "cuda/timestamps.cu",
        OWN,
        "",
        "cuda/timestamps.cu",
        "sampling",
        "thread",
        "data race",
    ),
    Bug(
        "a block reads weights that the next one writes",
        "cuda/timestamps.cu",
        "summaries[blockIdx.x + 1].first",
        "static_cast<double>(weights[behind])",
        "cuda/timestamps.cu",
        "sampling",
        "thread",
        "data race",
    ),
    Bug(
        "all parts of a video write one sum",
        "cuda/timestamps_backward.cu",
        "to.total[blockIdx.x] = total",
        "to.total[0] = total",
        "cuda/timestamps_backward.cu",
        "timestamps_backward",
        "thread",
        "data race",
    ),
    Bug(
        "shared memory is read that nobody has written",
        "cuda/block.cuh",
        "if (lane == 0) scratch[warp] = value;",
        "if (lane == 0 && warp != 3) scratch[warp] = value;",
        "cuda/timestamps.cu",
        "sampling",
        "address",
        "on the CPU",
    ),
    Bug(
        "more shared memory than there is",
        "cuda/timestamps.cu",
        "kHeld = 2048;",
        "kHeld = 4096;",
        "cuda/timestamps.cu",
        "sampling",
        "address",
        "more than 48 KB of shared memory",
    ),
    Bug(
        "a block larger than the launch bounds",
        "cuda/gather.cu",
        "__launch_bounds__(kRowThreads, kGatherBlocks)",
        "__launch_bounds__(kRowThreads / 2, kGatherBlocks)",
        "cuda/gather.cu",
        "gather",
        "address",
        "larger than the launch bounds",
    ),
    Bug(
        "the tensors' device is not made current",
        "cuda/launch.h",
        GUARD,
        "",
        "cuda/align.cu",
        "align",
        "address",
        "launched on device 0",
    ),
    Bug(
        "the caller's device is not made current again",
        "cuda/launch.h",
        "changed_ = device != previous_;",
        "changed_ = false;",
        "cuda/align.cu",
        "align",
        "address",
        "then device 1 is current",
    ),
    Bug(
        "another stream than torch's",
        "cuda/launch.h",
        "static_cast<cudaStream_t>(on.stream)",
        "nullptr",
        "cuda/align.cu",
        "align",
        "address",
        "on another stream",
    ),
    Bug(
        "pieces of work of the CPU that overlap",
        "cpu/parallel.h",
        "std::min(begin + block, snippets)",
        "std::min(begin + block + 1, snippets)",
        "cpu/gather.cpp",
        "gather",
        "thread",
        "data race",
    ),
]


def without(element: Path, dtypes: tuple[str, ...]) -> None:
    """Leave out element types, for which the kernels then throw: less to compile, and two types show every bug here."""
    text = element.read_text()
    for dtype in dtypes:
        text, found = re.subn(
            rf"        case Dtype::{dtype}:\n            return body\(Type<\w+>{{}}\);\n", "", text, count=1
        )
        assert found, f"{element} has changed: it has no case {dtype}"
    element.write_text(text)


def planted(bug: Bug, folder: Path, driver: Path, flags: tuple[str, ...]) -> Path:
    """The driver with the one source of the bug compiled anew; its object comes first, so its templates are used."""
    sources = folder / "csrc"
    shutil.copytree(CSRC, sources)
    text = (sources / bug.file).read_text()
    assert bug.old in text, f"{bug.file} has changed: {bug.old!r} is not in it"
    (sources / bug.file).write_text(text.replace(bug.old, bug.new, 1))
    without(sources / "element.h", ("f16", "f64"))
    (original,) = (unit for unit in DRIVER if unit.source == CSRC / bug.unit)
    wrong = compiled(Unit(sources / bug.unit, original.flags), folder, flags)
    others = [path for path in sorted(driver.parent.glob("*.o")) if path.name != wrong.name]
    return linked([wrong, *others], folder / "driver", flags)


@pytest.fixture(scope="module")
def drivers(build_folder: Path, address_driver: Path, thread_driver: Path) -> list[Future]:
    """A driver per bug, built side by side."""
    base = {"address": (address_driver, toolchain.ADDRESS), "thread": (thread_driver, toolchain.THREAD)}
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return [pool.submit(planted, b, build_folder / f"bug{i}", *base[b.sanitizer]) for i, b in enumerate(BUGS)]


@pytest.mark.parametrize("index", range(len(BUGS)), ids=[f"{b.sanitizer}: {b.kind}" for b in BUGS])
def test_a_planted_bug_is_caught(drivers: list[Future], index: int) -> None:
    bug, driver = BUGS[index], drivers[index].result()
    small = ["small"] if bug.sanitizer == "thread" else []
    done = run(driver, *small, bug.operation, env=OPTIONS)
    assert done.returncode != 0
    assert bug.says in done.stdout + done.stderr
