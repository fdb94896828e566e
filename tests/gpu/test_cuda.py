"""The ops on a CUDA device: against the CPU, inside torch, on streams and in graphs, with values nobody should pass."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ops import test_gradients, test_torch_integration
from ops.cases import CHANNELS, DIMS, FACTORS, SNIPPETS, weight_shape
from torch import Tensor
from torch.autograd import gradcheck
from torch.library import opcheck

import amsx
from amsx.choices import Aggregate, Mode
from amsx.ops import native

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")

DEVICE = "cuda"
OPS = torch.ops.amsx
DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
MODES = {"grid": 20, "continuous": 0}  # mode -> interp_factor as the ops take it
# Sizes beyond one block and one pass of it, that hypothesis's cases leave out: B, T, D, C.
LARGE = [(3, 1500, 64, 20), (2, 5000, 7, 3), (17, 300, 1024, 100), (1, 2049, 2048, 1)]


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    """An illegal access shows at the next synchronization: make that the end of the test that made it."""
    torch.manual_seed(0)
    yield
    torch.cuda.synchronize()


def on_device(x: Any) -> Any:
    """A tensor on the GPU, still a leaf that requires a gradient where it did; anything else as it is."""
    return x.detach().to(DEVICE).requires_grad_(x.requires_grad) if isinstance(x, Tensor) else x


def assert_same_bits(cuda: Tensor, cpu: Tensor, what: str) -> None:
    assert cuda.device.type == torch.device(DEVICE).type
    integers = {2: torch.int16, 4: torch.int32, 8: torch.int64}[cpu.element_size()]
    there, here = cuda.detach().cpu().contiguous(), cpu.detach().contiguous()
    assert there.shape == here.shape
    assert there.dtype == here.dtype
    different = there.view(integers) != here.view(integers)
    if different.any():
        first = tuple(different.nonzero()[0].tolist())
        raise AssertionError(
            f"{what}: {int(different.sum())} of {different.numel()} values differ, "
            f"first at {first}: {there[first].item()!r} on CUDA, {here[first].item()!r} on the CPU"
        )


class Inputs:
    """One batch, made on the CPU."""

    def __init__(self, B: int, T: int, D: int, C: int, dtype: torch.dtype, kind: str, seed: int, ragged: bool) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.dtype = dtype
        self.feats, self.grad = (torch.randn(B, T, D, generator=generator).to(dtype) for _ in range(2))
        self.cas = weight_shape(kind, (B, T, C), generator).to(dtype)
        self.grad_cas = torch.randn(B, T, C, generator=generator).to(dtype)
        self.real = torch.float64 if dtype == torch.float64 else torch.float32
        self.grad_t = torch.randn(B, T, generator=generator).to(self.real)
        self.labels = torch.rand(B, C, generator=generator) > 0.4 if ragged else None
        self.lengths = torch.randint(1, T + 1, (B,), generator=generator) if ragged else None


@st.composite
def inputs(draw: st.DrawFn) -> Inputs:
    return Inputs(
        draw(st.integers(1, 3)),
        draw(st.sampled_from(SNIPPETS)),
        draw(st.sampled_from(DIMS)),
        draw(st.sampled_from(CHANNELS)),
        draw(st.sampled_from(DTYPES)),
        draw(st.sampled_from(["random", "ties", "constant", "spiky"])),
        draw(st.integers(0, 2**31)),
        draw(st.booleans()),
    )


# ---- against the CPU


def check_same_bits(x: Inputs, factor: int, mean: bool) -> None:
    """What csrc/element.h promises: the same bits wherever both devices sum in the same order."""
    calls: list[tuple[str, Callable[..., Tensor | tuple[Tensor, Tensor]], tuple]] = [
        ("sampling_weights", OPS.sampling_weights, (x.cas, x.labels, x.lengths, 0.75, mean)),
        ("adaptive_sample", OPS.adaptive_sample, (x.feats, x.cas, x.labels, x.lengths, 0.75, mean, factor)),
    ]
    weights = OPS.sampling_weights(x.cas, x.labels, x.lengths, 0.75, mean)
    timestamps = OPS.sampling_timestamps(weights, x.lengths, factor)
    calls += [
        ("sampling_timestamps", OPS.sampling_timestamps, (weights, x.lengths, factor)),
        ("gather", OPS.gather, (x.feats, timestamps, x.lengths)),
        ("gather_backward", OPS.gather_backward, (x.grad, timestamps, x.lengths)),
        ("align_cas", OPS.align_cas, (x.cas, timestamps, x.lengths)),
        ("align_cas_backward", OPS.align_cas_backward, (x.grad_cas, timestamps, x.lengths)),
        (
            "align_cas_backward_timestamps",
            OPS.align_cas_backward_timestamps,
            (x.grad_cas, x.cas, timestamps, x.lengths),
        ),
    ]
    for name, op, arguments in calls:
        outputs: list[Any] = [op(*arguments), op(*map(on_device, arguments))]
        here, there = ((x,) if isinstance(x, Tensor) else x for x in outputs)
        for i, (a, b) in enumerate(zip(there, here, strict=True)):
            assert_same_bits(a, b, f"{name}, output {i}, {x.dtype}, cas {tuple(x.cas.shape)}, H {factor}")


def check_close(x: Inputs, mean: bool) -> None:
    """Where the orders of summation differ."""
    weights = OPS.sampling_weights(x.cas, x.labels, x.lengths, 0.75, mean)
    timestamps = OPS.sampling_timestamps(weights, x.lengths, 0)
    calls = [
        (OPS.sampling_weights_backward, (x.grad_t, x.cas, x.labels, x.lengths, mean)),
        (OPS.sampling_timestamps_backward, (x.grad_t, weights, timestamps, x.lengths)),
        (OPS.gather_backward_timestamps, (x.grad, x.feats, timestamps, x.lengths)),
    ]
    for op, arguments in calls:
        here, there = op(*arguments), op(*map(on_device, arguments))
        assert there.dtype == here.dtype
        # Sums in float64 in either order, rounded once; the scale of what cancels in them is that of the largest.
        tolerance = max(torch.finfo(here.dtype).eps, 1e-12)
        scale = here.double().abs().max().clamp(min=1).item()
        torch.testing.assert_close(there.cpu().double(), here.double(), rtol=tolerance, atol=tolerance * scale)


@given(inputs(), st.sampled_from([0, *FACTORS]), st.booleans())
@settings(max_examples=60)
def test_the_bits_of_the_cpu(x: Inputs, factor: int, mean: bool) -> None:
    check_same_bits(x, factor, mean)


@given(inputs(), st.booleans())
@settings(max_examples=40)
def test_close_to_the_cpu(x: Inputs, mean: bool) -> None:
    check_close(x, mean)


@pytest.mark.parametrize("size", LARGE, ids=str)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("mode", MODES)
def test_large_sizes(size: tuple[int, int, int, int], dtype: torch.dtype, mode: Mode) -> None:
    x = Inputs(*size, dtype, "random", seed=sum(size), ragged=size[0] > 1)
    check_same_bits(x, MODES[mode], mean=False)
    check_close(x, mean=False)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_non_contiguous_and_unaligned_inputs(dtype: torch.dtype) -> None:
    x = Inputs(3, 50, 64, 6, dtype, "random", seed=0, ragged=True)
    timestamps = OPS.sampling_timestamps(OPS.sampling_weights(x.cas, None, x.lengths, 0.75, False), x.lengths, 20)
    wide = torch.zeros(3, 50, 65, dtype=dtype)
    wide[:, :, 1:] = x.feats
    # One element off the alignment of wide accesses, rows of odd stride, time and columns swapped, every other row.
    layouts = {
        "unaligned": lambda y: y.to(DEVICE)[:, :, 1:],
        "transposed": lambda y: y[:, :, 1:].transpose(1, 2).contiguous().to(DEVICE).transpose(1, 2),
        "strided": lambda y: y[:, :, 1:].repeat_interleave(2, dim=1).to(DEVICE)[:, ::2],
        "flat, unaligned": lambda y: (
            torch.cat([y.new_zeros(1), y[:, :, 1:].reshape(-1)]).to(DEVICE)[1:].view(3, 50, 64)
        ),
    }
    there, lengths = timestamps.to(DEVICE), on_device(x.lengths)
    for name, laid in layouts.items():
        feats = laid(wide)
        assert torch.equal(feats.cpu(), x.feats), name
        for op in (OPS.gather, OPS.gather_backward, OPS.align_cas, OPS.align_cas_backward):
            assert_same_bits(op(feats, there, lengths), op(x.feats, timestamps, x.lengths), f"{op} {name}")
    cas = torch.stack([x.cas, x.cas], dim=-1).to(DEVICE)[..., 1]
    sampled = amsx.adaptive_sample(feats, cas, lengths=lengths)
    assert_same_bits(sampled.timestamps, amsx.adaptive_sample(x.feats, x.cas, lengths=x.lengths).timestamps, "cas")
    sliced = there.repeat_interleave(2, dim=1)[:, ::2]
    assert_same_bits(amsx.gather(feats, sliced, lengths), amsx.gather(x.feats, timestamps, x.lengths), "timestamps")


def test_one_video_and_an_empty_batch() -> None:
    feats, cas = torch.randn(12, 6), torch.rand(12, 3)
    one = amsx.adaptive_sample(feats.to(DEVICE), cas.to(DEVICE))
    expected = amsx.adaptive_sample(feats, cas)
    assert_same_bits(one.feats, expected.feats, "feats")
    assert_same_bits(one.timestamps, expected.timestamps, "timestamps")
    none = amsx.adaptive_sample(torch.zeros(0, 12, 6, device=DEVICE), torch.zeros(0, 12, 3, device=DEVICE))
    assert none.feats.shape == (0, 12, 6)


# ---- inside torch


def test_the_library_was_built_with_cuda() -> None:
    assert native.build()["cuda_compiled"], native.build()["cuda"]


@pytest.mark.parametrize("index", range(test_torch_integration.OP_CALLS))
def test_opcheck(index: int) -> None:
    op, arguments = test_torch_integration.op_calls()[index]
    opcheck(op, tuple(map(on_device, arguments)))


@pytest.mark.parametrize("T", [1, 9])
@pytest.mark.parametrize("aggregate", ["max", "mean"])
def test_gradients_of_sampling(T: int, aggregate: Aggregate) -> None:
    feats, cas, labels, lengths = map(on_device, test_gradients.inputs(T))

    def op(feats: Tensor, cas: Tensor) -> tuple[Tensor, ...]:
        return amsx.adaptive_sample(feats, cas, labels=labels, lengths=lengths, mode="continuous", aggregate=aggregate)

    assert gradcheck(op, (feats, cas))
    assert gradcheck(lambda x: amsx.adaptive_sample(x, cas, labels=labels, lengths=lengths).feats, (feats,))


def test_gradients_of_the_parts() -> None:
    feats, cas, labels, lengths = map(on_device, test_gradients.inputs())
    assert gradcheck(lambda c: amsx.sampling_weights(c, labels=labels, lengths=lengths), (cas,))
    weights = (torch.rand(2, 9, dtype=torch.float64, device=DEVICE) + 0.2).requires_grad_()
    assert gradcheck(lambda w: amsx.sampling_timestamps(w, lengths=lengths, mode="continuous"), (weights,))
    timestamps = amsx.adaptive_sample(cas, cas, lengths=lengths, mode="continuous").timestamps.detach()
    assert gradcheck(lambda c, t: amsx.align_cas(c, t, lengths), (cas, timestamps.requires_grad_()))
    moving = torch.tensor([[-0.4, 0.2, 0.3, 2.5, 2.6, 4.1, 6.6, 7.9, 8.4]] * 2, dtype=torch.float64, device=DEVICE)
    assert gradcheck(amsx.gather, (feats, moving.requires_grad_()))


def test_compile_without_graph_breaks() -> None:
    feats, cas, _, _, labels, lengths = map(on_device, test_torch_integration.tensors())
    model = test_torch_integration.model
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    expected = torch.autograd.grad(model(feats, cas, labels, lengths), (feats, cas))
    actual = torch.autograd.grad(compiled(feats, cas, labels, lengths), (feats, cas))
    for a, b in zip(actual, expected, strict=True):
        torch.testing.assert_close(a, b)


def test_random_aggregation() -> None:
    cas, labels = torch.rand(4, 30, 5, device=DEVICE), torch.tensor([[0, 1, 0, 1, 0]] * 4, device=DEVICE)
    weights = amsx.sampling_weights(cas, labels=labels, aggregate="random")
    single = [amsx.sampling_weights(cas[:, :, c]) for c in (1, 3)]
    for b in range(4):
        assert any(torch.equal(weights[b], w[b]) for w in single)


def test_the_same_bits_on_every_run() -> None:
    feats, cas = torch.randn(4, 3000, 256, device=DEVICE), torch.rand(4, 3000, 7, device=DEVICE)
    first: list[Tensor] = []
    for _ in range(5):
        x, c = feats.clone().requires_grad_(), cas.clone().requires_grad_()
        sampled = amsx.adaptive_sample(x, c, mode="continuous")
        aligned = amsx.align_cas(c, sampled.timestamps)
        gradients = torch.autograd.grad(
            [sampled.feats, aligned], [x, c], [torch.ones_like(feats), torch.ones_like(cas)]
        )
        results = [sampled.feats, sampled.timestamps, aligned, *gradients]
        first = first or results
        assert all(torch.equal(a, b) for a, b in zip(first, results, strict=True))


# ---- streams, devices, graphs, synchronization


def forward_and_backward(feats: Tensor, cas: Tensor, lengths: Tensor | None = None) -> list[Tensor]:
    """All ops but the parts, with gradients to both inputs."""
    sampled = amsx.adaptive_sample(feats, cas, lengths=lengths, mode="continuous")
    aligned = amsx.align_cas(cas, sampled.timestamps, lengths)
    gradients = torch.autograd.grad([sampled.feats, aligned], [feats, cas], [sampled.feats, aligned])
    return [sampled.feats, sampled.timestamps, aligned, *gradients]


def leaves(seed: int, device: str = "cpu") -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    feats = torch.randn(2, 200, 128, generator=generator).to(device).requires_grad_()
    cas = torch.rand(2, 200, 5, generator=generator).to(device).requires_grad_()
    return feats, cas


def assert_like_the_cpu(cuda: list[Tensor], cpu: list[Tensor]) -> None:
    for a, b in zip(cuda, cpu, strict=True):
        torch.testing.assert_close(a.cpu(), b, rtol=1e-5, atol=1e-5)


def test_a_stream_of_ones_own() -> None:
    new, old = leaves(1), leaves(2, DEVICE)
    expected = forward_and_backward(*new)
    source = [x.detach().to(DEVICE) for x in new]
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    torch.cuda.synchronize()
    with torch.cuda.stream(stream):
        torch.cuda._sleep(50_000_000)  # tens of milliseconds: whoever does not wait for the stream reads the old values
        with torch.no_grad():
            for x, y in zip(old, source, strict=True):
                x.copy_(y)
        results = forward_and_backward(*old)
    stream.synchronize()
    assert_like_the_cpu(results, expected)


def test_a_device_that_is_not_the_current_one() -> None:
    if torch.cuda.device_count() < 2:
        pytest.skip("one CUDA device: nothing to switch to")
    results = forward_and_backward(*leaves(3, "cuda:1"))
    assert all(r.device.index == 1 for r in results)
    assert torch.cuda.current_device() == 0
    assert_like_the_cpu(results, forward_and_backward(*leaves(3)))


def test_devices_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match=r"cas is on cpu but feats on cuda:0"):
        amsx.adaptive_sample(torch.zeros(1, 4, 2, device=DEVICE), torch.rand(1, 4, 2))
    x = torch.rand(1, 4, 2, device=DEVICE)
    with pytest.raises(ValueError, match=r"labels is on cpu but cas on cuda:0"):
        amsx.adaptive_sample(x, x, labels=torch.ones(1, 2))


def test_lengths_may_be_on_the_cpu() -> None:
    x = torch.rand(2, 4, 2)
    expected = amsx.adaptive_sample(x, x, lengths=[3, 4]).timestamps
    for lengths in (torch.tensor([3, 4]), [3, 4], torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]]).bool()):
        there = amsx.adaptive_sample(x.to(DEVICE), x.to(DEVICE), lengths=lengths)
        assert_same_bits(there.timestamps, expected, f"lengths {lengths}")


def test_captured_in_a_graph() -> None:
    """A synchronization anywhere inside, the native core's included, would end the capture with an error."""
    feats, cas = leaves(4, DEVICE)
    lengths = torch.tensor([200, 150], device=DEVICE)
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            forward_and_backward(feats, cas, lengths)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = forward_and_backward(feats, cas, lengths)
    for seed in (5, 6):
        new = leaves(seed)
        with torch.no_grad():
            feats.copy_(new[0])
            cas.copy_(new[1])
        graph.replay()
        torch.cuda.synchronize()
        assert_like_the_cpu(results, forward_and_backward(*new, lengths.cpu()))


def test_the_host_never_waits() -> None:
    """As far as torch can see; the graph's capture sees the rest."""
    feats, cas = leaves(7, DEVICE)
    lengths, labels = torch.tensor([200, 150], device=DEVICE), torch.ones(2, 5, device=DEVICE)
    mode = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        forward_and_backward(feats, cas, lengths)
        for aggregate in ("max", "mean", "random"):
            sampled = amsx.adaptive_sample(feats, cas, labels=labels, lengths=lengths, aggregate=aggregate)
            amsx.align_cas(cas, sampled.timestamps, lengths)
    finally:
        torch.cuda.set_sync_debug_mode(mode)


# ---- values that the CPU refuses: what amsx.ops.checks says of them


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("mode", MODES)
def test_a_cas_that_is_not_finite_spoils_its_own_video_alone(value: float, mode: Mode) -> None:
    feats, cas = torch.randn(3, 40, 8), torch.rand(3, 40, 4)
    expected = amsx.adaptive_sample(feats, cas, mode=mode)
    cas[1, 7] = value  # in every channel: -inf in one is no maximum
    sampled = amsx.adaptive_sample(feats.to(DEVICE), cas.to(DEVICE), mode=mode)
    assert sampled.timestamps[1].isnan().all()
    assert sampled.feats[1].isnan().all()
    for b in (0, 2):
        assert_same_bits(sampled.feats[b], expected.feats[b], f"video {b}")
        assert_same_bits(sampled.timestamps[b], expected.timestamps[b], f"timestamps of video {b}")


def test_lengths_are_clamped() -> None:
    feats, cas = torch.randn(4, 20, 8), torch.rand(4, 20, 4)
    lengths = torch.tensor([25, 20, 0, -3])
    sampled = amsx.adaptive_sample(feats.to(DEVICE), cas.to(DEVICE), lengths=lengths.to(DEVICE))
    expected = amsx.adaptive_sample(feats[:2], cas[:2])
    assert_same_bits(sampled.feats[:2], expected.feats, "too long is T")
    assert (sampled.feats[2:] == 0).all()
    assert (sampled.timestamps[2:] == 0).all()
    aligned = amsx.align_cas(cas.to(DEVICE), sampled.timestamps, lengths.to(DEVICE))
    assert (aligned[2:] == 0).all()


@pytest.mark.parametrize("mode", MODES)
def test_negative_weights_count_as_zero_and_vanishing_ones_as_uniform(mode: Mode) -> None:
    weights = torch.rand(1, 30) + 0.1
    negative = weights.clone()
    negative[0, 10:15] = -1
    zero = weights.clone()
    zero[0, 10:15] = 0
    there = amsx.sampling_timestamps(negative.to(DEVICE), mode=mode)
    assert_same_bits(there, amsx.sampling_timestamps(zero, mode=mode), "negative weights")
    vanishing = amsx.sampling_timestamps(torch.zeros(1, 30, device=DEVICE), mode=mode)
    assert_same_bits(vanishing, amsx.sampling_timestamps(torch.ones(1, 30), mode=mode), "no weight at all")


def test_decreasing_timestamps_give_finite_gradients() -> None:
    feats = torch.randn(1, 30, 8, device=DEVICE, requires_grad=True)
    timestamps = torch.rand(1, 30, device=DEVICE) * 29
    for op in (amsx.gather, amsx.align_cas):
        out = op(feats, timestamps)
        (grad,) = torch.autograd.grad(out, feats, torch.ones_like(out))
        assert grad.isfinite().all()
