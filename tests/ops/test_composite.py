"""The ops in plain PyTorch: what the kernels give, on any device, without a large intermediate.

A CPU plays the device without kernels. Tests of the whole ops are run once more with the composite ops in their place.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ops import test_arguments, test_errors, test_gradients
from ops.cases import Case, cases
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from amsx.ops import backends, checks, composite

OPS = torch.ops.amsx
DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
NAN, INF = float("nan"), float("inf")


@pytest.fixture(autouse=True)
def no_kernels(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[torch.device, backends.Backend]]:
    """The ops find no kernels for the CPU, unless a test changes what is yielded."""
    devices = {torch.device("cpu"): backends.Backend("composite")}
    monkeypatch.setattr(backends, "_backends", devices)
    yield devices


# ---- tests of the whole ops

test_errors_of_adaptive_sample = test_errors.test_adaptive_sample
test_weights_of_ones_own = test_errors.test_weights_of_ones_own
test_weights_that_vanish = test_errors.test_weights_that_vanish
test_timestamps = test_errors.test_timestamps
test_what_is_not_an_error = test_errors.test_what_is_not_an_error
test_lengths = test_arguments.test_lengths
test_grid_sampling_to_features_alone = test_gradients.test_grid_sampling_to_features_alone
test_weights_and_timestamps = test_gradients.test_weights_and_timestamps
test_alignment_to_cas_and_timestamps = test_gradients.test_alignment_to_cas_and_timestamps
test_gather_to_timestamps = test_gradients.test_gather_to_timestamps
test_second_derivatives_are_refused = test_gradients.test_second_derivatives_through_timestamps_are_refused


# ---- against the kernels


def calls(case: Case, dtype: torch.dtype, factor: int, mean: bool) -> list[tuple[str, tuple[Any, ...]]]:
    """Every op with inputs of the kind that it gets: its name in both modules, and its arguments."""
    feats, cas, lengths, labels = case.feats.to(dtype), case.cas.to(dtype), case.lengths, case.labels
    weights = OPS.sampling_weights(cas, labels, lengths, case.eta, mean)
    timestamps = OPS.sampling_timestamps(weights, lengths, factor)
    grad, grad_cas, grad_t = feats.flip(2), cas.flip(1).nan_to_num(0.5), weights.flip(1)
    return [
        ("sampling_weights", (cas, labels, lengths, case.eta, mean)),
        ("sampling_timestamps", (weights, lengths, factor)),
        ("sampling_timestamps_backward", (grad_t, weights, timestamps, lengths)),
        ("adaptive_sample", (feats, cas, labels, lengths, case.eta, mean, factor)),
        ("gather", (feats, timestamps, lengths)),
        ("gather_backward", (grad, timestamps, lengths)),
        ("gather_backward_timestamps", (grad, feats, timestamps, lengths)),
        ("align_cas", (cas, timestamps, lengths)),
        ("align_cas_backward", (grad_cas, timestamps, lengths)),
        ("align_cas_backward_timestamps", (grad_cas, cas, timestamps, lengths)),
        ("sampling_weights_backward", (grad_t, cas, labels, lengths, mean)),
    ]


# In grid mode, with the maximum over channels:
EXACT = ("sampling_weights", "sampling_timestamps", "adaptive_sample", "gather", "align_cas")


@given(cases(dims=[1, 3, 65]), st.sampled_from(DTYPES), st.sampled_from([0, 1, 2, 7, 20, 1024]), st.booleans())
@settings(max_examples=60)
def test_what_the_kernels_give(case: Case, dtype: torch.dtype, factor: int, mean: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backends, "_backends", {torch.device("cpu"): backends.Backend("native")})
        named = calls(case, dtype, factor, mean)
        expected = [getattr(OPS, name)(*arguments) for name, arguments in named]
    for (name, arguments), values in zip(named, expected, strict=True):
        if mean and name in ("adaptive_sample", "sampling_weights_backward"):
            continue  # the mean is summed in another order, which may move a sample to the next sub-position
        results = getattr(composite, name)(*arguments)
        for result, value in zip(tree_leaves(results), tree_leaves(values), strict=True):
            assert result.dtype == value.dtype
            if factor > 0 and not mean and name in EXACT:
                assert torch.equal(result, value), name
                continue
            tolerance = 64 * torch.finfo(value.dtype).eps
            limit = torch.finfo(value.dtype).max  # past which a gradient of float16 is infinite where weights are steep
            result, value = (x.double().clamp(-limit, limit) for x in (result, value))
            scale = value.abs().max().clamp(min=1).item()
            difference = (result - value).abs().max().item() if value.numel() else 0
            assert difference <= tolerance * scale, f"{name}, {dtype}, H {factor}"


def example() -> Case:
    generator = torch.Generator().manual_seed(0)
    feats, cas = torch.randn(2, 33, 5, generator=generator), torch.rand(2, 33, 4, generator=generator)
    return Case(feats, cas, torch.tensor([[True, False, True, True]] * 2), torch.tensor([33, 20]), 0.75, 20)


@pytest.mark.parametrize("factor", [0, 20])
def test_on_meta_tensors(factor: int) -> None:
    """Nothing depends on values, and the shapes are those of the fakes."""
    for name, arguments in calls(example(), torch.float32, factor, mean=False):
        meta = tuple(x.to("meta") if isinstance(x, Tensor) else x for x in arguments)
        plain, fake = tree_leaves(getattr(composite, name)(*meta)), tree_leaves(getattr(OPS, name)(*meta))
        assert [(x.shape, x.dtype) for x in plain] == [(x.shape, x.dtype) for x in fake]


class Watching(TorchDispatchMode):
    """Sees the result of every operation."""

    def __init__(self, look: Callable[[Tensor], None]) -> None:
        super().__init__()
        self.look = look

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        for x in tree_leaves(result):
            if isinstance(x, Tensor):
                self.look(x)
        return result


@pytest.mark.parametrize("factor", [0, 20])
def test_a_device_without_float64(factor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    named = calls(example(), torch.float32, factor, mean=False)
    expected = [getattr(composite, name)(*arguments) for name, arguments in named]
    weights = torch.rand(4, 500) + 0.1
    wide = composite.sampling_timestamps(weights, None, 20)
    monkeypatch.setattr(composite, "_wide", lambda x: torch.float32)

    def look(x: Tensor) -> None:
        assert x.dtype != torch.float64

    for (name, arguments), values in zip(named, expected, strict=True):
        with Watching(look):
            results = getattr(composite, name)(*arguments)
        for result, value in zip(tree_leaves(results), tree_leaves(values), strict=True):
            torch.testing.assert_close(result, value, rtol=1e-4, atol=1e-4)
    # The same sub-positions, rounded twice, also of weights that a single power of two does not bring into range.
    for scale in (2.0**-100, 1.0, 2.0**127):
        narrow = composite.sampling_timestamps(weights * scale, None, 20)
        torch.testing.assert_close(narrow, wide, rtol=2e-7, atol=1e-6)


@pytest.mark.parametrize("factor", [0, 1024])
def test_nothing_large_is_built(factor: int) -> None:
    B, T, D, C = 2, 64, 3, 4
    feats, cas = torch.randn(B, T, D), torch.rand(B, T, C)
    case = Case(feats, cas, torch.ones(B, C, dtype=torch.bool), torch.tensor([T, 50]), 0.75, factor)

    def look(x: Tensor) -> None:
        assert x.numel() <= B * T * max(D, C)

    for name, arguments in calls(case, torch.float32, factor, mean=False):
        with Watching(look):
            getattr(composite, name)(*arguments)


@pytest.mark.skipif(not checks._NUMBERS_VARY, reason="before torch 2.6 a graph takes no int.bit_length")
def test_compiled_without_graph_breaks() -> None:
    case = example()

    def model(feats: Tensor, cas: Tensor, labels: Tensor, lengths: Tensor) -> Tensor:
        out, timestamps = composite.adaptive_sample(feats, cas, labels, lengths, 0.75, False, 0)
        return composite.align_cas(out.tanh(), timestamps, lengths)

    inputs: tuple[Any, ...] = (case.feats, case.cas, case.labels, case.lengths)
    compiled = torch.compile(model, fullgraph=True, backend="eager", dynamic=True)
    torch.testing.assert_close(compiled(*inputs), model(*inputs))


# ---- values that are not looked at


@pytest.mark.parametrize("factor", [0, 20])
@pytest.mark.parametrize(("value", "mean"), [(NAN, False), (INF, False), (NAN, True), (-INF, True)])
def test_a_bad_cas_spoils_its_own_video_alone(value: float, mean: bool, factor: int) -> None:
    case = example()
    bad = case.cas.clone()
    bad[1, 7, 2] = value
    feats, timestamps = composite.adaptive_sample(case.feats, bad, case.labels, case.lengths, 0.75, mean, factor)
    expected = composite.adaptive_sample(case.feats, case.cas, case.labels, case.lengths, 0.75, mean, factor)
    assert torch.equal(timestamps[0], expected[1][0])
    assert torch.equal(feats[0], expected[0][0])
    assert timestamps[1, :20].isnan().all()
    assert feats[1, :20].isnan().all()
    assert (timestamps[1, 20:] == 0).all()
    assert composite.gather_backward(case.feats, timestamps, case.lengths)[0].isfinite().all()


def test_what_is_not_read_does_no_harm() -> None:
    case = example()
    bad = case.cas.clone()
    bad[1, 7, 0] = 2.0  # the snippet's maximum
    expected = composite.adaptive_sample(case.feats, bad, case.labels, case.lengths, 0.75, False, 20)[1]
    bad[:, 3, 1] = NAN  # a channel that is not kept
    bad[1, 7, 2] = -INF  # less than the maximum
    bad[1, 20:] = NAN  # padding
    spoilt = composite.adaptive_sample(case.feats, bad, case.labels, case.lengths, 0.75, False, 20)[1]
    assert torch.equal(spoilt, expected)


@pytest.mark.parametrize("factor", [0, 20])
def test_bad_weights_and_lengths(factor: int) -> None:
    weights = torch.rand(6, 30) + 0.1
    bad = weights.clone()
    bad[1, 29], bad[2], bad[3, 7], bad[4, 10:15] = NAN, 0, INF, -3
    erased = weights[4:5].clone()
    erased[:, 10:15] = 0
    lengths = torch.tensor([30, 30, 30, 99, 30, -2])
    timestamps = composite.sampling_timestamps(bad, lengths, factor)
    assert torch.equal(timestamps[:1], composite.sampling_timestamps(weights[:1], None, factor))
    assert timestamps[[1, 3]].isnan().all()
    assert torch.equal(timestamps[2], composite.sampling_timestamps(torch.ones(1, 30), None, factor)[0])
    assert torch.equal(timestamps[4:5], composite.sampling_timestamps(erased, None, factor))
    assert (timestamps[5] == 0).all()
    for name in ("gather", "align_cas", "gather_backward", "align_cas_backward"):
        out = getattr(composite, name)(torch.randn(6, 30, 2), timestamps, lengths)
        assert (out[5] == 0).all()
        assert out[[0, 2, 4]].isfinite().all()


def test_decreasing_timestamps_give_finite_gradients() -> None:
    x, timestamps = torch.randn(2, 50, 8), torch.rand(2, 50) * 55 - 3
    for name in ("gather", "gather_backward", "align_cas", "align_cas_backward"):
        assert getattr(composite, name)(x, timestamps, None).isfinite().all()
    for name in ("gather_backward_timestamps", "align_cas_backward_timestamps"):
        assert getattr(composite, name)(x, x, timestamps, None).isfinite().all()


def test_a_row_that_is_not_finite_reaches_those_alone_that_read_it() -> None:
    x = torch.randn(1, 6, 4)
    x[0, 3] = NAN
    timestamps = torch.tensor([[-0.5, 2.0, 2.5, 3.0, 4.0, 5.4]])
    assert composite.gather(x, timestamps, None).isfinite().all(2)[0].tolist() == [True, True, False, False, True, True]
    grad = composite.gather_backward(x, timestamps, None)
    assert grad.isfinite().all(2)[0].tolist() == [True, True, True, False, True, True]
