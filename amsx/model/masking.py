"""Reductions and averages over time that see the valid snippets alone: `lengths` is the one mask."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

_is_exporting = getattr(
    torch.compiler, "is_exporting", torch.compiler.is_compiling
)  # old releases have only the latter


def valid_mask(lengths: Tensor, size: int) -> Tensor:
    """True on the first `lengths[b]` of `size` snippets: (B,) -> (B, T)."""
    return torch.arange(size, device=lengths.device) < lengths[:, None]


def masked_mean(x: Tensor, lengths: Tensor) -> Tensor:
    """Mean over the valid snippets: (B, T, C) -> (B, C)."""
    mask = valid_mask(lengths, x.shape[1])
    return x.masked_fill(~mask[..., None], 0).sum(dim=1) / lengths[:, None]


def masked_softmax(x: Tensor, lengths: Tensor) -> Tensor:
    """Softmax over time, zero in the padding: (B, T, C) -> (B, T, C)."""
    mask = valid_mask(lengths, x.shape[1])
    return x.masked_fill(~mask[..., None], float("-inf")).softmax(dim=1)


def top_k_mean(x: Tensor, lengths: Tensor, divisor: int) -> Tensor:
    """Mean of the ceil(n / divisor) largest of the n valid values of each channel: (B, T, C) -> (B, C)."""
    size = x.shape[1]
    k = (lengths + (divisor - 1)) // divisor  # (B,)
    mask = valid_mask(lengths, size)
    values = x.masked_fill(~mask[..., None], float("-inf")).transpose(1, 2)  # (B, C, T)
    # A graph of torch.export is for a number that is 1, or for one that is not, never for both: there all are sorted.
    count = size if _is_exporting() else (size + divisor - 1) // divisor
    top = values.topk(count, dim=2).values  # sorted, so each video's own k come first
    kept = valid_mask(k, top.shape[2])[:, None, :]
    return top.masked_fill(~kept, 0).sum(dim=2) / k[:, None]


def smooth(x: Tensor, lengths: Tensor, sigma: float) -> Tensor:
    """Gaussian average of every valid snippet and its valid neighbours: (B, T, C) -> (B, T, C).

    `sigma` is the standard deviation in snippets, greater than 0; neighbours beyond three of them weigh nothing.
    At a video's ends the weights that are left add up to 1, so a constant stays what it is.
    """
    size, reach = x.shape[1], math.ceil(3 * sigma)
    valid = valid_mask(lengths, size)[..., None].to(x.dtype)  # (B, T, 1)
    rows = F.pad(torch.where(valid > 0, x, 0), (0, 0, reach, reach))
    ones = F.pad(valid, (0, 0, reach, reach))
    sums, weights = torch.zeros_like(x), torch.zeros_like(valid)
    for offset in range(-reach, reach + 1):  # some ten adds: a convolution of one channel is far slower on the CPU
        weight = math.exp(-0.5 * (offset / sigma) ** 2)
        near = slice(reach + offset, reach + offset + size)
        sums.add_(rows[:, near], alpha=weight)
        weights.add_(ones[:, near], alpha=weight)
    return sums / torch.where(valid > 0, weights, 1)


def with_neighbours(x: Tensor, lengths: Tensor, kernel: int) -> Tensor:
    """The `kernel` (odd) snippets around each, in the order of time: (B, T, C) -> (B, T, kernel * C).

    What lies beyond a video's ends is 0. A linear layer on the result is a temporal convolution.
    """
    if kernel == 1:
        return x
    size, reach = x.shape[1], kernel // 2
    rows = F.pad(torch.where(valid_mask(lengths, size)[..., None], x, 0), (0, 0, reach, reach))
    return torch.cat([rows[:, offset : offset + size] for offset in range(kernel)], dim=2)
