"""What is read from machine code, and what the model makes of it, without nvcc."""

import pytest

from benchmarks import disassembly, machine_model
from benchmarks.control_flow import Instruction
from benchmarks.disassembly import Kernel, readable
from benchmarks.machine_model import CARDS, count, estimate, exposed_seconds, goal_sizes, resident_blocks

# Two ways to a loop of one block, a rare way through a subroutine, and what follows the kernel itself.
LISTING = """
.text._ZN4amsx4cuda13gather_kernelIfLi4EEEvNS_10RowsParamsE:
        /*0000*/                   S2R R0, SR_TID.X ;
        /*0010*/               @P0 BRA `(.L_x_1) ;
        /*0020*/                   IMAD R1, R1, R2, R3 ;
        /*0030*/                   IMAD R1, R1, R2, R3 ;
        /*0040*/                   BRA `(.L_x_2) ;
.L_x_1:
        /*0050*/                   MOV R4, 0x150 ;
        /*0060*/                   MOV R5, 0x150 ;
        /*0070*/                   MOV R6, 0x150 ;
        /*0080*/                   CALL.REL.NOINC `($__internal_0_$__cuda_sm20_div_s64) ;
.L_x_2:
        /*0090*/                   LDG.E.128 R8, desc[UR8][R2.64] ;
        /*00a0*/                   LOP3.LUT R8, R8, 0xffff, RZ, 0xc0, !PT ;
        /*00b0*/              @!P1 LDG.E R12, desc[UR8][R4.64] ;
        /*00c0*/                   STG.E.128 desc[UR8][R6.64], R8 ;
        /*00d0*/              @!P1 BRA `(.L_x_2) ;
        /*00e0*/                   EXIT ;
        /*00f0*/                   NOP;
$__internal_0_$__cuda_sm20_div_s64:
        /*0100*/                   RET.REL.NODEC R8 `(gather) ;
"""


@pytest.fixture
def kernel() -> Kernel:
    blocks = disassembly._blocks(LISTING.splitlines())
    return Kernel("gather_kernel<float32, 4>", 90, 60, 0, 4096, blocks)


def test_names() -> None:
    prefix = "_ZN4amsx4cuda41_GLOBAL__N__f29d6473_9_gather_cu_b98411b3"
    assert readable(f"{prefix}22gather_backward_kernelINS_8BFloat16ELi8EEEvNS_10RowsParamsEi") == (
        "gather_backward_kernel<bfloat16, 8>"
    )
    assert readable(f"{prefix}15sampling_kernelIffEEvNS_14SamplingParamsE") == "sampling_kernel<float32>"
    assert readable("something else") == "something else"


def test_loops_and_the_longest_way(kernel: Kernel) -> None:
    straight = kernel.flow.straight()
    assert straight.length == 6  # of the two ways the one that calls nothing, and the end
    ((loop, around),) = kernel.flow.loops()
    assert around is None
    assert (loop.depth, loop.length, loop.slow) == (1, 5, 1)
    assert (loop.loads, loop.stores, loop.lookups) == (1, 1, 1)
    assert kernel.wide_share == pytest.approx(2 / 3)
    assert sum(len(block.instructions) for block in kernel.blocks) == 15
    assert Instruction("EXIT", "", False) in kernel.blocks[-2].instructions


def test_the_count_grows_with_the_passes(kernel: Kernel) -> None:
    once, twice = count(kernel), count(kernel, 2)
    assert once.all == 11
    assert twice.all == 16
    assert once.per_pack == pytest.approx(11 / 4)


@pytest.mark.parametrize(
    ("registers", "shared", "threads", "blocks"),
    [(60, 0, 256, 4), (65, 0, 256, 3), (32, 0, 256, 8), (20, 60_000, 128, 3), (16, 0, 32, 32)],
)
def test_resident_blocks(registers: int, shared: int, threads: int, blocks: int) -> None:
    assert resident_blocks(Kernel("k", 90, registers, 0, shared, ()), threads) == blocks


def test_estimates(kernel: Kernel) -> None:
    h100, h200 = CARDS
    for workload in goal_sizes():
        slow, fast = (estimate(kernel, card, workload, True) for card in (h100, h200))
        assert slow.memory / fast.memory == pytest.approx(h200.copy / h100.copy)
        assert slow.issue == fast.issue
        assert 0 < slow.sampler <= machine_model.sampler_seconds(workload.T)
        assert 0 < fast.share <= slow.share < 1
        assert estimate(kernel, h100, workload, False).sampler == 0


def test_a_card_that_cannot_overlap_kernels_waits_for_the_sampler() -> None:
    workload = goal_sizes()[0]
    older = machine_model.Card("older", 80, 108, 1.4e9, 4, 1.3e12)
    assert exposed_seconds(older, workload) == machine_model.sampler_seconds(workload.T)
