"""Reductions over time that see the valid snippets alone: `lengths` is the one mask."""

import torch
from torch import Tensor


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
    top = values.topk((size + divisor - 1) // divisor, dim=2).values  # sorted, so each video's own k come first
    kept = valid_mask(k, top.shape[2])[:, None, :]
    return top.masked_fill(~kept, 0).sum(dim=2) / k[:, None]
