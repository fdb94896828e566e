"""What the CUDA kernels make of values that the CPU refuses: csrc/kernels.h and amsx.ops.checks promise it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
import torch
from torch import Tensor

import amsx
from amsx.choices import Aggregate, Mode

Cuda = Callable[[], AbstractContextManager[None]]
OPS = torch.ops.amsx
NAN, INF = float("nan"), float("inf")
MODES = ["grid", "continuous"]


def test_lengths_outside_the_tensor_are_clamped(cuda: Cuda) -> None:
    x, cas = torch.randn(4, 9, 8), torch.rand(4, 9, 3)
    wrong, valid = torch.tensor([99, 0, -5, 4]), torch.tensor([9, 1, 1, 4])
    weights = amsx.sampling_weights(cas, lengths=valid)
    timestamps = amsx.sampling_timestamps(weights, lengths=valid, mode="continuous")
    weights[1:3], timestamps[1:3] = 0, 0
    calls: list[Callable[[Tensor], Tensor]] = [
        lambda n: OPS.sampling_weights(cas, None, n, 0.75, False),
        lambda n: OPS.sampling_weights_backward(weights, cas, None, n, False),
        lambda n: OPS.sampling_timestamps(weights + 1, n, 0),
        lambda n: OPS.sampling_timestamps(weights + 1, n, 20),
        lambda n: OPS.sampling_timestamps_backward(x[:, :, 0], weights + 1, timestamps, n),
        lambda n: OPS.gather(x, timestamps, n),
        lambda n: OPS.gather_backward(x, timestamps, n),
        lambda n: OPS.gather_backward_timestamps(x, x, timestamps, n),
        lambda n: OPS.align_cas(x, timestamps, n),
        lambda n: OPS.align_cas_backward(x, timestamps, n),
        lambda n: OPS.align_cas_backward_timestamps(x, x, timestamps, n),
    ]
    for call in calls:
        expected = call(valid)
        with cuda():
            actual = call(wrong)
        torch.testing.assert_close(actual[[0, 3]], expected[[0, 3]])
        assert (actual[1:3] == 0).all()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("value", [NAN, INF, -INF])
@pytest.mark.parametrize("aggregate", ["max", "mean"])
def test_a_bad_cas_spoils_its_own_video_alone(cuda: Cuda, mode: Mode, value: float, aggregate: Aggregate) -> None:
    feats, cas = torch.randn(3, 600, 5), torch.rand(3, 600, 4)
    lengths = torch.tensor([600, 555, 3])
    options: dict[str, Any] = {"lengths": lengths, "mode": mode, "aggregate": aggregate}

    def sampled_and_gradients(cas: Tensor) -> list[Tensor]:
        x, c = feats.clone().requires_grad_(), cas.clone().requires_grad_()
        sampled = amsx.adaptive_sample(x, c, **options)
        torch.nan_to_num(sampled.feats).sum().backward()
        grads = [x.grad, c.grad] if mode == "continuous" else [x.grad]
        return [sampled.timestamps.detach(), sampled.feats.detach(), *(g for g in grads if g is not None)]

    expected = sampled_and_gradients(cas)
    bad = cas.clone()
    if aggregate == "max" and value == -INF:
        bad[1, 550] = value  # every channel: the maximum is infinite
    else:
        bad[1, 550, 2] = value
    with cuda():
        actual = sampled_and_gradients(bad)
    for a, b in zip(actual, expected, strict=True):
        torch.testing.assert_close(a[[0, 2]], b[[0, 2]])
    timestamps, sampled = actual[:2]
    assert timestamps[1, :555].isnan().all()
    assert sampled[1, :555].isnan().all()
    assert (timestamps[1, 555:] == 0).all()
    assert (sampled[1, 555:] == 0).all()


@pytest.mark.parametrize("mode", MODES)
def test_a_bad_value_spoils_a_long_video(cuda: Cuda, mode: Mode) -> None:
    cas = torch.rand(2, 2100, 4)
    expected = amsx.adaptive_sample(cas, cas, mode=mode).timestamps
    cas[1, 1700, 2] = NAN
    weights = torch.rand(3, 2100) + 0.1
    weights[0], weights[1, 1000] = 0, INF
    with cuda():
        actual = amsx.adaptive_sample(torch.zeros(2, 2100, 1), cas, mode=mode).timestamps
        of_weights = amsx.sampling_timestamps(weights, mode=mode)
    assert torch.equal(actual[0], expected[0])
    assert actual[1].isnan().all()
    assert torch.equal(of_weights[:1], amsx.sampling_timestamps(torch.ones(1, 2100), mode=mode))
    assert of_weights[1].isnan().all()
    assert torch.equal(of_weights[2:], amsx.sampling_timestamps(weights[2:], mode=mode))


def test_a_bad_cas_of_one_snippet(cuda: Cuda) -> None:
    feats = torch.randn(2, 1, 3, requires_grad=True)
    cas = torch.tensor([[[0.5]], [[NAN]]], requires_grad=True)
    with cuda():
        sampled = amsx.adaptive_sample(feats, cas, mode="continuous")
        torch.nan_to_num(sampled.feats).sum().backward()
    assert sampled.timestamps[0] == 0
    assert sampled.feats[1].isnan().all()
    assert feats.grad is not None
    assert torch.equal(feats.grad[0], torch.ones(1, 3))


def test_what_is_not_read_does_no_harm(cuda: Cuda) -> None:
    cas = torch.rand(2, 20, 3)
    labels, lengths = torch.tensor([[1, 0, 1], [0, 1, 1]]), torch.tensor([20, 11])
    expected = amsx.adaptive_sample(cas, cas, labels=labels, lengths=lengths).timestamps
    spoilt = cas.clone()
    spoilt[0, :, 1] = NAN  # a channel that is not kept
    spoilt[1, 11:] = NAN  # padding
    with cuda():
        assert torch.equal(amsx.adaptive_sample(cas, spoilt, labels=labels, lengths=lengths).timestamps, expected)


@pytest.mark.parametrize("mode", MODES)
def test_bad_weights(cuda: Cuda, mode: Mode) -> None:
    weights = torch.rand(5, 530) + 0.1
    expected = amsx.sampling_timestamps(torch.stack([weights[0].clamp(min=0.3), *weights[1:]]), mode=mode)
    uniform = amsx.sampling_timestamps(torch.ones(1, 530), mode=mode)[0]
    erased = weights[4].clone()
    erased[100:200] = 0
    expected[4] = amsx.sampling_timestamps(erased, mode=mode)
    expected[0] = amsx.sampling_timestamps(weights[0], mode=mode)
    bad = weights.clone()
    bad[1, 529] = NAN
    bad[2] = 0  # all vanish
    bad[3, 7] = INF
    bad[4, 100:200] = -3.0
    with cuda():
        actual = amsx.sampling_timestamps(bad, mode=mode)
        negative = amsx.sampling_timestamps(-weights, mode=mode)
    assert torch.equal(actual[[0, 4]], expected[[0, 4]])
    assert torch.equal(actual[2], uniform)
    assert actual[[1, 3]].isnan().all()
    assert torch.equal(negative, uniform.expand(5, -1))


@pytest.mark.parametrize("mode", MODES)
def test_a_constant_cas_with_eta_zero_is_sampled_uniformly(cuda: Cuda, mode: Mode) -> None:
    cas = torch.full((2, 40, 2), 0.3)
    expected = amsx.sampling_timestamps(torch.ones(2, 40), mode=mode)
    with cuda():
        assert torch.equal(amsx.adaptive_sample(cas, cas, eta=0, mode=mode).timestamps, expected)


def test_decreasing_timestamps_read_right_and_give_finite_gradients(cuda: Cuda) -> None:
    x = torch.randn(2, 50, 8)
    sorted_ = (torch.rand(2, 50) * 55 - 3).sort(dim=1).values
    order = torch.randperm(50)
    expected = amsx.gather(x, sorted_)[:, order]
    timestamps = sorted_[:, order].contiguous()
    with cuda():
        assert torch.equal(amsx.gather(x, timestamps), expected)
        for op in (OPS.gather_backward, OPS.align_cas, OPS.align_cas_backward):
            assert op(x, timestamps, None).isfinite().all()
        for op in (OPS.gather_backward_timestamps, OPS.align_cas_backward_timestamps):
            assert op(x, x, timestamps, None).isfinite().all()
