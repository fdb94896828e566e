"""The rivals compute what they are timed for."""

import shutil

import pytest
import torch

import amsx
from benchmarks import rivals
from benchmarks.calls import compiled, compiled_gradient, gradient
from benchmarks.timing import UnavailableError
from benchmarks.workloads import Workload

WORKLOAD = Workload(B=3, T=50, D=16, H=20, C=5)
COMPILER = pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")


def test_literal_is_the_sampler() -> None:
    feats, cas = WORKLOAD.inputs("cpu")
    sampled = amsx.adaptive_sample(feats, cas)
    off = (rivals.literal(feats, cas) - sampled.feats).abs().amax(dim=2) > 1e-4
    # In float32 a point on the edge of two sub-positions may fall to either side.
    assert off.float().mean() < 0.01


def test_gathered_reads_where_its_timestamps_say() -> None:
    feats, cas = WORKLOAD.inputs("cpu")
    timestamps = rivals.gathered_timestamps(cas)
    torch.testing.assert_close(rivals.gathered(feats, cas), amsx.gather(feats, timestamps), rtol=1e-5, atol=1e-5)
    ours = amsx.adaptive_sample(feats, cas, mode="continuous").timestamps
    assert (timestamps - ours).abs().max() < 0.5  # weights constant over a snippet instead of linear
    constant = rivals.gathered_timestamps(torch.full((1, 30, 2), 0.3))
    torch.testing.assert_close(constant, torch.arange(30.0)[None], rtol=0, atol=1e-4)


def test_aligned_is_the_alignment() -> None:
    feats, cas = WORKLOAD.inputs("cpu")
    for mode in ("grid", "continuous"):
        timestamps = amsx.adaptive_sample(feats, cas, mode=mode).timestamps
        expected = amsx.align_cas(cas, timestamps)
        torch.testing.assert_close(rivals.aligned(cas, timestamps), expected, rtol=1e-4, atol=1e-5)


def test_gradients_are_those_of_the_forward() -> None:
    feats, cas = WORKLOAD.inputs("cpu")
    grad = torch.randn_like(feats)
    timestamps = rivals.gathered_timestamps(cas)
    call = gradient(lambda x: rivals.gathered(x, cas), feats, grad)
    expected = torch.ops.amsx.gather_backward(grad, timestamps, None)
    for _ in range(2):  # the graph is kept
        torch.testing.assert_close(call()[0], expected, rtol=1e-4, atol=1e-4)
    aligned = gradient(lambda x: rivals.aligned(x, timestamps), feats, grad)
    torch.testing.assert_close(
        aligned()[0], torch.ops.amsx.align_cas_backward(grad, timestamps, None), rtol=1e-3, atol=1e-3
    )


@COMPILER
def test_compiled_does_the_same() -> None:
    feats, cas = WORKLOAD.inputs("cpu")
    fast = compiled(rivals.gathered, feats, cas)
    # Compiled code may round otherwise: torch 2.4's sample points differ in the last bit, 4e-6 of a snippet near T.
    torch.testing.assert_close(fast(feats, cas), rivals.gathered(feats, cas), rtol=1e-4, atol=1e-4)
    grad = torch.randn_like(feats)
    call = compiled_gradient(rivals.gathered, feats, cas, grad)
    (expected,) = gradient(lambda x: rivals.gathered(x, cas), feats, grad)()
    for _ in range(2):
        torch.testing.assert_close(call()[0], expected, rtol=1e-4, atol=1e-5)


def test_without_a_compiler_the_reason_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(UnavailableError, match="needs a C"):
        compiled(rivals.gathered, *WORKLOAD.inputs("cpu"))


def test_what_does_not_compile_says_so() -> None:
    def untraceable(x: torch.Tensor) -> torch.Tensor:
        return x if x.sum().item() > 0 else -x

    if shutil.which("g++") is None:
        pytest.skip("torch.compile needs a C++ compiler")
    with pytest.raises(UnavailableError, match=r"torch\.compile failed"):
        compiled(untraceable, torch.ones(3))
