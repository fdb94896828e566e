"""The ops as torch.library knows them: schemas, kernels, fakes, gradients; one table at the end.

Everything here takes tensors that the public functions have checked and made regular: `cas` (B, T, C), `feats`
(B, T, D), `weights` and `timestamps` (B, T), `labels` bool (B, C) contiguous, `lengths` int64 (B,) contiguous.
`interp_factor` 0 stands for the continuous limit.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from amsx.ops import native

_LIBRARY = torch.library.Library("amsx", "DEF")


# ---- kernels: allocate the outputs, call the native core


def _sampling_weights(cas: Tensor, labels: Tensor | None, lengths: Tensor | None, eta: float, mean: bool) -> Tensor:
    weights = _weights_like(cas)
    native.sampling(cas, labels, lengths, eta, mean, weights, None, 0)
    return weights


def _sampling_timestamps(weights: Tensor, lengths: Tensor | None, interp_factor: int) -> Tensor:
    weights = weights.contiguous()
    timestamps = torch.empty_like(weights)
    native.sampling(None, None, lengths, 0.0, False, weights, timestamps, interp_factor)
    return timestamps


def _adaptive_sample(
    feats: Tensor,
    cas: Tensor,
    labels: Tensor | None,
    lengths: Tensor | None,
    eta: float,
    mean: bool,
    interp_factor: int,
) -> tuple[Tensor, Tensor]:
    feats = _rows(feats)
    out, timestamps = _dense(feats), _weights_like(cas)
    native.adaptive_sample(feats, cas, labels, lengths, eta, mean, interp_factor, out, timestamps)
    return out, timestamps


def _sampling_weights_backward(
    grad: Tensor, cas: Tensor, labels: Tensor | None, lengths: Tensor | None, mean: bool
) -> Tensor:
    grad_cas = _dense(cas)
    native.weights_backward(grad.contiguous(), cas, labels, lengths, mean, grad_cas)
    return grad_cas


def _sampling_timestamps_backward(grad: Tensor, weights: Tensor, timestamps: Tensor, lengths: Tensor | None) -> Tensor:
    grad_weights = torch.empty_like(weights, memory_format=torch.contiguous_format)
    native.timestamps_backward(grad.contiguous(), weights.contiguous(), timestamps.contiguous(), lengths, grad_weights)
    return grad_weights


def _rows_kernel(operation: str) -> Callable[..., Tensor]:
    def kernel(source: Tensor, timestamps: Tensor, lengths: Tensor | None) -> Tensor:
        source = _rows(source)
        out = _dense(source)
        native.rows(operation, source, timestamps.contiguous(), lengths, out)
        return out

    return kernel


def _timestamps_kernel(operation: str) -> Callable[..., Tensor]:
    def kernel(grad: Tensor, source: Tensor, timestamps: Tensor, lengths: Tensor | None) -> Tensor:
        timestamps = timestamps.contiguous()
        out = torch.empty_like(timestamps)
        native.rows_to_timestamps(operation, _rows(grad), _rows(source), timestamps, lengths, out)
        return out

    return kernel


def _rows(x: Tensor) -> Tensor:
    """Rows that are contiguous in themselves; batch and time may have any stride."""
    return x if x.stride(2) == 1 else x.contiguous()


def _dense(x: Tensor) -> Tensor:
    return torch.empty_like(x, memory_format=torch.contiguous_format)


def _weights_like(cas: Tensor) -> Tensor:
    return cas.new_empty(cas.size(0), cas.size(1), dtype=native.compute_dtype(cas.dtype))


# ---- fakes: the shapes and dtypes of the outputs


def _fake_weights(cas: Tensor, labels: Tensor | None, lengths: Tensor | None, eta: float, mean: bool) -> Tensor:
    return _weights_like(cas)


def _fake_timestamps(weights: Tensor, lengths: Tensor | None, interp_factor: int) -> Tensor:
    return torch.empty_like(weights, memory_format=torch.contiguous_format)


def _fake_sample(
    feats: Tensor,
    cas: Tensor,
    labels: Tensor | None,
    lengths: Tensor | None,
    eta: float,
    mean: bool,
    interp_factor: int,
) -> tuple[Tensor, Tensor]:
    return _dense(feats), _weights_like(cas)


def _fake_grad_cas(grad: Tensor, cas: Tensor, labels: Tensor | None, lengths: Tensor | None, mean: bool) -> Tensor:
    return _dense(cas)


def _fake_grad_weights(grad: Tensor, weights: Tensor, timestamps: Tensor, lengths: Tensor | None) -> Tensor:
    return torch.empty_like(weights, memory_format=torch.contiguous_format)


def _fake_rows(source: Tensor, timestamps: Tensor, lengths: Tensor | None) -> Tensor:
    return _dense(source)


def _fake_grad_timestamps(grad: Tensor, source: Tensor, timestamps: Tensor, lengths: Tensor | None) -> Tensor:
    return torch.empty_like(timestamps, memory_format=torch.contiguous_format)


# ---- gradients


def _keep_weights(ctx: Any, inputs: tuple, output: Tensor) -> None:
    cas, labels, lengths, _, ctx.mean = inputs
    ctx.save_for_backward(cas, labels, lengths)


def _grad_of_weights(ctx: Any, grad: Tensor) -> tuple:
    cas, labels, lengths = ctx.saved_tensors
    return (
        torch.ops.amsx.sampling_weights_backward(grad, cas, labels, lengths, ctx.mean),
        None,
        None,
        None,
        None,
    )


def _keep_timestamps(ctx: Any, inputs: tuple, output: Tensor) -> None:
    weights, lengths, ctx.interp_factor = inputs
    ctx.save_for_backward(weights, output, lengths)


def _grad_of_timestamps(ctx: Any, grad: Tensor) -> tuple:
    if ctx.interp_factor != 0:  # an index into the up-sampled sequence: piecewise constant
        return None, None, None
    weights, timestamps, lengths = ctx.saved_tensors
    return torch.ops.amsx.sampling_timestamps_backward(grad, weights, timestamps, lengths), None, None


def _keep_sample(ctx: Any, inputs: tuple, output: tuple[Tensor, Tensor]) -> None:
    feats, cas, labels, lengths, ctx.eta, ctx.mean, interp_factor = inputs
    ctx.set_materialize_grads(False)  # of what nobody used there is none: zeros would cost a launch
    # An index into the up-sampled sequence is piecewise constant: nothing reaches the CAS in grid mode.
    ctx.through_cas = interp_factor == 0 and cas.requires_grad
    if not ctx.through_cas:
        ctx.mark_non_differentiable(output[1])
    kept = (feats, cas, labels) if ctx.through_cas else (None, None, None)
    ctx.save_for_backward(*kept, lengths, output[1])


def _grad_of_sample(ctx: Any, grad: Tensor | None, grad_timestamps: Tensor | None) -> tuple:
    feats, cas, labels, lengths, timestamps = ctx.saved_tensors
    grad_feats = grad_cas = None
    if ctx.needs_input_grad[0] and grad is not None:
        grad_feats = torch.ops.amsx.gather_backward(grad, timestamps, lengths)
    moved = grad_timestamps if ctx.through_cas else None
    if ctx.through_cas and grad is not None:
        through_feats = torch.ops.amsx.gather_backward_timestamps(grad, feats, timestamps, lengths)
        moved = through_feats if moved is None else through_feats + moved
    if moved is not None:
        weights = torch.ops.amsx.sampling_weights(cas, labels, lengths, ctx.eta, ctx.mean)
        grad_weights = torch.ops.amsx.sampling_timestamps_backward(moved, weights, timestamps, lengths)
        grad_cas = torch.ops.amsx.sampling_weights_backward(grad_weights, cas, labels, lengths, ctx.mean)
    return grad_feats, grad_cas, None, None, None, None, None


def _keep_rows(ctx: Any, inputs: tuple, output: Tensor) -> None:
    source, timestamps, lengths = inputs
    # The values are needed for the timestamps' gradient alone: do not hold them otherwise.
    ctx.save_for_backward(source if timestamps.requires_grad else None, timestamps, lengths)


def _grad_of_rows(name: str) -> Callable[..., tuple]:
    def backward(ctx: Any, grad: Tensor) -> tuple:
        source, timestamps, lengths = ctx.saved_tensors
        grad_source = grad_timestamps = None
        if ctx.needs_input_grad[0]:
            grad_source = getattr(torch.ops.amsx, f"{name}_backward")(grad, timestamps, lengths)
        if ctx.needs_input_grad[1]:
            to_timestamps = getattr(torch.ops.amsx, f"{name}_backward_timestamps")
            grad_timestamps = to_timestamps(grad, source, timestamps, lengths)
        return grad_source, grad_timestamps, None

    return backward


# ---- second derivatives: right where an adjoint is linear (grid mode), an error elsewhere


def _keep_adjoint(ctx: Any, inputs: tuple, output: Tensor) -> None:
    _, timestamps, lengths = inputs
    ctx.save_for_backward(timestamps, lengths)


def _grad_of_adjoint(name: str) -> Callable[..., tuple]:
    """Of `name`_backward, which is linear in the gradient that it takes: its own adjoint is the op."""

    def backward(ctx: Any, grad: Tensor) -> tuple:
        if ctx.needs_input_grad[1]:
            raise NotImplementedError(_TWICE)
        timestamps, lengths = ctx.saved_tensors
        return getattr(torch.ops.amsx, name)(grad, timestamps, lengths), None, None

    return backward


_TWICE = (
    "amsx has no second derivative through timestamps or sampling weights; expected one backward pass through them "
    "(mode='continuous' and create_graph=True do not go together; mode='grid' can be differentiated twice in feats)"
)


def _no_second(ctx: Any, grad: Tensor) -> tuple:
    raise NotImplementedError(_TWICE)


# ---- the table: schema, kernel, fake, and (setup, backward) where there is a gradient

_SAMPLED = "Tensor? labels, Tensor? lengths, float eta, bool mean"
_OPS: list[tuple[str, Callable, Callable, tuple[Callable | None, Callable] | None]] = [
    (
        f"sampling_weights(Tensor cas, {_SAMPLED}) -> Tensor",
        _sampling_weights,
        _fake_weights,
        (_keep_weights, _grad_of_weights),
    ),
    (
        "sampling_timestamps(Tensor weights, Tensor? lengths, int interp_factor) -> Tensor",
        _sampling_timestamps,
        _fake_timestamps,
        (_keep_timestamps, _grad_of_timestamps),
    ),
    (
        f"adaptive_sample(Tensor feats, Tensor cas, {_SAMPLED}, int interp_factor) -> (Tensor, Tensor)",
        _adaptive_sample,
        _fake_sample,
        (_keep_sample, _grad_of_sample),
    ),
    # The same without a gradient: dispatch through autograd costs more than all else in a call on a tiny input.
    (
        f"adaptive_sample_no_grad(Tensor feats, Tensor cas, {_SAMPLED}, int interp_factor) -> (Tensor, Tensor)",
        _adaptive_sample,
        _fake_sample,
        None,
    ),
    (
        "sampling_weights_backward(Tensor grad, Tensor cas, Tensor? labels, Tensor? lengths, bool mean) -> Tensor",
        _sampling_weights_backward,
        _fake_grad_cas,
        (None, _no_second),
    ),
    (
        "sampling_timestamps_backward(Tensor grad, Tensor weights, Tensor timestamps, Tensor? lengths) -> Tensor",
        _sampling_timestamps_backward,
        _fake_grad_weights,
        (None, _no_second),
    ),
    (
        "gather(Tensor feats, Tensor timestamps, Tensor? lengths) -> Tensor",
        _rows_kernel("gather"),
        _fake_rows,
        (_keep_rows, _grad_of_rows("gather")),
    ),
    (
        "gather_backward(Tensor grad, Tensor timestamps, Tensor? lengths) -> Tensor",
        _rows_kernel("gather_backward"),
        _fake_rows,
        (_keep_adjoint, _grad_of_adjoint("gather")),
    ),
    (
        "gather_backward_timestamps(Tensor grad, Tensor feats, Tensor timestamps, Tensor? lengths) -> Tensor",
        _timestamps_kernel("gather_backward_timestamps"),
        _fake_grad_timestamps,
        (None, _no_second),
    ),
    (
        "align_cas(Tensor cas, Tensor timestamps, Tensor? lengths) -> Tensor",
        _rows_kernel("align"),
        _fake_rows,
        (_keep_rows, _grad_of_rows("align_cas")),
    ),
    (
        "align_cas_backward(Tensor grad, Tensor timestamps, Tensor? lengths) -> Tensor",
        _rows_kernel("align_backward"),
        _fake_rows,
        (_keep_adjoint, _grad_of_adjoint("align_cas")),
    ),
    (
        "align_cas_backward_timestamps(Tensor grad, Tensor cas, Tensor timestamps, Tensor? lengths) -> Tensor",
        _timestamps_kernel("align_backward_timestamps"),
        _fake_grad_timestamps,
        (None, _no_second),
    ),
]

for _schema, _kernel, _fake, _gradient in _OPS:
    _name = _schema.split("(", 1)[0]
    _LIBRARY.define(_schema, tags=(torch.Tag.pt2_compliant_tag,))
    _LIBRARY.impl(_name, _kernel, "CPU")
    _LIBRARY.impl(_name, _kernel, "CUDA")
    torch.library.register_fake(f"amsx::{_name}", _fake, lib=_LIBRARY)
    if _gradient is not None:
        torch.library.register_autograd(f"amsx::{_name}", _gradient[1], setup_context=_gradient[0], lib=_LIBRARY)
