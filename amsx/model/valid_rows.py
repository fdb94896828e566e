"""The layers of a branch, computed on the valid snippets alone.

The videos of a batch differ in length, and products over the padding would take most of a training step. On the CPU
each video is computed by itself, so that what lies between two matrix products happens in the cache, too. The lengths
of a batch on another device are not known here unless one waits for the device: there, a batch is computed as a whole.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from amsx.model.part import Part, part_of
from amsx.zeros import zeros

Block = tuple[slice, int]  # some videos of a batch, and how many of their snippets are computed


def blocks_of(lengths: Tensor, size: int) -> list[Block]:
    """The blocks that a batch (B, size) of videos with `lengths` (B,) is computed in: video by video on the CPU."""
    if lengths.device.type != "cpu":
        return [(slice(0, len(lengths)), size)]
    return [(slice(i, i + 1), n) for i, n in enumerate(lengths.tolist())]


def hidden_and_heads(
    feats: Tensor,
    lengths: Tensor,
    weight: Tensor,
    bias: Tensor,
    heads: Tensor,
    heads_bias: Tensor,
    dropout: float,
    part: Part | None = None,
) -> tuple[Tensor, Tensor]:
    """FC, ReLU, dropout, and one FC layer for all heads: hidden features (B, T, H), and what is read of them (B, T, K).

    `feats` (B, T, D) with `lengths` (B,); `weight` (H, D), `bias` (H,), `heads` (K, H), `heads_bias` (K,). A hidden
    value becomes 0 with the probability `dropout`; the others are not raised in return, which `weight` and `bias` can
    do. Both results are 0 in the padding on the CPU, and mean nothing there on other devices. `part`: where the videos
    lie in a batch that several processes share (None: they are a whole batch).
    """
    if _is_traced():
        hidden = F.linear(feats, weight, bias).relu()
        if dropout > 0:
            hidden = hidden * next(dropout_masks(hidden, dropout, [(slice(0, len(lengths)), feats.shape[1])])).view(
                hidden.shape
            )
        return hidden, F.linear(hidden, heads, heads_bias)
    device, dtype = feats.device.type, weight.dtype
    if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
    blocks = blocks_of(lengths, feats.shape[1])
    layers = [tensor.to(dtype) for tensor in (weight, bias, heads, heads_bias)]
    with _without_autocast(device):
        outputs: tuple[Tensor, Tensor] = _HiddenAndHeads.apply(feats, *layers, dropout, blocks, part)  # type: ignore[no-untyped-call]
        return outputs


def sums_over_time(weights: Tensor, hidden: Tensor, lengths: Tensor) -> Tensor:
    """The sums over the valid snippets of `hidden` (B, T, H), weighted by `weights` (B, T, K): (B, K, H)."""
    if _is_traced():
        return weights.transpose(1, 2) @ hidden
    blocks = blocks_of(lengths, hidden.shape[1])
    with _without_autocast(hidden.device.type):
        sums: Tensor = _SumsOverTime.apply(weights, hidden, blocks)  # type: ignore[no-untyped-call]
        return sums


def _is_traced() -> bool:
    """Whether a graph is made of what runs, which must be for videos of any length."""
    traced: bool = torch.jit.is_tracing() or torch.compiler.is_compiling()  # type: ignore[no-untyped-call]
    return traced


def _without_autocast(device: str) -> AbstractContextManager[object]:
    return torch.autocast(device, enabled=False) if torch.amp.is_autocast_available(device) else nullcontext()


class _HiddenAndHeads(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        feats: Tensor,
        weight: Tensor,
        bias: Tensor,
        heads: Tensor,
        heads_bias: Tensor,
        dropout: float,
        blocks: list[Block],
        part: Part | None,
    ) -> tuple[Tensor, Tensor]:
        hidden = zeros((*feats.shape[:2], len(weight)), weight.dtype, feats.device)
        read = zeros((*feats.shape[:2], len(heads)), weight.dtype, feats.device)
        masks = dropout_masks(hidden, dropout, blocks, part)
        for block in blocks:
            rows = _rows(hidden, block)
            torch.addmm(bias, _rows(feats, block).to(weight.dtype), weight.T, out=rows)
            rows.clamp_min_(0)
            if dropout > 0:
                rows.mul_(next(masks))
            torch.addmm(heads_bias, rows, heads.T, out=_rows(read, block))
        ctx.save_for_backward(feats, hidden, weight, heads)
        ctx.blocks = blocks
        ctx.set_materialize_grads(False)
        return hidden, read

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_hidden: Tensor | None, of_read: Tensor | None) -> tuple[Tensor | None, ...]:
        feats, hidden, weight, heads = ctx.saved_tensors
        of_weight, of_bias, of_heads, of_heads_bias = (
            torch.zeros(shape, dtype=torch.promote_types(weight.dtype, torch.float32), device=weight.device)
            for shape in (weight.shape, weight.shape[:1], heads.shape, heads.shape[:1])
        )
        of_feats = zeros(feats.shape, feats.dtype, feats.device) if ctx.needs_input_grad[0] else None
        for block in ctx.blocks:
            rows = _rows(hidden, block)
            if of_read is None:
                if of_hidden is None:
                    break
                through = _rows(of_hidden, block).clone()
            else:
                own = _rows(of_read, block)
                _add_product(of_heads, own.T, rows)
                of_heads_bias += own.sum(dim=0)
                through = own @ heads if of_hidden is None else torch.addmm(_rows(of_hidden, block), own, heads)
            # Where a hidden value is 0, the ReLU or the dropout let nothing through.
            through = torch.ops.aten.threshold_backward(through, rows, 0)
            _add_product(of_weight, through.T, _rows(feats, block).to(weight.dtype))
            of_bias += through.sum(dim=0)
            if of_feats is not None:
                _rows(of_feats, block).copy_(through @ weight)
        gradients = (of_weight, of_bias, of_heads, of_heads_bias)
        return of_feats, *(gradient.to(weight.dtype) for gradient in gradients), None, None, None


class _SumsOverTime(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weights: Tensor, hidden: Tensor, blocks: list[Block]) -> Tensor:
        ctx.save_for_backward(weights, hidden)
        ctx.blocks = blocks
        sums = torch.empty(*weights.shape[::2], hidden.shape[2], dtype=weights.dtype, device=weights.device)
        for videos, n in blocks:
            torch.bmm(weights[videos, :n].transpose(1, 2), hidden[videos, :n].to(weights.dtype), out=sums[videos])
        return sums

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_sums: Tensor) -> tuple[Tensor, Tensor, None]:
        weights, hidden = ctx.saved_tensors
        of_weights, of_hidden = (zeros(values.shape, values.dtype, values.device) for values in (weights, hidden))
        for videos, n in ctx.blocks:
            rows = hidden[videos, :n].to(weights.dtype)
            torch.bmm(rows, of_sums[videos].transpose(1, 2), out=of_weights[videos, :n])
            if hidden.dtype == weights.dtype:
                torch.bmm(weights[videos, :n], of_sums[videos], out=of_hidden[videos, :n])
            else:
                of_hidden[videos, :n] = weights[videos, :n] @ of_sums[videos]
        return of_weights, of_hidden, None


def _rows(values: Tensor, block: Block) -> Tensor:
    """The rows of a block of `values` (B, T, K): (n, K), a view where they are contiguous."""
    videos, n = block
    return values[videos, :n].reshape(-1, values.shape[2])


def _add_product(total: Tensor, left: Tensor, right: Tensor) -> None:
    """total += left @ right, where `total` may have a wider type."""
    if total.dtype == left.dtype:
        total.addmm_(left, right)
    else:
        total += left @ right


def random_values(count: int, device: torch.device, generator: torch.Generator | None = None) -> Tensor:
    """(count,) int16, uniform over all their values. Each random number that is drawn gives four of them.

    Torch's own dropout draws one for each value, which on the CPU costs more than anything else in a training step but
    the matrix products.
    """
    draws = torch.empty((count + 3) // 4, dtype=torch.int64, device=device)
    return draws.random_(-(2**63), None, generator=generator).view(torch.int16)[:count]


def dropout_masks(like: Tensor, probability: float, blocks: list[Block], part: Part | None = None) -> Iterator[Tensor]:
    """For each block of `like` (B, T, H) a mask (n, H) that is 0 with `probability` (to 16 bits), and 1 elsewhere.

    The masks are the same in whatever blocks, and however a batch is shared among processes (`part`). On the CPU each
    video of the batch has a generator of its own, so that nothing is drawn for the padding, nor for the videos of the
    other processes. On other devices the padding has its share of the random numbers.
    """
    threshold = round(probability * 2**16) - 2**15
    width = like.shape[2]
    part = part_of(like, part)
    alone = like.device.type == "cpu" and not _is_traced()
    if alone:
        seeds = torch.empty(part.videos, dtype=torch.int64).random_().tolist()[part.first :]
    else:
        drawn = random_values(part.videos * part.snippets * width, like.device)
        values = part.own(drawn.view(part.videos, part.snippets, width), like)
    for videos, n in blocks:
        if alone:
            generators = [torch.Generator().manual_seed(seed) for seed in seeds[: len(like)][videos]]
            draws = [random_values(n * width, like.device, generator) for generator in generators]
            own = (draws[0] if len(draws) == 1 else torch.cat(draws)).view(-1, width)
        else:
            own = values[videos, :n].flatten(0, 1)
        yield torch.ge(own, threshold, out=torch.empty_like(own, dtype=like.dtype))
