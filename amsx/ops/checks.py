"""What the public ops accept, brought into the form that the registered ops take, and errors for everything else.

Kinds of arguments are checked here; shapes, dtypes and devices by the registered ops (`amsx.ops.contracts`). Values (a
finite CAS, lengths in range, ordered timestamps) are checked on the CPU alone. Elsewhere that would force a
synchronization. There a length is clamped to 0..T; a video with a non-finite CAS or weight gets NaN timestamps and
features (but a -inf that is no snippet's maximum changes nothing); a negative weight counts as 0; and weights that all
vanish count as uniform.
"""

import operator
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd import forward_ad

from amsx.choices import MAX_INTERP_FACTOR, Aggregate, Mode
from amsx.ops import transforms
from amsx.ops.contracts import FLOATS

_NO_COUNTS = (torch.bool, torch.quint8, torch.qint8, torch.qint32)
_STRIDED = torch.strided
_NUMBERS_VARY = torch.torch_version.TorchVersion(torch.__version__) >= "2.6"  # in graphs; before, they are constants
_LENGTHS = (
    "expected the valid snippets of each video: an int, a list, an array or a tensor (B,) of integers, or a boolean "
    "mask (B, T)"
)
# As tuples, which the compiler of torch 2.4 can trace.
AGGREGATES: tuple[str, ...] = get_args(Aggregate)
MODES: tuple[str, ...] = get_args(Mode)
# What the public ops take for `lengths` and `eta`.
Lengths = Tensor | NDArray[Any] | list[int] | list[list[bool]] | tuple[int, ...] | int
Number = float | np.number[Any] | Tensor


def floating(name: str, x: Any, form: str) -> Tensor:
    """Returns `x` if it is a dense tensor of a supported float dtype, else raises; `form` says what was expected."""
    if not isinstance(x, Tensor):
        raise TypeError(f"{name} is a {type(x).__name__}; expected a tensor {form}")
    if x.dtype not in FLOATS:
        raise TypeError(f"{name} has dtype {x.dtype}; expected float32, float64, float16 or bfloat16")
    if x.layout is not _STRIDED or x.is_nested:
        kind = "a nested tensor" if x.is_nested else x.layout
        raise TypeError(f"{name} is {kind}; expected a dense tensor, padded, with lengths beside it")
    if forward_ad._current_level >= 0:
        transforms.refuse_tangent(name, x)
    if type(x) is not Tensor and not torch.compiler.is_compiling():
        transforms.meet_dtensor(x)
    return x


def ranked(name: str, x: Tensor, ranks: tuple[int, ...], form: str) -> None:
    """Raises unless `x` has one of the `ranks`."""
    if x.ndim not in ranks:
        raise ValueError(f"{name} has shape {tuple(x.shape)}; expected {form}")


def lengths_of(lengths: Any, name: str, like: Tensor) -> Tensor | None:
    """Returns `lengths` in any form beside a batch `like` (B, T, ...) named `name` as int64 (B,) on its device."""
    if lengths is None:
        return None
    if not isinstance(lengths, Tensor):
        counts = _counted(lengths, like)
    elif lengths.dtype == torch.bool:
        counts = _of_mask(lengths, name, like)
    elif lengths.dtype in _NO_COUNTS or lengths.is_floating_point() or lengths.is_complex():
        raise TypeError(f"lengths has dtype {lengths.dtype}; {_LENGTHS}")
    else:
        counts = lengths
    if counts.dtype != torch.int64:
        counts = counts.to(torch.int64)
    # Lengths on the CPU are taken to the features. Lengths on another device are somebody's mistake.
    return counts.to(like.device) if counts.is_cpu and not like.is_cpu else counts


def _counted(lengths: Any, like: Tensor) -> Tensor:
    """Lengths that are no tensor, whose values can be looked at wherever `like` is."""
    if isinstance(lengths, bool) or not isinstance(lengths, (int, np.integer, np.ndarray, list, tuple)):
        raise TypeError(f"lengths is a {type(lengths).__name__}; {_LENGTHS}")
    try:
        if isinstance(lengths, (list, tuple)):
            lengths = [x.item() if isinstance(x, Tensor) and x.ndim == 0 else x for x in lengths]
        if torch.compiler.is_compiling():  # values are looked at when the graph runs
            given = torch.as_tensor(lengths)
            if given.dtype == torch.bool:
                return _of_mask(given, "the batch", like)
            return given if given.ndim else given.expand(like.shape[0])
        array = np.asarray(lengths)
    except (ValueError, TypeError, OverflowError) as error:
        raise TypeError(f"lengths is {lengths!r}; {_LENGTHS}") from error
    if array.dtype == np.bool_:
        return _of_mask(torch.from_numpy(np.ascontiguousarray(array)), "the batch", like)
    if array.size == 0:
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise TypeError(f"lengths holds values of dtype {array.dtype}; {_LENGTHS}")
    counts = torch.from_numpy(array.astype(np.int64)) if array.ndim else torch.full(like.shape[:1], int(array))
    for video, count in enumerate(array.reshape(-1).tolist()):
        if not 1 <= count <= like.shape[1]:
            raise ValueError(f"lengths[{video}] is outside 1..{like.shape[1]} (the snippets of the tensor)")
    return counts


def _of_mask(mask: Tensor, name: str, like: Tensor) -> Tensor:
    """The number of valid snippets, for a mask (B, T) in which they come first."""
    if mask.shape != like.shape[:2]:
        raise ValueError(
            f"lengths is a boolean mask of shape {tuple(mask.shape)}; expected {tuple(like.shape[:2])}, one entry per "
            f"snippet of {name} {tuple(like.shape)}"
        )
    counts = mask.sum(dim=1)
    first = torch.arange(mask.shape[1], device=mask.device) < counts[:, None]
    message = "lengths is a boolean mask with a gap; expected the valid snippets of each video first, then its padding"
    if torch.compiler.is_compiling():
        torch._assert_async((mask == first).all(), message)
    elif not torch.equal(mask, first):
        raise ValueError(message)
    return counts


def labels_of(labels: Any) -> Tensor | None:
    """Returns multi-hot `labels` (B, C) as bool."""
    if labels is None:
        return None
    if not isinstance(labels, Tensor):
        raise TypeError(f"labels is a {type(labels).__name__}; expected a multi-hot tensor (B, C)")
    return labels if labels.dtype == torch.bool else labels != 0


def eta_of(eta: Any) -> float | Tensor:
    """The smallest weight of Eq. 4 as a float, or as a tensor of one element in a graph that is being compiled.

    A graph that holds a number that changes would be compiled anew for every other number.
    """
    if type(eta) is float and not torch.compiler.is_compiling():
        return eta
    if isinstance(eta, Tensor):
        if eta.numel() != 1 or eta.dtype == torch.bool or eta.is_complex():
            raise TypeError(f"eta is a tensor of shape {tuple(eta.shape)} and {eta.dtype}; expected a real number")
        if eta.requires_grad:
            raise NotImplementedError("eta requires a gradient; amsx has none for it: expected eta.detach()")
        return eta.reshape(()).double() if torch.compiler.is_compiling() else float(eta)
    if isinstance(eta, bool) or not isinstance(eta, (int, float, np.floating, np.integer)):
        raise TypeError(f"eta is {eta!r}; expected a number")
    if torch.compiler.is_compiling() and not _is_constant(eta):
        return torch.ones((), dtype=torch.float64) * float(eta)
    return float(eta)


def _is_constant(number: Any) -> bool:
    """Whether the graph that is being compiled holds this number itself, and not a variable that stands for it."""
    if not _NUMBERS_VARY:
        return True
    from torch.fx.experimental.symbolic_shapes import has_static_value

    constant: bool = has_static_value(number)
    return constant


def chosen(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Raises unless `value` is one of the `choices`."""
    if value not in choices:
        raise ValueError(f"{name} is {value!r}; expected one of {', '.join(map(repr, choices))}")


def factor_of(interp_factor: Any, mode: Any) -> int:
    """Checks H and the mode, and returns H as the registered ops take it: 0 for the continuous limit."""
    chosen("mode", mode, MODES)
    if not isinstance(interp_factor, int) or isinstance(interp_factor, bool):
        interp_factor = _index(interp_factor)
    if not 1 <= interp_factor <= MAX_INTERP_FACTOR:
        raise ValueError(
            f"interp_factor is {interp_factor}; expected 1..{MAX_INTERP_FACTOR} (mode='continuous' is the limit)"
        )
    return 0 if mode == "continuous" else interp_factor


def are_plain(eta: Any, interp_factor: Any, aggregate: Any, mode: Any) -> bool:
    """Whether the registered ops take these without a conversion or a draw. What is wrong is not plain, either."""
    return (
        type(eta) is float
        and type(interp_factor) is int
        and 1 <= interp_factor <= MAX_INTERP_FACTOR
        and aggregate in ("max", "mean")
        and mode in MODES
    )


def _index(number: Any) -> int:
    """A NumPy integer or an integer tensor of one element as an int."""
    try:
        if isinstance(number, (bool, np.bool_)) or getattr(number, "dtype", None) == torch.bool:
            raise TypeError("a truth value")
        return operator.index(number)
    except TypeError as error:
        raise TypeError(f"interp_factor is {number!r}; expected an int") from error
