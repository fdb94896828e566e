"""Values of files as arrays of real numbers: tensors of every kind, object arrays, lists of rows.

What can be read in one way alone is read: a tensor that requires a gradient, is sparse, quantized or a lazy view of
another has its values; a list of rows of one length is an array. All else is a ValueError that says what it is.
"""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

EXPECTED = "expected an array of real numbers"


def as_numbers(value: Any, where: str) -> NDArray[Any]:
    """`value` as an array of real numbers, of any shape; ValueError, beginning with `where`, where it is none."""
    try:
        array = _as_array(value)
    except (ValueError, TypeError, RuntimeError, OverflowError, MemoryError) as error:
        raise ValueError(f"{where}: {error or type(error).__name__}, {EXPECTED}") from error
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{where}: {array.dtype} values, {EXPECTED}")
    return array


def axes_of(value: Any) -> int:
    """How many axes a value has as an array: 0 for a number or text, 2 for a list of lists."""
    if isinstance(value, np.ndarray) or _is_tensor(value):
        inner = axes_of(value.flat[0]) if isinstance(value, np.ndarray) and value.dtype.hasobject and value.size else 0
        return value.ndim + inner
    if isinstance(value, (list, tuple)):
        return 1 + (axes_of(value[0]) if value else 0)
    return 0


def flat_names(value: Mapping[Any, Any], above: str = "") -> dict[str, Any]:
    """What a dict, and the dicts in it, hold by name; names of inner dicts are joined by "/", as in HDF5."""
    names: dict[str, Any] = {}
    for name, part in value.items():
        if isinstance(name, str):
            inner = isinstance(part, Mapping) and len(part) > 0
            names |= flat_names(part, f"{above}{name}/") if inner else {f"{above}{name}": part}
    return names


def _is_tensor(value: Any) -> "TypeGuard[torch.Tensor]":
    """Whether a value is a tensor, which none is before something has imported torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _as_array(value: Any) -> NDArray[Any]:
    if _is_tensor(value):
        return _from_tensor(value)
    if isinstance(value, np.ndarray):
        return _from_objects(value) if value.dtype.kind == "O" else value
    if isinstance(value, (list, tuple)):
        return _from_rows(list(value))
    raise TypeError(f"a {type(value).__name__}")


def _from_tensor(tensor: "torch.Tensor") -> NDArray[Any]:
    import torch

    if tensor.is_meta:
        raise ValueError("a tensor without values (of the device meta)")
    if tensor.is_nested:
        raise ValueError("a nested tensor")
    plain = tensor.detach()
    if plain.layout != torch.strided:
        plain = plain.to_dense()
    if plain.is_quantized:
        plain = plain.dequantize()
    if plain.is_floating_point() and plain.dtype not in (
        torch.float16,
        torch.float32,
        torch.float64,
    ):  # bfloat16, float8
        plain = plain.float()
    array: NDArray[Any] = plain.resolve_conj().resolve_neg().numpy()
    return array


def _from_objects(array: NDArray[Any]) -> NDArray[Any]:
    """An object array, each of whose elements is a number, or an array of one shape."""
    if array.ndim == 0:
        return _as_array(array.item())
    whole = _from_rows(array.ravel().tolist())
    return whole.reshape(array.shape + whole.shape[1:])


def _from_rows(rows: list[Any]) -> NDArray[Any]:
    if any(_is_tensor(row) or (isinstance(row, np.ndarray) and row.dtype.kind == "O") for row in rows):
        rows = [_as_array(row) if isinstance(row, np.ndarray) or _is_tensor(row) else row for row in rows]
    try:
        array = np.asarray(rows)
    except ValueError as error:
        raise ValueError(f"a list of {len(rows)} rows that differ in shape") from error
    if array.dtype.kind == "O":
        raise TypeError("a list of other things than numbers")
    return array
