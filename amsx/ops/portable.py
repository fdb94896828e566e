"""What the composite Eq. 5 does with bits and by `torch.searchsorted`, in operations that every exported format has.

ONNX has neither, and a TorchScript trace cannot hold a view as another type. These functions are exact, and slower.
"""

import math

import torch
from torch import Tensor

_FAN, _ROUNDS = 128, 3  # of a search through fewer than 128^3 snippets, two millions


def exponent(x: Tensor) -> Tensor:
    """floor(log2(x)) of the positive normal numbers `x` (B, 1), int64."""
    powers = _powers_of_two(x.dtype)
    return (x >= powers).sum(dim=1, keepdim=True) - 1 + _least_exponent(x.dtype)


def power_of_two(exponent: Tensor, dtype: torch.dtype) -> Tensor:
    """2 to the power of `exponent` (B, 1), whole numbers within those of the normal numbers of `dtype`."""
    return _powers_of_two(dtype)[exponent - _least_exponent(dtype)]


def searchsorted(ascending: Tensor, values: Tensor, *, right: bool = False) -> Tensor:
    """`torch.searchsorted` for `ascending` (B, T) and `values` (B, T): how many are less; with `right`, no greater.

    Each round compares every value with 127 others, and so narrows its place down to a 128th: a short graph.
    """
    B, size = ascending.shape
    steps = torch.arange(1, _FAN, device=values.device)
    before = torch.full_like(values, -1, dtype=torch.int64)[..., None]  # the last index that is known to count
    for round_ in reversed(range(_ROUNDS)):
        index = before + steps * _FAN**round_  # (B, T, 127)
        found = ascending.gather(1, index.clamp(max=size - 1).flatten(1)).view(B, -1, _FAN - 1)
        counts = found <= values[..., None] if right else found < values[..., None]
        before = before + (counts & (index < size)).sum(dim=2, keepdim=True) * _FAN**round_
    return before[..., 0] + 1


def _least_exponent(dtype: torch.dtype) -> int:
    return math.frexp(torch.finfo(dtype).tiny)[1] - 1


def _powers_of_two(dtype: torch.dtype) -> Tensor:
    """All powers of two among the normal numbers of `dtype`, ascending."""
    greatest = math.frexp(torch.finfo(dtype).max)[1] - 1
    return torch.tensor([math.ldexp(1.0, k) for k in range(_least_exponent(dtype), greatest + 1)], dtype=dtype)
