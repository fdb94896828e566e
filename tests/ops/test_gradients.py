"""Adjoints: finite differences, autograd of the reference, and what carries no gradient."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ops.cases import Case, cases
from torch.autograd import gradcheck, gradgradcheck

import amsx
from amsx.choices import Aggregate, Mode
from amsx.ops import reference


def inputs(T: int = 9, D: int = 3, C: int = 4) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(T * 100 + D)
    feats = torch.randn(2, T, D, generator=generator, dtype=torch.float64, requires_grad=True)
    cas = torch.rand(2, T, C, generator=generator, dtype=torch.float64, requires_grad=True)
    labels = (torch.arange(C) % 2 == 0).repeat(2, 1)
    labels[1] = True
    return feats, cas, labels, torch.tensor([T, max(T - 3, 1)])


@pytest.mark.parametrize("T", [1, 2, 9, 17])
@pytest.mark.parametrize("aggregate", ["max", "mean"])
def test_continuous_sampling(T: int, aggregate: Aggregate) -> None:
    feats, cas, labels, lengths = inputs(T)

    def op(feats: torch.Tensor, cas: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return amsx.adaptive_sample(feats, cas, labels=labels, lengths=lengths, mode="continuous", aggregate=aggregate)

    assert gradcheck(op, (feats, cas))


def test_grid_sampling_to_features_alone() -> None:
    feats, cas, labels, lengths = inputs()
    assert gradcheck(lambda x: amsx.adaptive_sample(x, cas, labels=labels, lengths=lengths).feats, (feats,))
    sampled = amsx.adaptive_sample(feats, cas)
    assert sampled.feats.requires_grad
    assert not sampled.timestamps.requires_grad
    assert torch.autograd.grad(sampled.feats.sum(), cas, allow_unused=True) == (None,)


def test_outputs_that_nobody_uses_have_no_gradient() -> None:
    feats, cas, labels, lengths = inputs()
    options: dict[str, Any] = {"labels": labels, "lengths": lengths, "mode": "continuous"}
    for name in ("feats", "timestamps"):
        assert gradcheck(lambda x, c, n=name: getattr(amsx.adaptive_sample(x, c, **options), n), (feats, cas))
    sampled = amsx.adaptive_sample(feats, cas, **options)
    assert torch.autograd.grad(sampled.timestamps.sum(), feats, allow_unused=True) == (None,)


@pytest.mark.parametrize(("mode", "kernels"), [("grid", ["gather_backward"]), ("continuous", None)])
def test_the_backward_fills_nothing_with_zeros(mode: Mode, kernels: list[str] | None) -> None:
    feats, cas = torch.randn(2, 9, 4, requires_grad=True), torch.rand(2, 9, 3, requires_grad=True)
    out = amsx.adaptive_sample(feats, cas, mode=mode).feats
    with torch.profiler.profile() as profiler:
        torch.autograd.grad(out, feats, torch.ones_like(out))
    called = [event.name for event in profiler.events()]
    assert "aten::zeros" not in called
    if kernels is not None:
        assert [name for name in called if name.startswith("amsx::")] == [f"amsx::{name}" for name in kernels]


def test_weights_and_timestamps() -> None:
    _, cas, labels, lengths = inputs()
    assert gradcheck(lambda c: amsx.sampling_weights(c, labels=labels, lengths=lengths), (cas,))
    weights = (torch.rand(2, 9, dtype=torch.float64) + 0.2).requires_grad_()
    assert gradcheck(lambda w: amsx.sampling_timestamps(w, lengths=lengths, mode="continuous"), (weights,))


def test_alignment_to_cas_and_timestamps() -> None:
    _, cas, _, lengths = inputs()
    timestamps = amsx.adaptive_sample(cas, cas, lengths=lengths, mode="continuous").timestamps.detach()
    assert gradcheck(lambda c, t: amsx.align_cas(c, t, lengths), (cas, timestamps.requires_grad_()))


def test_gather_to_timestamps() -> None:
    feats = inputs()[0]
    timestamps = torch.tensor([[-0.4, 0.2, 0.3, 2.5, 2.6, 4.1, 6.6, 7.9, 8.4]] * 2, dtype=torch.float64)
    assert gradcheck(amsx.gather, (feats, timestamps.requires_grad_()))


@given(cases(dims=[1, 3, 65, 300]), st.sampled_from(["grid", "continuous"]))
@settings(max_examples=60)
def test_features_and_cas_against_the_references_autograd(case: Case, mode: Mode) -> None:
    valid = torch.arange(case.feats.shape[1])[None] < torch.tensor(case.valid)[:, None]
    grad = torch.randn(case.feats.shape, dtype=torch.float64)
    weights = reference.sampling_weights(case.cas, labels=case.labels, lengths=case.lengths, eta=case.eta)
    timestamps = amsx.sampling_timestamps(weights, lengths=case.lengths, mode=mode)
    feats = torch.where(valid[:, :, None], case.feats, 0.0)
    ours, theirs = (feats.clone().requires_grad_() for _ in range(2))
    amsx.gather(ours, timestamps, case.lengths).backward(grad)
    reference.gather(theirs, timestamps, case.lengths).backward(grad)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-9, atol=1e-9)
    ours, theirs = (feats.clone().requires_grad_() for _ in range(2))
    amsx.align_cas(ours, timestamps, case.lengths).backward(grad)
    reference.align_cas(theirs, timestamps, case.lengths).backward(grad)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-9, atol=1e-9)


@given(cases(dims=[1], snippets=[1, 2, 7, 33]))
@settings(max_examples=60)
def test_weights_through_the_timestamps_against_the_references_autograd(case: Case) -> None:
    weights = reference.sampling_weights(case.cas, labels=case.labels, lengths=case.lengths, eta=case.eta)
    grad = torch.randn(weights.shape, dtype=torch.float64)
    ours, theirs = (weights.clone().requires_grad_() for _ in range(2))
    amsx.sampling_timestamps(ours, lengths=case.lengths, mode="continuous").backward(grad)
    reference.sampling_timestamps(theirs, lengths=case.lengths, mode="continuous").backward(grad)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_lower_precision_sums_before_rounding(dtype: torch.dtype) -> None:
    timestamps = torch.linspace(0, 3, 64).repeat(2, 1)  # sixteen samples and more to a row
    grad = torch.randn(2, 64, 37).to(dtype)
    feats = torch.zeros(2, 64, 37, dtype=dtype, requires_grad=True)
    amsx.gather(feats, timestamps).backward(grad)
    exact = torch.zeros(2, 64, 37, dtype=torch.float64, requires_grad=True)
    reference.gather(exact, timestamps).backward(grad.double())
    epsilon = torch.finfo(dtype).eps
    assert feats.grad is not None
    torch.testing.assert_close(feats.grad.double(), exact.grad, rtol=epsilon, atol=2e-5)


def test_expanded_gradient_of_a_sum() -> None:
    feats, cas, _, _ = inputs()
    amsx.adaptive_sample(feats, cas).feats.sum().backward()
    assert feats.grad is not None
    total = feats.grad.sum().item()
    assert total == pytest.approx(feats.numel())  # every sample's shares add up to one


def test_second_derivatives_in_the_features() -> None:
    feats, cas, _, lengths = inputs()
    cas = cas.detach()
    assert gradgradcheck(lambda x: amsx.adaptive_sample(x, cas, lengths=lengths).feats, (feats,))
    timestamps = amsx.adaptive_sample(feats.detach(), cas, lengths=lengths).timestamps
    assert gradgradcheck(lambda x: amsx.gather(x, timestamps, lengths), (feats,))
    assert gradgradcheck(lambda x: amsx.align_cas(x, timestamps, lengths), (feats,))


def test_second_derivatives_through_timestamps_are_refused() -> None:
    """They were zeros once, with a warning."""
    feats, cas, _, _ = inputs()
    sampled = amsx.adaptive_sample(feats, cas, mode="continuous")
    (grad,) = torch.autograd.grad(sampled.feats.square().sum(), cas, create_graph=True)
    with pytest.raises(NotImplementedError, match="no second derivative through timestamps"):
        grad.square().sum().backward()
    timestamps = sampled.timestamps.detach().requires_grad_()
    (grad,) = torch.autograd.grad(amsx.align_cas(cas, timestamps).square().sum(), cas, create_graph=True)
    with pytest.raises(NotImplementedError, match="no second derivative through timestamps"):
        grad.square().sum().backward()


def test_forward_mode_is_refused() -> None:
    """Tangents were zeros once, without a word."""
    feats, cas, _, _ = (x.detach() for x in inputs())
    with pytest.raises(NotImplementedError, match="feats carries a forward-mode tangent"):
        torch.func.jvp(lambda x: amsx.adaptive_sample(x, cas).feats, (feats,), (feats,))
    timestamps = amsx.adaptive_sample(feats, cas).timestamps
    with pytest.raises(NotImplementedError, match="cas carries a forward-mode tangent"):
        torch.func.jvp(lambda x: amsx.align_cas(x, timestamps), (cas,), (cas,))
