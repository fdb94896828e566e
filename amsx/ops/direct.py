"""Whether an op may run without PyTorch's dispatcher, which on a tiny input costs more than the op itself.

The dispatcher is there for what may come between a call and its kernel: a transform, tracing, a mode, a profiler, a
tensor that is not what it seems. Where there is nothing of that, the outcome is the same without it.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn import Parameter

_C: Any = torch._C
_keys_of: Any = _C._dispatch_keys
_keys_in_force: Any = _C._dispatch_tls_local_include_set
_KNOWS_KEYS = hasattr(_C.DispatchKeySet, "raw_repr")  # torch 2.4 cannot compare sets of keys, and always dispatches

_of_cpu: set[int] = set()  # the keys of plain tensors, once one was met
_plain = {"cpu": _of_cpu, "cuda": set[int]()}
_usual: set[int] = set()  # the keys that are in force where nothing intervenes
if _KNOWS_KEYS:
    for inference in (False, True):
        with torch.inference_mode(inference):
            _usual.add(_keys_in_force().raw_repr())


def is_possible(tensors: tuple[Tensor | None, ...]) -> bool:
    """Whether all of these are plain tensors of a CPU or of CUDA, or None, and nothing would intervene in a call."""
    if not _KNOWS_KEYS or _keys_in_force().raw_repr() not in _usual or forward_ad._current_level >= 0:
        return False
    if _C._is_torch_function_mode_enabled() or torch.autograd._profiler_enabled():
        return False
    for x in tensors:
        if x is None:
            continue
        if type(x) is not Tensor and type(x) is not Parameter:
            return False
        if _keys_of(x).raw_repr() not in _of_cpu and not _is_plain(x):
            return False
    return True


def _is_plain(x: Tensor) -> bool:
    """Whether a tensor has the keys of any plain tensor of its device. The first of a device tells which these are."""
    plain = _plain.get(x.device.type)
    if plain is None:
        return False
    if not plain:
        for inference in (False, True):
            with torch.inference_mode(inference):
                plain.add(_keys_of(torch.empty(0, device=x.device)).raw_repr())
    return _keys_of(x).raw_repr() in plain
