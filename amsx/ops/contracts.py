"""What the registered ops ask of their arguments, whoever calls them, on real and on fake tensors alike.

These are the checks that keep the kernels inside the memory of the tensors: rank, shape, dtype, device, layout. The
public functions bring their arguments into this form, and `torch.ops.amsx` may be called without them.
"""

import math

import torch
from torch import Tensor

from amsx.choices import MAX_INTERP_FACTOR

FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
_REALS = (torch.float32, torch.float64)
_FLOAT_SET, _REAL_SET = frozenset(FLOATS), frozenset(_REALS)
_STRIDED = torch.strided
_LARGEST_FLOAT32 = torch.finfo(torch.float32).max


def compute_dtype(dtype: torch.dtype) -> torch.dtype:
    """The dtype in which values of `dtype` are computed, and of weights and timestamps: float64 or float32."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def check_weighing(cas: Tensor, labels: Tensor | None, lengths: Tensor | None, eta: float, mean: bool) -> None:
    """The arguments of `sampling_weights`."""
    _check_batch("cas", cas, 3, "(B, T, C)")
    _check_choice(cas, labels, lengths, "cas")
    _check_eta(eta, cas.dtype)


def check_weighing_backward(
    grad: Tensor, cas: Tensor, labels: Tensor | None, lengths: Tensor | None, mean: bool
) -> None:
    """The arguments of `sampling_weights_backward`."""
    _check_batch("cas", cas, 3, "(B, T, C)")
    _check_choice(cas, labels, lengths, "cas")
    _check_like("grad", grad, cas.shape[:2], compute_dtype(cas.dtype), "cas", cas)


def check_inversion(weights: Tensor, lengths: Tensor | None, interp_factor: int) -> None:
    """The arguments of `sampling_timestamps`."""
    _check_reals("weights", weights)
    _check_choice(weights, None, lengths, "weights")
    _check_factor(interp_factor)


def check_inversion_backward(grad: Tensor, weights: Tensor, timestamps: Tensor, lengths: Tensor | None) -> None:
    """The arguments of `sampling_timestamps_backward`."""
    _check_reals("weights", weights)
    _check_choice(weights, None, lengths, "weights")
    _check_like("grad", grad, weights.shape, weights.dtype, "weights", weights)
    _check_like("timestamps", timestamps, weights.shape, weights.dtype, "weights", weights)


def check_sampling(
    feats: Tensor,
    cas: Tensor,
    labels: Tensor | None,
    lengths: Tensor | None,
    eta: float,
    mean: bool,
    interp_factor: int,
) -> None:
    """The arguments of `adaptive_sample`."""
    _check_batch("feats", feats, 3, "(B, T, D)")
    _check_batch("cas", cas, 3, "(B, T, C)")
    if cas.shape[0] != feats.shape[0] or cas.shape[1] != feats.shape[1]:
        raise ValueError(f"cas has shape {tuple(cas.shape)} but feats {tuple(feats.shape)}; expected the same B and T")
    _check_device("cas", cas, "feats", feats)
    if labels is not None or lengths is not None:
        _check_choice(cas, labels, lengths, "cas")
    _check_eta(eta, cas.dtype)
    _check_factor(interp_factor)


def check_rows(name: str, values: Tensor, timestamps: Tensor, lengths: Tensor | None) -> None:
    """The arguments of `gather` and `align_cas`, and of their adjoints to the rows."""
    _check_batch(name, values, 3, "(B, T, D) with timestamps (B, T)")
    if timestamps.dtype not in _REAL_SET:
        raise TypeError(f"timestamps has dtype {timestamps.dtype}; expected float32 or float64")
    if timestamps.layout is not _STRIDED or timestamps.shape != values.shape[:2]:
        raise ValueError(
            f"{name} has shape {tuple(values.shape)} and timestamps {tuple(timestamps.shape)}; expected (B, T, D) with "
            "timestamps (B, T), or (T, D) with timestamps (T,)"
        )
    _check_device("timestamps", timestamps, name, values)
    _check_choice(values, None, lengths, name)


def check_rows_to_timestamps(
    name: str, grad: Tensor, values: Tensor, timestamps: Tensor, lengths: Tensor | None
) -> None:
    """The arguments of the adjoints of `gather` and `align_cas` to the timestamps."""
    check_rows(name, values, timestamps, lengths)
    _check_like("grad", grad, values.shape, values.dtype, name, values)


def _check_batch(name: str, x: Tensor, rank: int, form: str) -> None:
    """Raises unless `x` is a dense float tensor of `rank` axes, of which only that of the videos may be empty."""
    if x.dtype not in _FLOAT_SET:
        raise TypeError(f"{name} has dtype {x.dtype}; expected float32, float64, float16 or bfloat16")
    if x.layout is not _STRIDED:
        raise TypeError(f"{name} is {x.layout}; expected a dense tensor, padded, with lengths beside it")
    if x.dim() != rank:
        raise ValueError(f"{name} has shape {tuple(x.shape)}; expected {form}")
    if x.numel() == 0 and 0 in x.shape[1:]:
        raise ValueError(f"{name} has shape {tuple(x.shape)}; expected at least one snippet and one channel")


def _check_reals(name: str, x: Tensor) -> None:
    """Raises unless `x` is (B, T) in float32 or float64."""
    if x.dtype not in _REAL_SET:
        raise TypeError(f"{name} has dtype {x.dtype}; expected float32 or float64")
    _check_batch(name, x, 2, "(B, T)")


def _check_like(name: str, x: Tensor, shape: torch.Size, dtype: torch.dtype, other_name: str, other: Tensor) -> None:
    """Raises unless `x` has this shape and dtype and lies where `other` lies."""
    if x.dtype != dtype:
        raise TypeError(f"{name} has dtype {x.dtype}; expected {dtype} beside {other_name} of {other.dtype}")
    if x.layout is not _STRIDED:
        raise TypeError(f"{name} is {x.layout}; expected a dense tensor")
    if x.shape != shape:
        raise ValueError(
            f"{name} has shape {tuple(x.shape)}; expected {tuple(shape)} beside {other_name} {tuple(other.shape)}"
        )
    _check_device(name, x, other_name, other)


def _check_choice(x: Tensor, labels: Tensor | None, lengths: Tensor | None, name: str) -> None:
    """Raises unless `labels` (B, C) and `lengths` (B,) fit to `x` (B, T, ...)."""
    if lengths is not None:
        if lengths.dtype != torch.int64 or lengths.layout is not _STRIDED:
            raise TypeError(f"lengths has dtype {lengths.dtype} and is {lengths.layout}; expected dense int64")
        if lengths.shape != x.shape[:1]:
            raise ValueError(
                f"lengths has shape {tuple(lengths.shape)}; expected ({x.shape[0]},), one per video of {name} "
                f"{tuple(x.shape)}"
            )
        _check_device("lengths", lengths, name, x)
    if labels is not None:
        if labels.dtype != torch.bool or labels.layout is not _STRIDED:
            raise TypeError(f"labels has dtype {labels.dtype} and is {labels.layout}; expected dense bool")
        if labels.shape != (x.shape[0], x.shape[2]):
            raise ValueError(
                f"labels has shape {tuple(labels.shape)}; expected ({x.shape[0]}, {x.shape[2]}), one row per video "
                f"and one column per channel of {name} {tuple(x.shape)}"
            )
        _check_device("labels", labels, name, x)


def _check_device(name: str, x: Tensor, other_name: str, other: Tensor) -> None:
    if x.device != other.device:
        raise ValueError(f"{name} is on {x.device} but {other_name} on {other.device}; expected one device")


def _check_eta(eta: float, cas: torch.dtype) -> None:
    if not 0 <= eta < math.inf:
        raise ValueError(f"eta is {eta!r}; expected a finite number >= 0 (Eq. 4; 0 only where no CAS is constant)")
    if eta > _LARGEST_FLOAT32 and cas != torch.float64:
        raise ValueError(
            f"eta is {eta!r}; expected at most {_LARGEST_FLOAT32!r}, the largest float32, in which the weights of a "
            f"cas of {cas} are computed"
        )


def _check_factor(interp_factor: int) -> None:
    if not 0 <= interp_factor <= MAX_INTERP_FACTOR:
        raise ValueError(
            f"interp_factor is {interp_factor}; expected 1..{MAX_INTERP_FACTOR}, or 0 for the continuous limit"
        )
