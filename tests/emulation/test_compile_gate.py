"""What nvcc makes of the kernels: no register spills, few registers, few instructions, and wide accesses.

The figures are those of `python -m benchmarks run machine-code`, which explains them.
"""

from dataclasses import dataclass

import pytest

from benchmarks import machine_code
from benchmarks.disassembly import Kernel, missing_tool
from benchmarks.machine_code import blocks_of, disassembled, estimates_of
from benchmarks.machine_model import count

pytestmark = pytest.mark.skipif(missing_tool() is not None, reason=f"machine code cannot be read: {missing_tool()}")


@dataclass(frozen=True)
class Limit:
    """What a kernel may take of one architecture."""

    registers: int  # of a thread, at most
    blocks: int  # resident on a multiprocessor, at least
    instructions: int  # of a thread for every 16 bytes that it stores, at most
    wide: float  # share of 128-bit accesses in loops, at least: what else is read there is timestamps


LIMITS = {
    (90, "gather_kernel<float32, 4>"): Limit(64, 4, 80, 1.0),
    (90, "gather_kernel<bfloat16, 8>"): Limit(64, 4, 125, 1.0),
    (90, "gather_kernel<float16, 8>"): Limit(64, 4, 125, 1.0),
    (90, "gather_backward_kernel<float32, 4>"): Limit(80, 6, 120, 0.8),
    (90, "gather_backward_kernel<bfloat16, 8>"): Limit(80, 6, 160, 0.8),
    (90, "gather_backward_kernel<float16, 8>"): Limit(80, 6, 160, 0.8),
    (100, "gather_kernel<float32, 4>"): Limit(80, 3, 85, 1.0),
    (100, "gather_kernel<bfloat16, 8>"): Limit(80, 3, 125, 1.0),
    (100, "gather_kernel<float16, 8>"): Limit(80, 3, 125, 1.0),
    (100, "gather_backward_kernel<float32, 4>"): Limit(80, 6, 130, 0.8),
    (100, "gather_backward_kernel<bfloat16, 8>"): Limit(80, 6, 170, 0.8),
    (100, "gather_backward_kernel<float16, 8>"): Limit(80, 6, 170, 0.8),
}


@pytest.fixture(scope="module")
def found() -> dict[tuple[int, str], Kernel]:
    kernels = [*disassembled((90,)), *disassembled((100,), ("gather.cu",))]
    return {(kernel.architecture, kernel.name): kernel for kernel in kernels}


def test_no_kernel_spills(found: dict[tuple[int, str], Kernel]) -> None:
    assert len({name for _, name in found}) >= 40
    assert {key: kernel.spilled for key, kernel in found.items() if kernel.spilled} == {}


@pytest.mark.parametrize("key", LIMITS, ids=lambda key: f"sm_{key[0]} {key[1]}")
def test_limits(found: dict[tuple[int, str], Kernel], key: tuple[int, str]) -> None:
    if key[0] not in {architecture for architecture, _ in found}:
        pytest.skip(f"this nvcc does not compile for sm_{key[0]}")
    kernel, limit = found[key], LIMITS[key]
    assert kernel.registers <= limit.registers
    assert blocks_of(kernel) >= limit.blocks
    assert count(kernel).per_pack <= limit.instructions
    assert kernel.wide_share is not None
    assert kernel.wide_share >= limit.wide


def test_the_modelled_share_of_the_bandwidth(found: dict[tuple[int, str], Kernel]) -> None:
    estimates = estimates_of(list(found.values()))
    assert len(estimates) == 32
    for case, of in estimates:
        without_sampler = of.memory / (of.memory / of.share - of.sampler)
        assert without_sampler >= machine_code.GOAL, case
