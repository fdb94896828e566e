"""The CPU kernels give the same bits with every instruction set, and AMSX_ISA chooses one."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ops.cases import DIMS, Case, cases
from torch import Tensor

import amsx
from amsx.choices import Aggregate, Mode
from amsx.ops import native

ISAS: list[str] = native.build()["isas"]
INTEGERS = {torch.float16: torch.int16, torch.bfloat16: torch.int16, torch.float32: torch.int32}
NAN16 = 0x7FFF  # kNan16 of csrc/element.h


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    before = native._core().isa()
    yield
    native._core().use_isa(before)


def bits(x: Tensor) -> Tensor:
    """The bits of `x`. The processor chooses among the NaN of float32 and float64: all of them become the same one."""
    if x.dtype not in (torch.float16, torch.bfloat16):
        x = torch.where(x.isnan(), torch.nan, x)
    return x.view(INTEGERS.get(x.dtype, torch.int64))


def outputs(feats: Tensor, case: Case, aggregate: Aggregate, mode: Mode) -> list[Tensor]:
    """What every op and every gradient gives for the features and the case's CAS, both of one dtype."""
    feats = feats.clone().requires_grad_()
    cas = case.cas.to(feats.dtype).requires_grad_()
    sampled = amsx.adaptive_sample(
        feats,
        cas,
        labels=case.labels,
        lengths=case.lengths,
        eta=case.eta,
        interp_factor=case.interp_factor,
        aggregate=aggregate,
        mode=mode,
    )
    aligned = amsx.align_cas(sampled.feats, sampled.timestamps, case.lengths)
    aligned.backward(torch.linspace(-1, 1, aligned.numel(), dtype=aligned.dtype).reshape(aligned.shape))
    assert feats.grad is not None
    grads = [feats.grad] if cas.grad is None else [feats.grad, cas.grad]
    return [sampled.feats.detach(), sampled.timestamps.detach(), aligned.detach(), *grads]


def compare(feats: Tensor, case: Case, aggregate: Aggregate = "max", mode: Mode = "grid") -> None:
    native._core().use_isa("scalar")
    expected = outputs(feats, case, aggregate, mode)
    for isa in ISAS[1:]:
        native._core().use_isa(isa)
        for a, b in zip(outputs(feats, case, aggregate, mode), expected, strict=True):
            assert torch.equal(bits(a), bits(b)), isa


@settings(max_examples=50)
@given(
    cases(dims=[*DIMS, 16, 64]),
    st.sampled_from([torch.float16, torch.bfloat16, torch.float32, torch.float64]),
    st.sampled_from(["max", "mean"]),
    st.sampled_from(["grid", "continuous"]),
)
def test_same_bits(case: Case, dtype: torch.dtype, aggregate: Aggregate, mode: Mode) -> None:
    compare(case.feats.to(dtype), case, aggregate, mode)


@settings(max_examples=40)
@given(cases(dims=[17, 64]), st.sampled_from([torch.float16, torch.bfloat16, torch.float32]), st.integers(0, 2**31))
def test_same_bits_of_any_bits(case: Case, dtype: torch.dtype, seed: int) -> None:
    """Subnormals, infinities and NaN of every payload among the features."""
    kind = INTEGERS[dtype]
    limits = torch.iinfo(kind)
    generator = torch.Generator().manual_seed(seed)
    raw = torch.randint(limits.min, limits.max, case.feats.shape, generator=generator, dtype=kind)
    compare(raw.view(dtype), case)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("dims", [1024, 1023])  # rows that are written past the caches, and rows that are not aligned
def test_same_bits_of_a_large_output(dtype: torch.dtype, dims: int) -> None:
    torch.manual_seed(0)
    snippets = 13 * 2**20 // (dims * dtype.itemsize)
    feats = torch.randn(1, snippets, dims).to(dtype)
    compare(feats, Case(feats, torch.rand(1, snippets, 20, dtype=torch.float64), None, None, 0.75, 20))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_one_nan_of_16_bits(isa: str, dtype: torch.dtype) -> None:
    native._core().use_isa(isa)
    feats = torch.full((1, 4, 21), -torch.nan, dtype=dtype)
    assert (amsx.adaptive_sample(feats, torch.rand(1, 4, 2)).feats.view(torch.int16) == NAN16).all()


def test_a_name_that_is_unknown_or_not_to_be_had() -> None:
    before = native._core().isa()
    for name in {"neon", "AVX2", "", "avx512"} - set(ISAS):
        with pytest.raises(ValueError, match=rf"^'{name}'.*; expected one of: {', '.join(ISAS)}$"):
            native._core().use_isa(name)
    assert native._core().isa() == before


IN_A_PROCESS = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("_C", sys.argv[1])
core = importlib.util.module_from_spec(spec)
spec.loader.exec_module(core)
print(core.isa())
shape = dict(device=-1, stream=None, threads=1, videos=0, snippets=0, lengths=None, dims=0)
fields = dict(shape, source=None, source_dtype=2, source_stride=(0, 0), timestamps=None, timestamps_dtype=2, out=None)
print(core.gather((fields,)))
"""


def in_a_process(isa: str) -> "subprocess.CompletedProcess[str]":
    """Asks the core alone, without torch, which instruction set it uses, and calls an operation."""
    command = [sys.executable, "-c", IN_A_PROCESS, str(Path(native._core().__file__))]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "AMSX_ISA": isa})


@pytest.mark.parametrize("isa", [*ISAS, ""])
def test_the_environment_chooses(isa: str) -> None:
    done = in_a_process(isa)
    assert done.stdout.split() == [isa or ISAS[-1], "0"], done.stderr


def test_an_environment_that_names_none() -> None:
    done = in_a_process("sse9")
    assert done.stdout == ""
    assert done.stderr.endswith(
        f"ValueError: the environment variable AMSX_ISA is 'sse9'; expected one of: {', '.join(ISAS)}\n"
    )
