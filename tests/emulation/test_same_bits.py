"""The CUDA kernels, emulated, against the CPU kernels: the same bits, or close where sums run in another order."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ops.cases import SNIPPETS, Case, cases
from torch import Tensor

import amsx

Cuda = Callable[[], AbstractContextManager[None]]
OPS = torch.ops.amsx

LONG = [*SNIPPETS, 512, 513, 600, 1100]  # several rounds of the scan, which takes 512 snippets at a time
DTYPES = st.sampled_from([torch.float32, torch.float64, torch.float16, torch.bfloat16])
LAYOUTS = st.sampled_from(["contiguous", "unaligned", "gaps", "aligned gaps", "every other row", "expanded"])
FACTORS = st.sampled_from([0, 1, 2, 20, 1024])
EXAMPLES = settings(max_examples=120)


def laid_out(x: Tensor, layout: str) -> Tensor:
    """The values of `x` (B, T, D) in memory of another layout, with NaN between them."""
    B, T, D = x.shape
    if layout == "unaligned":
        return x.new_empty(x.numel() + 1)[1:].view(x.shape).copy_(x)
    if layout == "gaps":
        return x.new_full((B, T, D + 3), torch.nan)[:, :, :D].copy_(x)
    if layout == "aligned gaps":
        return x.new_full((B, T, D + 16), torch.nan)[:, :, :D].copy_(x)
    if layout == "every other row":
        return x.new_full((B, 2 * T, D), torch.nan)[:, ::2].copy_(x)
    if layout == "expanded":
        return x[:, :1].contiguous().expand(B, T, D)
    return x.contiguous()


def bits(x: Tensor) -> Tensor:
    return x.contiguous().view({2: torch.int16, 4: torch.int32, 8: torch.int64}[x.element_size()])


def same_bits(cuda: Cuda, op: Callable[..., Tensor], *arguments: object) -> Tensor:
    """Runs `op` on both devices; the CPU's result, of which CUDA's has every bit."""
    expected = op(*arguments)
    with cuda():
        actual = op(*arguments)
    assert actual.dtype == expected.dtype
    assert torch.equal(bits(actual), bits(expected)), f"{(actual - expected).abs().max()} apart"
    return expected


def close(cuda: Cuda, op: Callable[..., Tensor], *arguments: object, terms: int = 1) -> None:
    """The same within rounding, for sums of `terms` numbers that the two kernels add in different orders."""
    expected = op(*arguments)
    with cuda():
        actual = op(*arguments)
    epsilon = torch.finfo(expected.dtype).eps
    scale = max(1.0, expected.abs().max().item())
    torch.testing.assert_close(actual, expected, rtol=64 * epsilon, atol=64 * epsilon * scale * terms**0.5)


@given(cases(dims=[1], snippets=LONG), DTYPES, LAYOUTS, st.booleans())
@EXAMPLES
def test_weights(cuda: Cuda, case: Case, dtype: torch.dtype, layout: str, mean: bool) -> None:
    cas = laid_out(case.cas.to(dtype), layout)
    weights = same_bits(cuda, OPS.sampling_weights, cas, case.labels, case.lengths, case.eta, mean)
    grad = torch.rand_like(weights) - 0.5
    close(cuda, OPS.sampling_weights_backward, grad, cas, case.labels, case.lengths, mean)


@given(cases(dims=[1], snippets=LONG), st.booleans(), FACTORS, st.integers(-280, 30))
@EXAMPLES
def test_timestamps(cuda: Cuda, case: Case, wide: bool, factor: int, exponent: int) -> None:
    weights = OPS.sampling_weights(case.cas, case.labels, case.lengths, case.eta, False)
    if wide:
        weights = weights * 10.0**exponent
    else:
        weights = weights.float()
    timestamps = same_bits(cuda, OPS.sampling_timestamps, weights, case.lengths, factor)
    if factor == 0 and (not wide or abs(exponent) < 30):
        grad = torch.rand_like(weights) - 0.5
        weights = weights if not wide else weights * 10.0**-exponent
        close(cuda, OPS.sampling_timestamps_backward, grad, weights, timestamps, case.lengths)


@given(st.lists(st.floats(0, 2.0**100, width=32), min_size=1, max_size=70), FACTORS)
@EXAMPLES
def test_timestamps_of_any_weights(cuda: Cuda, values: list[float], factor: int) -> None:
    weights = torch.tensor([values, values[::-1]])
    weights[weights.amax(dim=1) <= 0] = 1.0
    same_bits(cuda, OPS.sampling_timestamps, weights, None, factor)


@pytest.mark.parametrize("snippets", [511, 512, 513, 2047, 2048, 2049])  # of a block, and of its shared memory
@pytest.mark.parametrize("channels", [1, 3, 4, 20, 21, 100])  # of which four threads take every fourth
def test_long_videos(cuda: Cuda, snippets: int, channels: int) -> None:
    dtype = {1: torch.float64, 21: torch.float16, 4: torch.bfloat16}.get(channels, torch.float32)
    cas = torch.randn(2, snippets, channels).to(dtype)
    lengths = torch.tensor([snippets, 510])
    labels = torch.rand(2, channels) > 0.7
    labels[:, -1] = True
    for chosen in (None, labels):
        weights = same_bits(cuda, OPS.sampling_weights, cas, chosen, lengths, 0.75, False)
        for factor in (0, 20):
            same_bits(cuda, OPS.sampling_timestamps, weights, lengths, factor)
            with cuda():
                whole = OPS.adaptive_sample(cas, cas, chosen, lengths, 0.75, False, factor)
            for a, b in zip(whole, OPS.adaptive_sample(cas, cas, chosen, lengths, 0.75, False, factor), strict=True):
                assert torch.equal(bits(a), bits(b))


@pytest.mark.parametrize("snippets", [2049, 4609])
@pytest.mark.parametrize("mean", [False, True])
def test_videos_in_parts(cuda: Cuda, snippets: int, mean: bool) -> None:
    """Several blocks share a video that does not fit into one block's memory."""
    lengths = torch.tensor([snippets, 513, 512, 1, 2048])
    cas = torch.rand(5, snippets, 3) ** 20  # few snippets hold most of the mass
    labels = torch.tensor([[1, 0, 1], [1, 1, 1], [0, 0, 0], [0, 1, 0], [1, 0, 0]]).bool()
    for eta in (0.75, 1e-6):
        weights = same_bits(cuda, OPS.sampling_weights, cas, labels, lengths, eta, mean)
        for factor in (0, 20):
            same_bits(cuda, OPS.sampling_timestamps, weights, lengths, factor)
            expected = OPS.adaptive_sample(cas, cas, labels, lengths, eta, mean, factor)
            with cuda():
                whole = OPS.adaptive_sample(cas, cas, labels, lengths, eta, mean, factor)
            for a, b in zip(whole, expected, strict=True):
                assert torch.equal(bits(a), bits(b))
        grad = torch.rand_like(weights) - 0.5
        close(cuda, OPS.sampling_weights_backward, grad, cas, labels, lengths, mean)


def test_a_peak_that_several_parts_share(cuda: Cuda) -> None:
    cas = torch.zeros(2, 700, 20)
    cas[:, 300:, 7] = 1.0  # the first of equals is the peak, and the first channel of equals its channel
    cas[1, :, 9] = 1.0
    close(cuda, OPS.sampling_weights_backward, torch.rand(2, 700), cas, None, None, False)


def timestamps_of(case: Case, factor: int, dtype: torch.dtype) -> Tensor:
    weights = OPS.sampling_weights(case.cas, case.labels, case.lengths, case.eta, False)
    return OPS.sampling_timestamps(weights, case.lengths, factor).to(dtype)


ROWS = cases(dims=[1, 3, 8, 64, 65, 300, 1023], snippets=[1, 2, 3, 7, 16, 33, 129])
REALS = st.sampled_from([torch.float32, torch.float64])


@given(ROWS, DTYPES, LAYOUTS, LAYOUTS, FACTORS, REALS)
@EXAMPLES
def test_gather(
    cuda: Cuda, case: Case, dtype: torch.dtype, layout: str, grad_layout: str, factor: int, real: torch.dtype
) -> None:
    timestamps = timestamps_of(case, factor, real)
    feats = laid_out(case.feats.to(dtype), layout)
    grad = laid_out(torch.randn(feats.shape).to(dtype), grad_layout)
    same_bits(cuda, OPS.gather, feats, timestamps, case.lengths)
    same_bits(cuda, OPS.gather_backward, grad, timestamps, case.lengths)
    close(cuda, OPS.gather_backward_timestamps, grad, feats, timestamps, case.lengths, terms=feats.shape[-1])


@given(ROWS, DTYPES, LAYOUTS, LAYOUTS, FACTORS, REALS)
@EXAMPLES
def test_align(
    cuda: Cuda, case: Case, dtype: torch.dtype, layout: str, grad_layout: str, factor: int, real: torch.dtype
) -> None:
    timestamps = timestamps_of(case, factor, real)
    cas = laid_out(case.feats.to(dtype), layout)
    grad = laid_out(torch.randn(cas.shape).to(dtype), grad_layout)
    same_bits(cuda, OPS.align_cas, cas, timestamps, case.lengths)
    same_bits(cuda, OPS.align_cas_backward, grad, timestamps, case.lengths)
    same_bits(cuda, OPS.align_cas_backward_timestamps, grad, cas, timestamps, case.lengths)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("dims", [2048, 2047])
def test_rows_wider_than_a_block(cuda: Cuda, dtype: torch.dtype, dims: int) -> None:
    feats, grad = torch.randn(2, 1, 5, dims).to(dtype)
    timestamps = torch.tensor([[-0.4, 0.2, 2.5, 2.5, 4.4]])
    for op in (OPS.gather, OPS.align_cas, OPS.gather_backward, OPS.align_cas_backward):
        same_bits(cuda, op, feats, timestamps, None)
    same_bits(cuda, OPS.align_cas_backward_timestamps, grad, feats, timestamps, None)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize(
    ("start", "end", "ragged"), [(0, 3, False), (2.5, 2.5, True), (-0.5, 60, True), (9, 70, False)]
)
def test_rows_with_many_readers_and_with_none(
    cuda: Cuda, dtype: torch.dtype, start: float, end: float, ragged: bool
) -> None:
    timestamps = torch.stack([torch.linspace(start, end, 67), torch.arange(67.0)])
    lengths = torch.tensor([67, 64]) if ragged else None
    for dims in (1, 24, 300):
        same_bits(cuda, OPS.gather_backward, torch.randn(2, 67, dims).to(dtype), timestamps, lengths)
        same_bits(cuda, OPS.gather, torch.randn(2, 67, dims).to(dtype), timestamps, lengths)


@given(cases(dims=[1, 5], snippets=[1, 7, 129, 513]), DTYPES, st.sampled_from(["grid", "continuous"]))
@EXAMPLES
def test_the_public_ops_and_their_gradients(cuda: Cuda, case: Case, dtype: torch.dtype, mode: str) -> None:
    options: dict[str, Any] = {"labels": case.labels, "lengths": case.lengths, "eta": case.eta, "mode": mode}

    def whole() -> list[Tensor]:
        feats, cas = (x.to(dtype).detach().requires_grad_() for x in (case.feats, case.cas))
        sampled = amsx.adaptive_sample(feats, cas, interp_factor=case.interp_factor, **options)
        aligned = amsx.align_cas(sampled.feats, sampled.timestamps, case.lengths)
        (grad,) = torch.autograd.grad(aligned.float().square().sum(), feats)
        return [sampled.feats.detach(), sampled.timestamps.detach(), aligned.detach(), grad]

    expected = whole()
    with cuda():
        actual = whole()
    for a, b in zip(actual, expected, strict=True):
        assert torch.equal(bits(a), bits(b))


@pytest.mark.parametrize("factor", [0, 20])
def test_no_result_depends_on_the_order_of_the_threads(
    cuda: Cuda, factor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cas, grad = torch.rand(2, 700, 3), torch.randn(2, 700)
    lengths = torch.tensor([700, 513])

    def results() -> list[Tensor]:
        weights = OPS.sampling_weights(cas, None, lengths, 0.75, False)
        timestamps = OPS.sampling_timestamps(weights, lengths, factor)
        return [
            weights,
            timestamps,
            OPS.sampling_weights_backward(grad, cas, None, lengths, False),
            OPS.sampling_timestamps_backward(grad, weights, timestamps, lengths),
            OPS.gather_backward_timestamps(cas, cas, timestamps, lengths),
        ]

    with cuda():
        forward = results()
        monkeypatch.setenv("EMULATION_REVERSED", "1")
        backward = results()
    for a, b in zip(forward, backward, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("dims", [3, 64])
def test_what_is_not_finite_reaches_who_reads_it(cuda: Cuda, dtype: torch.dtype, dims: int) -> None:
    """A sample at a row's centre does not read the next row, nor does its gradient reach it."""
    rows = torch.randn(1, 6, dims).to(dtype)
    rows[0, 2], rows[0, 5] = torch.nan, torch.inf
    rows[0, 4, 0] = -0.0
    timestamps = torch.tensor([[0.0, 1.0, 1.5, 3.0, 4.0, 4.0]])
    for op, wrong in ((OPS.gather, [2]), (OPS.gather_backward, [1, 2, 4])):
        with cuda():
            actual = op(rows, timestamps, None)
        expected = op(rows, timestamps, None)
        assert torch.equal(torch.nan_to_num(actual, 7.0), torch.nan_to_num(expected, 7.0))
        assert (~actual.isfinite()).any(dim=2)[0].nonzero().flatten().tolist() == wrong
