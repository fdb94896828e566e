"""How the registered ops behave under torch's transforms: differentiation, torch.vmap, sharded tensors.

The gradient of an op is an `autograd.Function` at the dispatcher's Autograd key, which is what
`torch.library.register_autograd` makes, too. That one refuses torch.func.grad, vjp and jacrev; here they work level by
level, as they do for PyTorch's own ops.
"""

import sys
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch._functorch.utils import enable_single_level_autograd_function
from torch.autograd import forward_ad
from torch.autograd.function import _SingleLevelFunction

Gradients = tuple[Tensor | None, ...]  # one for each input
_C: Any = torch._C
_unpack_dual: Any = forward_ad.unpack_dual  # torch gives these no types
_set_fwd_grad_enabled: Any = forward_ad._set_fwd_grad_enabled


def _requires_grad(*inputs: Any) -> bool:
    """Whether one of the inputs is a tensor that requires a gradient."""
    return any(isinstance(x, Tensor) and x.requires_grad for x in inputs)


# Before torch 2.5 there is no such function in C++, which is the faster one.
any_requires_grad: Callable[..., bool] = getattr(_C, "_any_requires_grad", _requires_grad)


def refuse_tangent(name: str, x: Any) -> None:
    """Raises if a forward-mode tangent would get lost."""
    if isinstance(x, Tensor) and _unpack_dual(x).tangent is not None:
        raise NotImplementedError(f"{name} carries a forward-mode tangent; amsx has reverse-mode derivatives alone")


def differentiable(
    op: Any, run: Callable[..., Any], gradient: Callable[..., Gradients], keep: Callable[..., None] | None
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The kernel of an op for the Autograd key: `keep` saves in the forward pass what `gradient` needs in the backward.

    Returns:
        A function that takes the dispatcher's keys and the inputs of the op, and one that takes the inputs alone and
        calls `run` without the dispatcher.
    """
    names = [argument.name for argument in op._schema.arguments]

    def below(keys: Any, inputs: tuple[Any, ...]) -> Any:
        if keys is None:
            return run(*inputs)
        with _C._AutoDispatchBelowAutograd():
            return op.redispatch(keys & _C._after_autograd_keyset, *inputs)

    def forward(*inputs_and_keys: Any) -> Any:
        inputs, keys = inputs_and_keys[:-1], inputs_and_keys[-1]
        if _C._are_functorch_transforms_active():  # the levels below this one have modes of their own
            with torch.enable_grad(), _set_fwd_grad_enabled(True):
                return below(keys, inputs)
        return below(keys, inputs)

    def setup_context(ctx: Any, inputs_and_keys: tuple[Any, ...], output: Any) -> None:
        if keep is not None:
            keep(ctx, inputs_and_keys[:-1], output)

    def backward(ctx: Any, *grads: Tensor | None) -> Gradients:
        return (*gradient(ctx, *grads), None)

    members = {
        "forward": staticmethod(forward),
        "setup_context": staticmethod(setup_context),
        "backward": staticmethod(backward),
    }
    # The base of torch.autograd.Function, without its handling of transforms: the dispatcher has handled them before.
    function: Any = type(f"Amsx{op._opname}", (_SingleLevelFunction,), members)
    apply = function.apply

    def dispatched(keys: Any, *inputs: Any) -> Any:
        if forward_ad._current_level >= 0:
            for name, x in zip(names, inputs, strict=True):
                refuse_tangent(name, x)
        if not (torch.is_grad_enabled() and any_requires_grad(*inputs)):
            return below(keys, inputs)
        if not _C._are_functorch_transforms_active():
            return apply(*inputs, keys)
        with enable_single_level_autograd_function():
            return apply(*inputs, keys)

    return dispatched, lambda *inputs: apply(*inputs, None)


def register_vmap(op: Any, library: Any) -> None:
    """Under torch.vmap the mapped axis becomes a part of the batch. Before torch 2.5 vmap calls the op in a loop."""
    if hasattr(torch.library, "register_vmap"):
        torch.library.register_vmap(op._name, partial(_folded, op), lib=library)


def _folded(op: Any, info: Any, in_dims: tuple[int | None, ...], *inputs: Any) -> tuple[Any, Any]:
    size = info.batch_size

    def fold(x: Any, dim: int | None) -> Any:
        if not isinstance(x, Tensor) or (dim is None and x.dim() == 0):
            return x
        if x.dim() == 1 and dim is not None and x.dtype.is_floating_point:
            raise NotImplementedError("eta is mapped over by torch.vmap; expected one eta for all")
        x = x.expand(size, *x.shape) if dim is None else x.movedim(dim, 0)
        return x.reshape(size * x.shape[1], *x.shape[2:])

    output = op(*map(fold, inputs, in_dims))
    if isinstance(output, Tensor):
        return output.view(size, output.shape[0] // max(size, 1), *output.shape[1:]), 0
    return tuple(x.view(size, x.shape[0] // max(size, 1), *x.shape[1:]) for x in output), (0,) * len(output)


# ---- DTensor

_sharded_ops: list[Any] = []  # those that DTensor does not know yet


def register_sharding(ops: Iterable[Any]) -> None:
    """Lets DTensor split the batch of these ops: at once where it is imported, else when the first DTensor comes."""
    _sharded_ops.extend(ops)
    if "torch.distributed.tensor" in sys.modules:
        _register_sharding()


def meet_dtensor(x: Tensor) -> None:
    """Registers with DTensor the ops that wait for it, if `x` is one."""
    if _sharded_ops and type(x).__name__ == "DTensor":
        _register_sharding()


def _register_sharding() -> None:
    from torch.distributed.tensor import Replicate, Shard

    try:
        from torch.distributed.tensor.experimental import register_sharding
    except ImportError:  # before torch 2.6 DTensor takes no ops of others
        _sharded_ops.clear()
        return

    def strategy(op: Any, *inputs: Any) -> Any:
        outputs = len(op._schema.returns)
        tensors = [getattr(x, "tensor_meta", None) for x in inputs]
        replicated = [None if meta is None else Replicate() for meta in tensors]
        by_video = [None if meta is None else Shard(0) if len(meta.shape) > 0 else Replicate() for meta in tensors]
        return [([Replicate()] * outputs, replicated), ([Shard(0)] * outputs, by_video)]

    while _sharded_ops:
        op = _sharded_ops.pop()
        register_sharding(op)(partial(strategy, op))
