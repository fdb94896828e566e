"""The ops as torch.library knows them. Each has its kernels, its fake, its gradient and its schema beside each other.

Everything here takes tensors as `amsx.ops.contracts` asks for them: `cas` (B, T, C), `feats` (B, T, D), `weights` and
`timestamps` (B, T), `labels` bool (B, C), `lengths` int64 (B,). `interp_factor` 0 stands for the continuous limit. An
op that takes `eta` has an overload `tensor_eta`, in which it is a tensor of one element.

A kernel allocates the outputs and calls the native core, on the CPU and on CUDA alike; where the core has no kernels,
the op of its name in `amsx.ops.composite` runs. A fake gives the shapes and dtypes of the outputs alone. A second
derivative is right where an adjoint is linear (grid mode) and an error elsewhere.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from amsx.ops import backends, composite, contracts, direct, native, transforms, values
from amsx.ops.contracts import compute_dtype
from amsx.ops.transforms import Gradients

_Library: Any = torch.library.Library  # torch gives its methods no types
_LIBRARY = _Library("amsx", "DEF")
_KEYS = ("CPU", "CUDA", "CompositeExplicitAutograd")  # the last of them is for all other devices
_overloads: list[Any] = []


def _register(
    schema: str,
    check: Callable[..., None],
    kernel: Callable[..., Any],
    plain: Callable[..., Any],
    fake: Callable[..., Any],
    gradient: Callable[..., Gradients],
    keep: Callable[..., None] | None = None,
    refuse: Callable[..., None] | None = None,
    at_once: Callable[..., Any] | None = None,
) -> Callable[..., Any]:
    """Defines an op.

    Args:
        schema: in PyTorch's language. The first argument tells the device.
        check: raises for arguments that the op does not take.
        kernel, plain: the op by the native core, and in PyTorch operations.
        fake: its outputs, empty.
        gradient, keep: its gradient, and what saves in the forward pass what that needs.
        refuse: raises on a CPU in front of `plain` for values that `kernel` finds by itself.
        at_once: `check` and `kernel` in one for plain tensors on a CPU; None is its answer to what it does not take.

    Returns:
        The op to be called from Python: through the dispatcher only where something may intervene.
    """

    def run(*inputs: Any) -> Any:
        check(*inputs)
        device = inputs[0].device
        if backends.is_native(device):
            return kernel(*inputs)
        if refuse is not None and device.type == "cpu":
            refuse(*inputs)
        return plain(*inputs)

    def faked(*inputs: Any) -> Any:
        check(*inputs)
        return fake(*inputs)

    def run_directly(*inputs: Any) -> Any:
        if at_once is not None and backends.is_native(inputs[0].device):
            output = at_once(*inputs)
            if output is not None:
                return output
        return run(*inputs)

    name = schema.split("(", 1)[0]
    tensors = schema.count("Tensor ") + schema.count("Tensor? ")  # they come first
    op, differentiated = _define(name, schema, run, run_directly, faked, gradient, keep)
    if "float eta" in schema:
        at = schema[: schema.index("float eta")].count(",")
        schema = schema.replace(f"{name}(", f"{name}.tensor_eta(", 1).replace("float eta", "Tensor eta")
        with_number = _with_number(run, at, None)
        _define(name, schema, with_number, with_number, _with_number(faked, at, 1.0), gradient, keep)

    def call(*inputs: Any) -> Any:
        if torch.compiler.is_compiling() or not direct.is_possible(inputs[:tensors]):
            return op(*inputs)
        if torch.is_grad_enabled() and transforms.any_requires_grad(*inputs):
            return differentiated(*inputs)
        return run_directly(*inputs)

    return call


def _define(
    name: str,
    schema: str,
    run: Callable[..., Any],
    run_directly: Callable[..., Any],
    fake: Callable[..., Any],
    gradient: Callable[..., Gradients],
    keep: Callable[..., None] | None,
) -> tuple[Any, Callable[..., Any]]:
    """Returns the overload, and what computes it and its gradient without the dispatcher."""
    qualified = schema.split("(", 1)[0]
    _LIBRARY.define(schema, tags=(torch.Tag.pt2_compliant_tag,))
    for key in _KEYS:
        _LIBRARY.impl(qualified, run, key)
    torch.library.register_fake(f"amsx::{qualified}", fake, lib=_LIBRARY)
    op = getattr(getattr(torch.ops.amsx, name), "default" if qualified == name else qualified.split(".")[1])
    dispatched, undispatched = transforms.differentiable(op, run_directly, gradient, keep)
    _LIBRARY.impl(qualified, dispatched, "Autograd", with_keyset=True)
    transforms.register_vmap(op, _LIBRARY)
    _overloads.append(op)
    return op, undispatched


def _with_number(function: Callable[..., Any], at: int, number: float | None) -> Callable[..., Any]:
    """`function` with `number` for its input `at`, a tensor of one element; None: with the number that it holds."""

    def call(*inputs: Any) -> Any:
        if inputs[at].numel() != 1:
            raise ValueError(f"eta has shape {tuple(inputs[at].shape)}; expected one number")
        return function(*inputs[:at], float(inputs[at]) if number is None else number, *inputs[at + 1 :])

    return call


_TWICE = (
    "amsx has no second derivative through timestamps or sampling weights; expected one backward pass through them "
    "(mode='continuous' and create_graph=True do not go together; mode='grid' can be differentiated twice in feats)"
)


def _no_second(ctx: Any, grad: Tensor) -> Gradients:
    raise NotImplementedError(_TWICE)


def _dense(x: Tensor) -> Tensor:
    """An empty tensor like `x`, contiguous."""
    if x.is_contiguous():  # asking takes less time than naming the format
        return torch.empty_like(x)
    return torch.empty_like(x, memory_format=torch.contiguous_format)


def _weights_like(cas: Tensor) -> Tensor:
    """An empty (B, T) tensor of the type in which a CAS is computed."""
    batch, snippets = cas.shape[:2]
    if cas.dtype == torch.float32:  # naming the dtype takes as long as all the rest
        return cas.new_empty(batch, snippets)
    return cas.new_empty(batch, snippets, dtype=compute_dtype(cas.dtype))


def _rows(x: Tensor) -> Tensor:
    """`x` with rows that are contiguous in themselves; batch and time may have any stride."""
    return x if x.stride(2) == 1 else x.contiguous()


def _packed(x: Tensor | None) -> Tensor | None:
    return None if x is None else x.contiguous()


_CHOICE = "Tensor? labels, Tensor? lengths, float eta, bool mean"  # which channels and snippets count, and how


# ---- Eq. 4: the sampling weights


def _sampling_weights(cas: Tensor, labels: Tensor | None, lengths: Tensor | None, eta: float, mean: bool) -> Tensor:
    weights = _weights_like(cas)
    native.sampling(cas, _packed(labels), _packed(lengths), eta, mean, weights, None, 0)
    return weights


def _fake_weights(cas: Tensor, labels: Tensor | None, lengths: Tensor | None, eta: float, mean: bool) -> Tensor:
    return _weights_like(cas)


def _keep_weights(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    cas, labels, lengths, _, ctx.mean = inputs
    ctx.save_for_backward(cas, labels, lengths)


def _grad_of_weights(ctx: Any, grad: Tensor) -> Gradients:
    cas, labels, lengths = ctx.saved_tensors
    grad_cas = sampling_weights_backward(grad, cas, labels, lengths, ctx.mean)
    return grad_cas, None, None, None, None


sampling_weights = _register(
    f"sampling_weights(Tensor cas, {_CHOICE}) -> Tensor",
    contracts.check_weighing,
    _sampling_weights,
    composite.sampling_weights,
    _fake_weights,
    _grad_of_weights,
    _keep_weights,
    values.check_cas,
)


def _sampling_weights_backward(
    grad: Tensor, cas: Tensor, labels: Tensor | None, lengths: Tensor | None, mean: bool
) -> Tensor:
    grad_cas = _dense(cas)
    native.weights_backward(grad.contiguous(), cas, _packed(labels), _packed(lengths), mean, grad_cas)
    return grad_cas


def _fake_grad_cas(grad: Tensor, cas: Tensor, labels: Tensor | None, lengths: Tensor | None, mean: bool) -> Tensor:
    return _dense(cas)


sampling_weights_backward = _register(
    "sampling_weights_backward(Tensor grad, Tensor cas, Tensor? labels, Tensor? lengths, bool mean) -> Tensor",
    contracts.check_weighing_backward,
    _sampling_weights_backward,
    composite.sampling_weights_backward,
    _fake_grad_cas,
    _no_second,
)


# ---- Eq. 5: the timestamps


def _sampling_timestamps(weights: Tensor, lengths: Tensor | None, interp_factor: int) -> Tensor:
    weights = weights.contiguous()
    timestamps = torch.empty_like(weights)
    native.sampling(None, None, _packed(lengths), 0.0, False, weights, timestamps, interp_factor)
    return timestamps


def _fake_timestamps(weights: Tensor, lengths: Tensor | None, interp_factor: int) -> Tensor:
    return _dense(weights)


def _keep_timestamps(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    weights, lengths, ctx.interp_factor = inputs
    ctx.save_for_backward(weights, output, lengths)


def _grad_of_timestamps(ctx: Any, grad: Tensor) -> Gradients:
    if ctx.interp_factor != 0:  # an index into the up-sampled sequence, which is piecewise constant
        return None, None, None
    weights, timestamps, lengths = ctx.saved_tensors
    return sampling_timestamps_backward(grad, weights, timestamps, lengths), None, None


sampling_timestamps = _register(
    "sampling_timestamps(Tensor weights, Tensor? lengths, SymInt interp_factor) -> Tensor",
    contracts.check_inversion,
    _sampling_timestamps,
    composite.sampling_timestamps,
    _fake_timestamps,
    _grad_of_timestamps,
    _keep_timestamps,
    lambda weights, lengths, interp_factor: values.check_weights(weights, lengths),
)


def _sampling_timestamps_backward(grad: Tensor, weights: Tensor, timestamps: Tensor, lengths: Tensor | None) -> Tensor:
    grad_weights = _dense(weights)
    grad, weights, timestamps = grad.contiguous(), weights.contiguous(), timestamps.contiguous()
    native.timestamps_backward(grad, weights, timestamps, _packed(lengths), grad_weights)
    return grad_weights


def _fake_grad_weights(grad: Tensor, weights: Tensor, timestamps: Tensor, lengths: Tensor | None) -> Tensor:
    return _dense(weights)


sampling_timestamps_backward = _register(
    "sampling_timestamps_backward(Tensor grad, Tensor weights, Tensor timestamps, Tensor? lengths) -> Tensor",
    contracts.check_inversion_backward,
    _sampling_timestamps_backward,
    composite.sampling_timestamps_backward,
    _fake_grad_weights,
    _no_second,
)


# ---- Eq. 4 to 6 in one op


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
    choice = _packed(labels), _packed(lengths)
    native.adaptive_sample(feats, cas, *choice, eta, mean, interp_factor, out, timestamps)
    return out, timestamps


def _sampled_at_once(feats: Tensor, cas: Tensor, *more: Any) -> tuple[Tensor, Tensor] | None:
    if cas.dim() < 2 or not feats.is_cpu:
        return None
    labels, lengths, eta, mean, interp_factor = more
    out, timestamps = _dense(feats), _weights_like(cas)
    tensors = feats, cas, labels, lengths
    return (out, timestamps) if native.sampled_at_once(tensors, eta, mean, interp_factor, out, timestamps) else None


def sample_at_once(*inputs: Any) -> tuple[Tensor, Tensor] | None:
    """`adaptive_sample` of plain tensors on a CPU without a gradient; None is its answer to all that it does not take.

    Of the inputs only the numbers need to have been checked: the native core looks at the tensors in one call.
    """
    feats, cas = inputs[:2]
    if not direct.is_possible(inputs[:4]) or (torch.is_grad_enabled() and (feats.requires_grad or cas.requires_grad)):
        return None
    return _sampled_at_once(*inputs) if feats.is_cpu and backends.is_native(feats.device) else None


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


def _keep_sample(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    feats, cas, labels, lengths, eta, ctx.mean, interp_factor = inputs
    ctx.set_materialize_grads(False)  # an output that nobody used has no gradient; zeros would cost a launch
    # An index into the up-sampled sequence is piecewise constant, so nothing reaches the CAS in grid mode.
    ctx.through_cas = interp_factor == 0 and cas.requires_grad
    if not ctx.through_cas:
        ctx.mark_non_differentiable(output[1])
    kept = (feats, cas, labels) if ctx.through_cas else (None, None, None)
    ctx.eta = None if isinstance(eta, Tensor) else eta
    ctx.save_for_backward(*kept, lengths, output[1], eta if ctx.eta is None else None)


def _grad_of_sample(ctx: Any, grad: Tensor | None, grad_timestamps: Tensor | None) -> Gradients:
    feats, cas, labels, lengths, timestamps, eta = ctx.saved_tensors
    grad_feats = grad_cas = None
    if ctx.needs_input_grad[0] and grad is not None:
        grad_feats = gather_backward(grad, timestamps, lengths)
    moved = grad_timestamps if ctx.through_cas else None
    if ctx.through_cas and grad is not None:
        through_feats = gather_backward_timestamps(grad, feats, timestamps, lengths)
        moved = through_feats if moved is None else through_feats + moved
    if moved is not None:
        weigh = sampling_weights if eta is None else torch.ops.amsx.sampling_weights.tensor_eta
        weights = weigh(cas, labels, lengths, ctx.eta if eta is None else eta, ctx.mean)
        grad_weights = sampling_timestamps_backward(moved, weights, timestamps, lengths)
        grad_cas = sampling_weights_backward(grad_weights, cas, labels, lengths, ctx.mean)
    return grad_feats, grad_cas, None, None, None, None, None


def _refuse_sample(feats: Tensor, *weighing_and_factor: Any) -> None:
    values.check_cas(*weighing_and_factor[:-1])


adaptive_sample = _register(
    f"adaptive_sample(Tensor feats, Tensor cas, {_CHOICE}, SymInt interp_factor) -> (Tensor, Tensor)",
    contracts.check_sampling,
    _adaptive_sample,
    composite.adaptive_sample,
    _fake_sample,
    _grad_of_sample,
    _keep_sample,
    _refuse_sample,
    _sampled_at_once,
)


# ---- Eq. 6 (gather) and Eq. 7 (align_cas): rows at timestamps, and both adjoints of each


def _rows_kernel(operation: str) -> Callable[..., Tensor]:
    def kernel(values: Tensor, timestamps: Tensor, lengths: Tensor | None) -> Tensor:
        values = _rows(values)
        out = _dense(values)
        native.rows(operation, values, timestamps.contiguous(), _packed(lengths), out)
        return out

    return kernel


def _register_rows(op: str, operation: str, source: str) -> tuple[Callable[..., Any], ...]:
    """Defines and returns the op named `op`, its adjoint to the rows named `source`, and that to the timestamps.

    `operation` is the name in the native core. The adjoint to the rows is linear in the gradient that it takes, so the
    gradient of this adjoint is the op itself.
    """

    def fake(values: Tensor, timestamps: Tensor, lengths: Tensor | None) -> Tensor:
        return _dense(values)

    def keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        values, timestamps, lengths = inputs
        # The values are needed for the gradient of the timestamps alone: do not hold them otherwise.
        ctx.save_for_backward(values if timestamps.requires_grad else None, timestamps, lengths)

    def gradient(ctx: Any, grad: Tensor) -> Gradients:
        values, timestamps, lengths = ctx.saved_tensors
        grad_values = grad_timestamps = None
        if ctx.needs_input_grad[0]:
            grad_values = backward(grad, timestamps, lengths)
        if ctx.needs_input_grad[1]:
            grad_timestamps = backward_timestamps(grad, values, timestamps, lengths)
        return grad_values, grad_timestamps, None

    forward = _register(
        f"{op}(Tensor {source}, Tensor timestamps, Tensor? lengths) -> Tensor",
        partial(contracts.check_rows, source),
        _rows_kernel(operation),
        getattr(composite, op),
        fake,
        gradient,
        keep,
        lambda _, timestamps, lengths: values.check_timestamps(timestamps, lengths),
    )

    def keep_timestamps(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _, timestamps, lengths = inputs
        ctx.save_for_backward(timestamps, lengths)

    def gradient_of_backward(ctx: Any, grad: Tensor) -> Gradients:
        if ctx.needs_input_grad[1]:
            raise NotImplementedError(_TWICE)
        timestamps, lengths = ctx.saved_tensors
        return forward(grad, timestamps, lengths), None, None

    backward = _register(
        f"{op}_backward(Tensor grad, Tensor timestamps, Tensor? lengths) -> Tensor",
        partial(contracts.check_rows, "grad"),
        _rows_kernel(f"{operation}_backward"),
        getattr(composite, f"{op}_backward"),
        fake,
        gradient_of_backward,
        keep_timestamps,
    )

    def timestamps_kernel(grad: Tensor, values: Tensor, timestamps: Tensor, lengths: Tensor | None) -> Tensor:
        timestamps = timestamps.contiguous()
        out = torch.empty_like(timestamps)
        rows = _rows(grad), _rows(values)
        native.rows_to_timestamps(f"{operation}_backward_timestamps", *rows, timestamps, _packed(lengths), out)
        return out

    def fake_timestamps(grad: Tensor, values: Tensor, timestamps: Tensor, lengths: Tensor | None) -> Tensor:
        return _dense(timestamps)

    backward_timestamps = _register(
        f"{op}_backward_timestamps(Tensor grad, Tensor {source}, Tensor timestamps, Tensor? lengths) -> Tensor",
        partial(contracts.check_rows_to_timestamps, source),
        timestamps_kernel,
        getattr(composite, f"{op}_backward_timestamps"),
        fake_timestamps,
        _no_second,
    )
    return forward, backward, backward_timestamps


gather, gather_backward, gather_backward_timestamps = _register_rows("gather", "gather", "feats")
align_cas, align_cas_backward, align_cas_backward_timestamps = _register_rows("align_cas", "align", "cas")
transforms.register_sharding(_overloads)
