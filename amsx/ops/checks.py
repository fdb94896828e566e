"""What the public ops accept, and the errors that they raise for everything else.

Shapes, dtypes and devices are checked here, whatever the device. Values (a finite CAS, lengths in range, ordered
timestamps) are checked by the CPU kernels while they read them. On CUDA that would force a synchronization. There a
length is clamped to 0..T; a video with a non-finite CAS or weight gets NaN timestamps and features (but a -inf that is
no snippet's maximum changes nothing); a negative weight counts as 0; and weights that all vanish count as uniform.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
_INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
_STRIDED = torch.strided
_unpack_dual: Any = forward_ad.unpack_dual  # torch gives it no types
MAX_INTERP_FACTOR = 1024  # leaves the fixed-point weights 20 bits at a million snippets
AGGREGATES = ("max", "mean", "random")
MODES = ("grid", "continuous")


def floating(name: str, x: Any, form: str) -> Tensor:
    """Returns `x` if it is a dense tensor of a supported float dtype, else raises; `form` says what was expected."""
    if not isinstance(x, Tensor):
        raise TypeError(f"{name} is a {type(x).__name__}; expected a tensor {form}")
    if x.dtype not in FLOATS:
        raise TypeError(f"{name} has dtype {x.dtype}; expected float32, float64, float16 or bfloat16")
    if not (x.is_cpu or x.is_cuda or x.is_meta):
        raise TypeError(f"{name} is on {x.device}; amsx has kernels for cpu and cuda")
    if x.layout is not _STRIDED or x.is_nested:
        kind = "a nested tensor" if x.is_nested else x.layout
        raise TypeError(f"{name} is {kind}; expected a dense tensor, padded, with lengths beside it")
    if forward_ad._current_level >= 0 and _unpack_dual(x).tangent is not None:
        raise NotImplementedError(f"{name} carries a forward-mode tangent; amsx has reverse-mode derivatives alone")
    return x


def shaped(name: str, x: Tensor, ranks: tuple[int, ...], form: str, *, videos: int = 1) -> None:
    """Raises unless `x` has one of the `ranks` and no empty axis beyond the first `videos`, which count the videos."""
    if x.ndim not in ranks:
        raise ValueError(f"{name} has shape {tuple(x.shape)}; expected {form}")
    if x.numel() == 0 and 0 in x.shape[videos:]:  # a batch of no videos is fine
        raise ValueError(f"{name} has shape {tuple(x.shape)}; expected at least one snippet and one channel")


def same_device(name: str, x: Tensor, other_name: str, other: Tensor) -> None:
    """Raises unless both tensors are on one device."""
    if x.device != other.device:
        raise ValueError(f"{name} is on {x.device} but {other_name} on {other.device}; expected one device")


def lengths_of(lengths: Any, name: str, like: Tensor) -> Tensor | None:
    """Checks `lengths` (B,) beside a batch `like` (B, T, ...) named `name`, and returns it as contiguous int64."""
    if lengths is None:
        return None
    if not isinstance(lengths, Tensor):
        raise TypeError(f"lengths is a {type(lengths).__name__}; expected an integer tensor (B,)")
    if lengths.dtype not in _INTEGERS:
        raise TypeError(f"lengths has dtype {lengths.dtype}; expected an integer dtype")
    if lengths.shape != like.shape[:1]:
        raise ValueError(
            f"lengths has shape {tuple(lengths.shape)}; expected ({like.shape[0]},), one per video of {name} "
            f"{tuple(like.shape)}"
        )
    same_device("lengths", lengths, name, like)
    return lengths.to(torch.int64).contiguous()


def labels_of(labels: Any, cas: Tensor) -> Tensor | None:
    """Checks multi-hot `labels` (B, C) beside a `cas` (B, T, C), and returns it as contiguous bool."""
    if labels is None:
        return None
    if not isinstance(labels, Tensor):
        raise TypeError(f"labels is a {type(labels).__name__}; expected a multi-hot tensor (B, C)")
    if labels.shape != (cas.shape[0], cas.shape[2]):
        raise ValueError(
            f"labels has shape {tuple(labels.shape)}; expected ({cas.shape[0]}, {cas.shape[2]}), one row per video "
            f"and one column per channel of cas {tuple(cas.shape)}"
        )
    same_device("labels", labels, "cas", cas)
    return (labels if labels.dtype == torch.bool else labels != 0).contiguous()


def eta_of(eta: Any) -> float:
    """Checks the smallest weight of Eq. 4."""
    if isinstance(eta, bool) or not isinstance(eta, (int, float)):
        raise TypeError(f"eta is {eta!r}; expected a number")
    if not 0 <= eta < math.inf:
        raise ValueError(f"eta is {eta!r}; expected a finite number >= 0 (Eq. 4; 0 only where no CAS is constant)")
    return float(eta)


def factor_of(interp_factor: Any, mode: Any) -> int:
    """Checks H and the mode, and returns H as the kernels take it: 0 for the continuous limit."""
    if mode not in MODES:
        raise ValueError(f"mode is {mode!r}; expected one of {', '.join(map(repr, MODES))}")
    if isinstance(interp_factor, bool) or not isinstance(interp_factor, int):
        raise TypeError(f"interp_factor is {interp_factor!r}; expected an int")
    if not 1 <= interp_factor <= MAX_INTERP_FACTOR:
        raise ValueError(
            f"interp_factor is {interp_factor}; expected 1..{MAX_INTERP_FACTOR} (mode='continuous' is the limit)"
        )
    return 0 if mode == "continuous" else interp_factor
