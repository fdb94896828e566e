"""The values that the CPU refuses, looked for in plain PyTorch: what the native CPU kernels look for while they read.

The composite ops do not look at values, because on most devices that would force a synchronization. On a CPU it costs
nothing but time, so there the same values are refused whichever kernels run.
"""

import torch
from torch import Tensor

from amsx.ops import composite, native

_BAD_LENGTH, _BAD_CAS, _BAD_WEIGHT, _NO_WEIGHT, _UNSORTED = range(1, 6)  # the faults of csrc/kernels.h


def check_cas(cas: Tensor, labels: Tensor | None, lengths: Tensor | None, eta: float, mean: bool) -> None:
    """Raises the ValueError of a CAS that cannot be weighed."""
    _check_lengths(cas, lengths)
    weights = composite.sampling_weights(cas, labels, lengths, eta, mean)
    _refuse(weights, weights.isnan().any(dim=1) * _BAD_CAS, _vanishing(weights) * _NO_WEIGHT)


def check_weights(weights: Tensor, lengths: Tensor | None) -> None:
    """Raises the ValueError of weights (B, T) that cannot be sampled by."""
    _check_lengths(weights, lengths)
    valid = composite.valid_snippets(weights, lengths)[1]
    bad = (valid & ~(weights.isfinite() & (weights >= 0))).any(dim=1)
    _refuse(weights, bad * _BAD_WEIGHT, _vanishing(weights.masked_fill(~valid, 0)) * _NO_WEIGHT)


def check_timestamps(timestamps: Tensor, lengths: Tensor | None) -> None:
    """Raises the ValueError of timestamps (B, T) that are not in order."""
    _check_lengths(timestamps, lengths)
    valid = composite.valid_snippets(timestamps, lengths)[1]
    unsorted = valid[:, 1:] & ~(timestamps[:, :-1] <= timestamps[:, 1:])
    nan = valid[:, 0] & timestamps[:, 0].isnan()
    _refuse(timestamps, (unsorted.any(dim=1) | nan) * _UNSORTED)


def _check_lengths(x: Tensor, lengths: Tensor | None) -> None:
    if lengths is not None:
        _refuse(x, ((lengths < 1) | (lengths > x.shape[1])) * _BAD_LENGTH)


def _vanishing(weights: Tensor) -> Tensor:
    return weights.double().amax(dim=1) < composite.VANISHING


def _refuse(x: Tensor, *faults: Tensor) -> None:
    """Raises for the first video of `x` with a fault: 0 or the number of one, (B,), of which the first counts."""
    found = torch.zeros(len(x), dtype=torch.int64)
    for fault in reversed(faults):
        found = torch.where(fault > 0, fault, found)
    videos = found.nonzero()
    if len(videos) > 0:
        video = int(videos[0])
        raise native.refusal(int(found[video]), video, x.shape[1])
