"""Adaptive sampling (Section III-B of the paper): slow down where the CAS is low.

Positions are in snippet units: the integer i is the centre of snippet i, which covers [i - 0.5, i + 0.5]. Between
centres weights and features are linear, beyond the outermost centres constant (PyTorch's `align_corners=False`). The n
samples of a video of n valid snippets stand at the midpoints (i + 0.5) / n of the cumulation axis, so constant weights
give back the identity (in grid mode up to half a sub-position, 1 / (2 H) of a snippet).

The CPU refuses some values, such as a NaN in the CAS. CUDA does not look at values, because that would force a
synchronization; `amsx.ops.checks` says what it makes of them instead.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from amsx.choices import Aggregate, Mode
from amsx.ops import checks, registration
from amsx.ops.checks import Lengths, Number

_CAS_FORM = "(B, T, C), or (B, T) already aggregated"


class Sampled(NamedTuple):
    """What `adaptive_sample` returns."""

    feats: Tensor  # (B, T, D), zeros beyond a video's length
    timestamps: Tensor  # (B, T) in snippet units, non-decreasing; zeros beyond a video's length


def adaptive_sample(
    feats: Tensor,
    cas: Tensor,
    *,
    labels: Tensor | None = None,
    lengths: Lengths | None = None,
    eta: Number = 0.75,
    interp_factor: int = 20,
    aggregate: Aggregate = "max",
    mode: Mode = "grid",
) -> Sampled:
    """Resample features so that regions of low class activation are slowed down (Eq. 4 to 6).

    Args:
        feats: snippet features (B, T, D), or (T, D) for one video, in float32, float64, float16 or bfloat16.
        cas: class activation sequence (B, T, C), or (B, T) already aggregated; without the B for one video.
        labels: the channels that count, multi-hot (B, C) or (C,), usually the ground-truth classes. None: all of them.
            A row without any positive gets uniform weights.
        lengths: valid snippets per video, each in 1..T: integers (B,) in a tensor, array, list or tuple, or one int for
            all videos; or a boolean mask (B, T) that is true for the valid snippets, which come first. None: all T.
            Beside features on a GPU it may be on the CPU, which costs a copy; a mask there is looked at, which waits
            for the GPU. Padding is never sampled; a video of n valid snippets gets n samples.
        eta: the smallest weight, Eq. 4. The larger it is, the closer the sampling is to uniform. A number, also NumPy's
            or a tensor of one element (on a GPU, reading it waits for the GPU).
        interp_factor: H, the up-sampling factor of Eq. 5 and 6, 1..1024; an int, also NumPy's or a tensor of one
            element.
        aggregate: how channels become one: "max", "mean", or "random" (one kept channel per video, drawn from
            torch's generator of the device).
        mode: "grid" is Eq. 6, an index into the H*T up-sampled sequence (no gradient reaches `cas`); "continuous" is
            its limit for H -> infinity, differentiable in `cas`.

    Returns:
        (feats, timestamps): the sampled features, like `feats`, and where each was read, (B, T) in snippet units,
        float64 if `cas` is float64, else float32.

    Raises:
        TypeError: an argument of the wrong kind or dtype.
        ValueError: shapes or devices that do not fit; on the CPU also a NaN or infinite CAS, lengths outside 1..T,
            and eta = 0 with a constant CAS.
        NotImplementedError: forward-mode differentiation; a second derivative in continuous mode.
    """
    if not torch.compiler.is_compiling() and checks.are_plain(eta, interp_factor, aggregate, mode):
        factor = interp_factor if mode == "grid" else 0
        sampled = registration.sample_at_once(feats, cas, labels, lengths, eta, aggregate == "mean", factor)
        if sampled is not None:
            return Sampled(*sampled)
    if checks.floating("feats", feats, "(B, T, D) or (T, D)").ndim == 2:
        batched = adaptive_sample(
            feats[None],
            _add_batch("cas", cas, (1, 2), "(T, C) or (T,) beside feats (T, D)"),
            labels=None if labels is None else _add_batch("labels", labels, (1,), "(C,) beside feats (T, D)"),
            lengths=_length_of_one(lengths),
            eta=eta,
            interp_factor=interp_factor,
            aggregate=aggregate,
            mode=mode,
        )
        return Sampled(batched.feats[0], batched.timestamps[0])
    checks.ranked("feats", feats, (3,), "(B, T, D) or (T, D)")
    factor = checks.factor_of(interp_factor, mode)
    cas, labels, lengths, eta, mean = _sampling_inputs(cas, labels, lengths, eta, aggregate)
    if factor and cas.requires_grad:
        cas = cas.detach()
    op = registration.adaptive_sample if isinstance(eta, float) else torch.ops.amsx.adaptive_sample.tensor_eta
    return Sampled(*op(feats, cas, labels, lengths, eta, mean, factor))


def sampling_weights(
    cas: Tensor,
    *,
    labels: Tensor | None = None,
    lengths: Lengths | None = None,
    eta: Number = 0.75,
    aggregate: Aggregate = "max",
) -> Tensor:
    """Eq. 4: w = max(m) - m + eta, where m aggregates the kept channels of the CAS.

    Args:
        cas: (B, T, C), or (B, T) already aggregated.
        labels, lengths, eta, aggregate: as in `adaptive_sample`.

    Returns:
        Weights (B, T), zero beyond a video's length; float64 if `cas` is float64, else float32. Differentiable.

    Raises:
        TypeError, ValueError: as in `adaptive_sample`.
    """
    cas, labels, lengths, eta, mean = _sampling_inputs(cas, labels, lengths, eta, aggregate)
    op = registration.sampling_weights if isinstance(eta, float) else torch.ops.amsx.sampling_weights.tensor_eta
    weights: Tensor = op(cas, labels, lengths, eta, mean)
    return weights


def sampling_timestamps(
    weights: Tensor, *, lengths: Lengths | None = None, interp_factor: int = 20, mode: Mode = "grid"
) -> Tensor:
    """Eq. 5 and its inversion: where n uniform points of the cumulation axis fall on the time axis.

    Args:
        weights: (B, T) or (T,), non-negative, with a positive sum per video: `sampling_weights`, or your own
            (ones: uniform sampling; zeros somewhere: hard erasing).
        lengths, interp_factor, mode: as in `adaptive_sample`.

    Returns:
        Timestamps like `weights` in snippet units, within [-0.5, n - 0.5], non-decreasing, zero beyond a video's
        length; float64 if `weights` is, else float32. In continuous mode differentiable in `weights`; where a weight
        is 0 the timestamps jump and no gradient is passed.

    Raises:
        TypeError, ValueError: as in `adaptive_sample`. On the CPU also weights that are NaN, infinite or negative, and
            weights that all vanish.
    """
    if checks.floating("weights", weights, "(B, T) or (T,)").ndim == 1:
        batched = sampling_timestamps(
            weights[None],
            lengths=_length_of_one(lengths),
            interp_factor=interp_factor,
            mode=mode,
        )
        return batched[0]
    checks.ranked("weights", weights, (2,), "(B, T) or (T,)")
    factor = checks.factor_of(interp_factor, mode)
    lengths = checks.lengths_of(lengths, "weights", weights)
    if weights.dtype in (torch.float16, torch.bfloat16):
        weights = weights.float()
    timestamps: Tensor = registration.sampling_timestamps(weights.detach() if factor else weights, lengths, factor)
    return timestamps


def gather(feats: Tensor, timestamps: Tensor, lengths: Lengths | None = None) -> Tensor:
    """Read features at timestamps, interpolating between the two nearest snippets (the indexing of Eq. 6).

    Args:
        feats: (B, T, D) or (T, D).
        timestamps: (B, T) or (T,) in snippet units, float32 or float64, non-decreasing per video; positions beyond
            the outermost centres read the outermost snippets.
        lengths: as in `adaptive_sample`.

    Returns:
        Features like `feats`, zeros beyond a video's length. Differentiable in `feats` and `timestamps`.

    Raises:
        TypeError, ValueError: a wrong dtype, shape or device. On the CPU also timestamps that decrease.
    """
    form = "(B, T, D) with timestamps (B, T), or (T, D) with timestamps (T,)"
    return _at_timestamps(registration.gather, "feats", feats, timestamps, lengths, form)


def _at_timestamps(
    op: Callable[[Tensor, Tensor, Tensor | None], Tensor],
    name: str,
    x: Tensor,
    timestamps: Tensor,
    lengths: Lengths | None,
    form: str,
) -> Tensor:
    """Checks the arguments of `gather` and `align_cas`, values (B, T, D) beside timestamps (B, T), and calls `op`."""
    checks.floating(name, x, form)
    checks.floating("timestamps", timestamps, "(B, T) or (T,)")
    if x.ndim == 2 and timestamps.ndim == 1:
        return _at_timestamps(op, name, x[None], timestamps[None], _length_of_one(lengths), form)[0]
    if x.ndim != 3 or timestamps.ndim != 2:
        raise ValueError(f"{name} has shape {tuple(x.shape)} and timestamps {tuple(timestamps.shape)}; expected {form}")
    return op(x, timestamps, checks.lengths_of(lengths, name, x))


def _sampling_inputs(
    cas: Tensor, labels: Tensor | None, lengths: Lengths | None, eta: Number, aggregate: Aggregate
) -> tuple[Tensor, Tensor | None, Tensor | None, float | Tensor, bool]:
    """Checks the arguments and makes them regular.

    Returns:
        cas (B, T, C), labels bool (B, C), lengths int64 (B,), eta, and whether the mean is taken.
    """
    checks.ranked("cas", checks.floating("cas", cas, _CAS_FORM), (2, 3), _CAS_FORM)
    checks.chosen("aggregate", aggregate, checks.AGGREGATES)
    if cas.ndim == 2:
        if labels is not None:
            raise ValueError(
                f"labels were given beside a cas of shape {tuple(cas.shape)}, which has no channels to choose from; "
                "expected cas (B, T, C)"
            )
        cas = cas[:, :, None]
    labels = checks.labels_of(labels)
    if aggregate == "random":
        draws = torch.rand(cas.shape[0], cas.shape[2], device=cas.device)
        labels = one_channel(torch.ones_like(draws, dtype=torch.bool) if labels is None else labels, draws)
    return cas, labels, checks.lengths_of(lengths, "cas", cas), checks.eta_of(eta), aggregate == "mean"


def one_channel(labels: Tensor, draws: Tensor) -> Tensor:
    """Of the kept channels `labels` (B, C), boolean, the one with the largest of `draws` (B, C): a one-hot row each.

    A row without any kept channel stays empty.
    """
    chosen = draws.masked_fill(~labels, -1.0).argmax(dim=1, keepdim=True)
    return torch.zeros_like(labels).scatter(1, chosen, True) & labels


def _length_of_one(lengths: Any) -> Any:
    """The length of a single video for a batch of it: a mask (T,) gets a batch axis, a scalar tensor its only axis."""
    if isinstance(lengths, (Tensor, np.ndarray)) and lengths.ndim <= 1:
        return lengths[None] if lengths.dtype in (torch.bool, np.bool_) else lengths.reshape(-1)
    if isinstance(lengths, (list, tuple)) and len(lengths) > 0 and isinstance(lengths[0], (bool, np.bool_)):
        return [lengths]
    return lengths


def _add_batch(name: str, x: Tensor, ranks: tuple[int, ...], form: str) -> Tensor:
    if not isinstance(x, Tensor):
        raise TypeError(f"{name} is a {type(x).__name__}; expected a tensor {form}")
    if x.ndim not in ranks:
        raise ValueError(f"{name} has shape {tuple(x.shape)}; expected {form}")
    return x[None]
