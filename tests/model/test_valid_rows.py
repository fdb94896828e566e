"""The layers on the valid snippets alone: the values of plain layers, and masks that are the same in all blocks."""

import pytest
import torch
from torch.nn import functional as F

from amsx.model import valid_rows
from amsx.model.part import Part
from amsx.model.valid_rows import dropout_masks, hidden_and_heads, sums_over_time

LENGTHS = torch.tensor([9, 1, 6])
SIZE, WIDTH, HIDDEN, HEADS = 9, 4, 6, 5
VALID = (torch.arange(SIZE) < LENGTHS[:, None])[..., None]
WHOLE = [(slice(0, len(LENGTHS)), SIZE)]


@pytest.fixture
def inputs() -> list[torch.Tensor]:
    """Features and the weights of the layers, all of which want gradients."""
    torch.manual_seed(0)
    shapes = ((len(LENGTHS), SIZE, WIDTH), (HIDDEN, WIDTH), (HIDDEN,), (HEADS, HIDDEN), (HEADS,))
    return [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]


def plain(inputs: list[torch.Tensor], mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    feats, weight, bias, heads, heads_bias = inputs
    hidden = F.linear(feats, weight, bias).relu() * mask
    return hidden, F.linear(hidden, heads, heads_bias)


def own(inputs: list[torch.Tensor], dropout: float) -> tuple[torch.Tensor, torch.Tensor]:
    feats, weight, bias, heads, heads_bias = inputs
    return hidden_and_heads(feats, LENGTHS, weight, bias, heads, heads_bias, dropout)


@pytest.fixture(params=["video by video", "the whole batch"])
def blocks(request, monkeypatch):
    """Both ways to cut a batch: that of the CPU, and that of other devices."""
    if request.param == "the whole batch":
        monkeypatch.setattr(valid_rows, "blocks_of", lambda lengths, size: [(slice(0, len(lengths)), size)])


@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("wanted", ["hidden", "read", "both"])
def test_values_and_gradients_are_those_of_plain_layers(inputs, blocks, dropout, wanted):
    like = torch.zeros(len(LENGTHS), SIZE, HIDDEN, dtype=torch.float64)
    torch.manual_seed(1)
    mask = next(dropout_masks(like, dropout, WHOLE)).view(like.shape)
    results = []
    for layers in (lambda: plain(inputs, mask), lambda: own(inputs, dropout)):
        torch.manual_seed(1)
        hidden, read = (torch.where(VALID, values, 0) for values in layers())
        used = {"hidden": [hidden], "read": [read], "both": [hidden, read]}[wanted]
        loss = torch.stack([((i + 1) * values.sin()).sum() for i, values in enumerate(used)]).sum()
        gradients = torch.autograd.grad(loss, inputs, allow_unused=True)
        results.append([hidden, read, *(torch.zeros(1).double() if g is None else g for g in gradients)])
    for expected, ours in zip(*results, strict=True):
        torch.testing.assert_close(ours, expected.expand_as(ours), rtol=1e-12, atol=1e-12)


def test_sums_over_time_are_those_of_a_product(inputs, blocks):
    weights = torch.where(VALID, torch.randn(len(LENGTHS), SIZE, 2, dtype=torch.float64), 0).requires_grad_()
    hidden = torch.randn(len(LENGTHS), SIZE, HIDDEN, dtype=torch.float64).requires_grad_()
    results = []
    for sums in (sums_over_time(weights, hidden, LENGTHS), weights.transpose(1, 2) @ torch.where(VALID, hidden, 0)):
        of_weights, of_hidden = torch.autograd.grad(sums.sin().sum(), (weights, hidden))
        results.append([sums, torch.where(VALID, of_weights, 0), of_hidden])
    for ours, expected in zip(*results, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("width", [8, 3])  # a video takes whole draws of four values, or not
def test_masks_do_not_depend_on_the_blocks(width):
    like = torch.zeros(len(LENGTHS), SIZE, width)
    torch.manual_seed(0)
    whole = next(dropout_masks(like, 0.5, WHOLE)).view(like.shape)
    torch.manual_seed(0)
    parts = list(dropout_masks(like, 0.5, valid_rows.blocks_of(LENGTHS, SIZE)))
    for b, (part, n) in enumerate(zip(parts, LENGTHS.tolist(), strict=True)):
        assert torch.equal(part, whole[b, :n])
    after = torch.rand(1)
    torch.manual_seed(0)
    next(dropout_masks(like, 0.5, WHOLE))
    assert torch.equal(torch.rand(1), after)


def test_masks_are_those_of_the_whole_batch_in_every_part_of_it():
    like = torch.zeros(len(LENGTHS), SIZE, 8)
    torch.manual_seed(0)
    whole = list(dropout_masks(like, 0.5, valid_rows.blocks_of(LENGTHS, SIZE)))
    after = torch.rand(1)
    torch.manual_seed(0)
    part = Part(videos=len(LENGTHS), snippets=SIZE, first=1)
    own = list(dropout_masks(like[1:, :6], 0.5, valid_rows.blocks_of(LENGTHS[1:], 6), part))
    assert len(own) == 2 and all(torch.equal(a, b) for a, b in zip(own, whole[1:], strict=True))
    assert torch.equal(torch.rand(1), after)
    assert not torch.equal(whole[0][:6], whole[2])  # another video has another mask


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_masks_are_random(probability):
    torch.manual_seed(0)
    mask = next(dropout_masks(torch.zeros(1, 301, 1003), probability, [(slice(0, 1), 301)]))
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert (mask == 0).double().mean().item() == pytest.approx(probability, abs=0.005)
    shifted = (mask[:, 1:] == 0).double().sub(probability) * (mask[:, :-1] == 0).double().sub(probability)
    assert abs(shifted.mean().item()) < 0.005  # neighbours come from one draw and are independent all the same


def test_autocast_computes_in_its_type_and_sums_gradients_in_float32(inputs):
    # What bfloat16 holds exactly: so no hidden value changes its sign, which rounding alone would do.
    single = [values.detach().bfloat16().float().requires_grad_() for values in inputs]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden, read = own(single, 0.0)
        sums = sums_over_time(VALID.float().expand(-1, -1, 2).contiguous(), hidden, LENGTHS)
    assert hidden.dtype == read.dtype == torch.bfloat16
    assert sums.dtype == torch.float32
    gradients = torch.autograd.grad(read.float().sum() + sums.sum(), single[1:])
    expected_hidden, expected = plain(single, torch.ones(()))
    exact = torch.autograd.grad((VALID * expected).sum() + 2 * (VALID * expected_hidden).sum(), single[1:])
    for ours, other in zip(gradients, exact, strict=True):
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours, other, rtol=0.05, atol=0.1)
