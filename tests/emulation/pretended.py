"""Tensors in host memory that say they are on a GPU: on them, and on no others, amsx's ops run the emulated kernels.

What tests/gpu does with a device, it does with these: `x.to("cuda")` and `torch.zeros(..., device="cuda")` make them,
whatever is computed of them is one of them, and `x.cpu()` is none any more. There are no streams and no graphs.
"""

from typing import Any, ClassVar

import torch
from emulation.device import EmulatedDevice, native
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

_FACTORIES = {torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn, torch.tensor, torch.arange}


class OnDevice(torch.Tensor):
    """A tensor of the pretended device."""

    emulated: ClassVar[EmulatedDevice]

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        values: dict[Any, object] = {
            torch.Tensor.device: torch.device("cuda", 0),
            torch.Tensor.is_cuda: True,
            torch.Tensor.is_cpu: False,
        }
        for descriptor, value in values.items():
            if function == descriptor.__get__:
                return value
        installed = native._C
        native._C = OnDevice.emulated
        try:
            result = super().__torch_function__(function, types, args, kwargs or {})
        finally:
            native._C = installed
        return result.as_subclass(torch.Tensor) if function is torch.Tensor.cpu else result


class Pretence(TorchFunctionMode):
    """Within, "cuda" is the pretended device."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if function is torch.Tensor.to and any(_is_cuda(a) for a in args[1:]):
            return args[0].clone().as_subclass(OnDevice)
        if function in _FACTORIES and _is_cuda(kwargs.get("device")):
            requires_grad = kwargs.pop("requires_grad", False)
            made = function(*args, **{**kwargs, "device": "cpu"}).as_subclass(OnDevice)
            return made.requires_grad_(requires_grad)
        if isinstance(kwargs.get("device"), torch.device) and _is_cuda(kwargs["device"]):
            kwargs["device"] = torch.device("cpu")
        result = function(*args, **kwargs)
        if any(isinstance(x, OnDevice) for x in tree_leaves((args, kwargs))) and function is not torch.Tensor.cpu:
            return tree_map(lambda x: x.as_subclass(OnDevice) if type(x) is torch.Tensor else x, result)
        return result


def _is_cuda(device: object) -> bool:
    return isinstance(device, (str, torch.device)) and torch.device(device).type == "cuda"
