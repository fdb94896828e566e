"""The ops in plain PyTorch operations, for every device that the native core has no kernels for.

Each function takes what the op of its name in `amsx.ops.registration` takes, and computes what the kernels compute: the
same masses in fixed point (csrc/cumulation.h), so that grid timestamps agree exactly, and sums in another order.
Nothing of size H T is built: beside tensors like the inputs and outputs there are some of shape (B, T). As on CUDA,
values are not looked at, so nothing here waits for the device.

Where a device has no float64 (MPS, some XPUs), timestamps are computed in float32.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from amsx.ops import portable
from amsx.ops.contracts import compute_dtype

VANISHING = 1e-289  # a video whose largest weight is below counts as having none
_FRACTION_BITS = {torch.float32: 23, torch.float64: 52}
_INTEGER = {torch.float32: torch.int32, torch.float64: torch.int64}


def _wide(x: Tensor) -> torch.dtype:
    """The dtype of positions and sums on the device of `x`."""
    if x.device.type == "mps" or (x.device.type == "xpu" and not torch.xpu.get_device_properties(x.device).has_fp64):
        return torch.float32
    return torch.float64


def valid_snippets(x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
    """The valid snippets of each video (B, 1), in 0..T, and which snippets are valid (B, T), of `x` (B, T, ...)."""
    B, T = x.shape[:2]
    if lengths is None:
        n = torch.full((B, 1), T, dtype=torch.int64, device=x.device)
    else:
        n = lengths.clamp(0, T)[:, None]
    return n, torch.arange(T, device=x.device) < n


# ---- Eq. 4: the sampling weights


def sampling_weights(cas: Tensor, labels: Tensor | None, lengths: Tensor | None, eta: float, mean: bool) -> Tensor:
    """Eq. 4: (B, T, C) -> (B, T), 0 in the padding, NaN for a video whose CAS is not finite."""
    n, valid = valid_snippets(cas, lengths)
    m = _aggregated(cas, labels, mean).masked_fill(~valid, -torch.inf)
    weights = (m.amax(dim=1, keepdim=True) - m) + eta
    finite = (weights.isfinite() | ~valid).all(dim=1, keepdim=True)
    weights = torch.where(finite, weights, torch.nan)
    if labels is not None:
        weights = torch.where(labels.any(dim=1, keepdim=True), weights, eta if eta > 0 else 1.0)
    weights = torch.where((n == 1) & (weights == 0), 1.0, weights)  # one snippet is sampled whatever its weight
    return weights.masked_fill(~valid, 0)


def _aggregated(cas: Tensor, labels: Tensor | None, mean: bool) -> Tensor:
    """m (B, T): the maximum or the mean over the kept channels, anything where none is kept."""
    m = cas.to(compute_dtype(cas.dtype))
    if labels is None:
        return m.mean(dim=2) if mean else m.amax(dim=2)
    dropped = ~labels[:, None, :]
    if not mean:
        return m.masked_fill(dropped, -torch.inf).amax(dim=2)
    return m.masked_fill(dropped, 0).sum(dim=2) / labels.sum(dim=1, keepdim=True)


def sampling_weights_backward(
    grad: Tensor, cas: Tensor, labels: Tensor | None, lengths: Tensor | None, mean: bool
) -> Tensor:
    """The adjoint of Eq. 4: every weight's gradient also reaches the peak, which is the first of equals."""
    valid = valid_snippets(cas, lengths)[1]
    m = _aggregated(cas, labels, mean).masked_fill(~valid, -torch.inf)
    grad = grad.masked_fill(~valid, 0).to(_wide(cas))
    grad_m = (-grad).scatter_add(1, m.argmax(dim=1, keepdim=True), grad.sum(dim=1, keepdim=True))
    kept = torch.ones_like(cas[:, 0], dtype=torch.bool) if labels is None else labels
    if mean:
        share = kept / kept.sum(dim=1, keepdim=True).clamp(min=1)
        grad_cas = grad_m[:, :, None] * share.to(grad_m.dtype)[:, None, :]
    else:
        channel = cas.masked_fill(~kept[:, None, :], -torch.inf).argmax(dim=2, keepdim=True)
        grad_cas = torch.zeros_like(cas, dtype=grad_m.dtype).scatter(2, channel, grad_m[:, :, None])
    used = valid[:, :, None] & kept[:, None, :]
    return torch.where(used, grad_cas, 0).to(cas.dtype)


# ---- Eq. 5: the timestamps


class _Neighbourhood(NamedTuple):
    """The integer weights of snippets and of their neighbours, of which a snippet's mass is made; one shape each."""

    before: Tensor
    here: Tensor
    after: Tensor


def sampling_timestamps(
    weights: Tensor, lengths: Tensor | None, interp_factor: int, *, exported: bool = False
) -> Tensor:
    """Eq. 5 and its inversion: (B, T) -> (B, T), 0 in the padding. `interp_factor` 0 is the continuous limit.

    With `exported`, in operations that every format has to which a model can be exported, with the same bits.
    """
    n, valid = valid_snippets(weights, lengths)
    integers, finite = _fixed_point(weights, n, valid, interp_factor, exported)
    last = (n - 1).clamp(min=0)
    snippets = torch.arange(weights.shape[1], device=weights.device)
    w = _Neighbourhood(
        integers[:, (snippets - 1).clamp(min=0)],
        integers,
        integers.gather(1, (snippets + 1).minimum(last)),
    )
    mass = (_grid_mass(w, interp_factor, interp_factor) if interp_factor else _continuous_mass(w)) * valid
    cumulated = mass.cumsum(dim=1)

    # The i-th point, (i + 0.5) / n of the total, as a whole number and `rest` parts of `parts`.
    total = cumulated[:, -1:]
    odd = 2 * snippets + 1
    parts = (2 * n).clamp(min=1)
    rests = odd * (total % parts)
    whole, rest = odd * (total // parts) + rests // parts, rests % parts
    reached = whole + (rest > 0)

    searchsorted = portable.searchsorted if exported else torch.searchsorted
    snippet = searchsorted(cumulated, reached).minimum(last)
    at = _Neighbourhood(*(x.gather(1, snippet) for x in w))
    before = (cumulated - mass).gather(1, snippet)
    if interp_factor:
        inside = _grid_offset(at, reached - before, interp_factor, _wide(weights))
    else:
        inside = _continuous_offset(at, whole - before, rest, parts, _wide(weights))
    timestamps = torch.where(finite, snippet + inside, torch.nan).masked_fill(~valid, 0)
    return timestamps.to(weights.dtype)


def _fixed_point(
    weights: Tensor, n: Tensor, valid: Tensor, interp_factor: int, exported: bool
) -> tuple[Tensor, Tensor]:
    """The weights as integers whose total mass stays below 2^61, and whether a video's weights are finite (B, 1).

    All ones for a video whose weights all vanish.
    """
    w = weights.to(_wide(weights)).masked_fill(~valid, 0)
    finite = w.isfinite().all(dim=1, keepdim=True)
    largest = w.amax(dim=1, keepdim=True)
    vanishing = ~(largest >= max(VANISHING, torch.finfo(w.dtype).tiny))
    w = torch.where(finite & ~vanishing, w.clamp(min=0), 1)
    # Powers of two are exact everywhere. Each of the two is in the type's range.
    exponent_of, power_of_two = (portable.exponent, portable.power_of_two) if exported else (_exponent, _power_of_two)
    exponent = exponent_of(w.amax(dim=1, keepdim=True))
    down = exponent.clamp(max=_bias(w.dtype) - 1)
    mass_of_one = 2 * interp_factor * interp_factor if interp_factor else 8
    powers = 2 ** torch.arange(62, device=w.device)
    up = 60 - (n > powers).sum(dim=1, keepdim=True) - (mass_of_one - 1).bit_length() - (exponent - down)
    integers = (w * power_of_two(-down, w.dtype) * power_of_two(up, w.dtype)).round().to(torch.int64)
    return integers * valid, finite


def _exponent(x: Tensor) -> Tensor:
    """floor(log2(x)) of positive normal numbers, by the bits of their exponent."""
    return (x.view(_INTEGER[x.dtype]) >> _FRACTION_BITS[x.dtype]) - _bias(x.dtype)


def _power_of_two(exponent: Tensor, dtype: torch.dtype) -> Tensor:
    return ((exponent.to(_INTEGER[dtype]) + _bias(dtype)) << _FRACTION_BITS[dtype]).view(dtype)


def _bias(dtype: torch.dtype) -> int:
    """What the bits of the exponent count from."""
    return (1 << (_INTEGER[dtype].itemsize * 8 - _FRACTION_BITS[dtype] - 2)) - 1


def _grid_mass(w: _Neighbourhood, count: Tensor | int, interp_factor: int) -> Tensor:
    """The mass of the first `count` of a snippet's H sub-positions, in units of 1 / (2 H)."""
    H, left = interp_factor, interp_factor // 2
    full = left * (H - left)
    part = count * (H - count)
    if isinstance(count, int):
        toward_before = part if count < left else full
        toward_after = full - part if count > left else 0
    else:
        toward_before = torch.where(count < left, part, full)
        toward_after = torch.where(count > left, full - part, 0)
    own = 2 * H * count - toward_before - toward_after
    return w.here * own + w.before * toward_before + w.after * toward_after


def _continuous_mass(w: _Neighbourhood) -> Tensor:
    """The mass of a snippet in units of 1/8."""
    return 6 * w.here + w.before + w.after


def _grid_offset(w: _Neighbourhood, rest: Tensor, interp_factor: int, dtype: torch.dtype) -> Tensor:
    """Where inside its snippet a point lies: the first sub-position whose cumulated mass reaches `rest`."""
    low, high = torch.ones_like(rest), torch.full_like(rest, interp_factor)
    for _ in range((interp_factor - 1).bit_length()):
        middle = (low + high) // 2
        reached = _grid_mass(w, middle, interp_factor) >= rest
        low, high = torch.where(reached, low, middle + 1), torch.where(reached, middle, high)
    return (2 * low - 1 - interp_factor).to(dtype) / (2 * interp_factor)


def _continuous_offset(w: _Neighbourhood, whole: Tensor, rest: Tensor, parts: Tensor, dtype: torch.dtype) -> Tensor:
    """The same in the continuous limit: the inverse of the integral, in the half snippet that holds the point."""
    first_half = 3 * w.here + w.before
    late = whole + (rest > 0) > first_half
    here = w.here.to(dtype)
    a = torch.where(late, here, 0.5 * (w.before + w.here).to(dtype))
    b = torch.where(late, 0.5 * (w.here + w.after).to(dtype), here)
    fraction = rest.to(dtype) / parts.to(dtype)
    mass = ((whole - torch.where(late, first_half, 0)).to(dtype) + fraction) * 0.125
    u = 2 * mass / (a + (a * a + 4 * (b - a) * mass).clamp(min=0).sqrt())
    u = torch.where(u < 0.5, u, 0.5)  # also where the weights vanish, and u is NaN
    return torch.where(late, u, u - 0.5)


def sampling_timestamps_backward(grad: Tensor, weights: Tensor, timestamps: Tensor, lengths: Tensor | None) -> Tensor:
    """The adjoint of the continuous Eq. 5: dt_i / dw_k = ((i + 0.5) / n - Phi_k(t_i)) / w(t_i).

    Phi_k is the integral of the hat function of centre k. For t between two centres only theirs are not 0 or 1.
    """
    n, valid = valid_snippets(weights, lengths)
    at = _located(timestamps, n)
    t, w = timestamps.to(_wide(weights)), weights.to(_wide(weights))
    here, next_ = w.gather(1, at.row), w.gather(1, (at.row + 1).minimum((n - 1).clamp(min=0)))
    weight = torch.where(at.moves, here + (t - at.row) * (next_ - here), here)
    a = torch.where(valid & (weight > 0), grad.to(w.dtype) / weight, 0)
    steps = torch.arange(weights.shape[1], device=weights.device)
    proportional = (a * ((steps.to(w.dtype) + 0.5) / n)).sum(dim=1, keepdim=True)

    # `near` sums the samples within a snippet of centre k, each times its hat integral; `past` the samples between
    # centres k and k + 1, which have all of the hats before k behind them. Before the first centre there is no `past`.
    first = t < 0
    u = t - at.row
    at_left = torch.where(at.moves, 1 - 0.5 * (1 - u) * (1 - u), 0.5 + u)
    near = torch.zeros_like(w).scatter_add(1, at.row, a * torch.where(first, t + 0.5, at_left))
    right = torch.where(at.moves, 0.5 * u * u, 0) * a
    near = near.scatter_add(1, (at.row + 1).minimum((n - 1).clamp(min=0)), right)
    past = torch.zeros_like(w).scatter_add(1, at.row, torch.where(first, 0, a))
    behind = past.sum(dim=1, keepdim=True) - past.cumsum(dim=1)
    return (proportional - near - behind).masked_fill(~valid, 0).to(weights.dtype)


# ---- Eq. 4 to 6


def adaptive_sample(
    feats: Tensor,
    cas: Tensor,
    labels: Tensor | None,
    lengths: Tensor | None,
    eta: float,
    mean: bool,
    interp_factor: int,
    *,
    exported: bool = False,
) -> tuple[Tensor, Tensor]:
    """Eq. 4 to 6: features (B, T, D) and timestamps (B, T). `exported` as in `sampling_timestamps`."""
    weights = sampling_weights(cas, labels, lengths, eta, mean)
    timestamps = sampling_timestamps(weights, lengths, interp_factor, exported=exported)
    return gather(feats, timestamps, lengths), timestamps


# ---- Eq. 6 and 7: rows at timestamps, and both adjoints of each


class _Position(NamedTuple):
    """Rows `row` and `row + 1` mixed by `fraction`, (B, T) each; `moves`: whether the mixture changes with time."""

    row: Tensor
    fraction: Tensor
    moves: Tensor


def _located(timestamps: Tensor, n: Tensor) -> _Position:
    """Eq. 6: where timestamps read features. A NaN reads the first row with a NaN for its fraction."""
    last = (n - 1).clamp(min=0)
    t = timestamps.to(_wide(timestamps))
    moves = (t >= 0) & (t < last)
    row = torch.where(moves, t, torch.where(t >= last, last.to(t.dtype), 0)).to(torch.int64)
    return _Position(row, torch.where(moves, t - row, torch.where(t.isnan(), t, 0)), moves)


def _bracketed(timestamps: Tensor, n: Tensor, valid: Tensor, exported: bool = False) -> tuple[_Position, Tensor]:
    """Eq. 7: the samples between which each snippet lies, and how far these are apart (B, T)."""
    B, T = timestamps.shape
    known = timestamps.to(_wide(timestamps)).masked_fill(~valid, torch.inf)
    snippets = torch.arange(T, device=known.device, dtype=known.dtype)
    last = (n - 1).clamp(min=0)
    searchsorted = portable.searchsorted if exported else torch.searchsorted
    before = (searchsorted(known, snippets.expand(B, T).contiguous(), right=True) - 1).minimum(last)
    moves = (before >= 0) & (before < last)
    row = before.clamp(min=0)
    start = known.gather(1, row)
    gap = known.gather(1, (row + 1).clamp(max=T - 1)) - start
    return _Position(row, torch.where(moves, (snippets - start) / gap, 0), moves), gap


def _mixed(values: Tensor, at: _Position, valid: Tensor) -> Tensor:
    """The rows of `values` (B, T, D) at positions. Where the fraction is 0, the row after is not read."""
    dtype = compute_dtype(values.dtype)
    fraction = at.fraction.to(dtype)[:, :, None]
    video = torch.arange(values.shape[0], device=values.device)[:, None]
    here = values[video, at.row].to(dtype)
    after = values[video, at.row + (at.moves & (fraction[:, :, 0] != 0))].to(dtype)
    mixed = torch.where(fraction == 0, here, here + fraction * (after - here))
    return mixed.masked_fill(~valid[:, :, None], 0).to(values.dtype)


def _spread(grad: Tensor, at: _Position, valid: Tensor) -> Tensor:
    """The adjoint of `_mixed`."""
    B, T, D = grad.shape
    rows = grad.masked_fill(~valid[:, :, None], 0).to(compute_dtype(grad.dtype)).reshape(B * T, D)
    first = torch.arange(B, device=grad.device)[:, None] * T
    summed = torch.zeros_like(rows)
    for share, row in [(1 - at.fraction, at.row), (at.fraction, at.row + at.moves)]:
        share = share.to(rows.dtype).reshape(B * T, 1)
        summed.index_add_(0, (first + row).reshape(-1), torch.where(share == 0, 0, share * rows))
    return summed.reshape(B, T, D).to(grad.dtype)


def _slopes(grad: Tensor, values: Tensor, at: _Position, valid: Tensor) -> Tensor:
    """The gradient of the fractions (B, T), where they move."""
    video = torch.arange(values.shape[0], device=values.device)[:, None]
    dtype = compute_dtype(values.dtype)
    rise = values[video, at.row + at.moves].to(dtype) - values[video, at.row].to(dtype)
    slopes = (grad.to(dtype) * rise).sum(dim=2, dtype=_wide(values))
    return torch.where(valid & at.moves, slopes, 0)


def gather(feats: Tensor, timestamps: Tensor, lengths: Tensor | None) -> Tensor:
    """The indexing of Eq. 6: (B, T, D) at (B, T) -> (B, T, D)."""
    n, valid = valid_snippets(feats, lengths)
    return _mixed(feats, _located(timestamps, n), valid)


def gather_backward(grad: Tensor, timestamps: Tensor, lengths: Tensor | None) -> Tensor:
    """Its adjoint to the features."""
    n, valid = valid_snippets(grad, lengths)
    return _spread(grad, _located(timestamps, n), valid)


def gather_backward_timestamps(grad: Tensor, feats: Tensor, timestamps: Tensor, lengths: Tensor | None) -> Tensor:
    """Its adjoint to the timestamps."""
    n, valid = valid_snippets(feats, lengths)
    return _slopes(grad, feats, _located(timestamps, n), valid).to(timestamps.dtype)


def align_cas(cas: Tensor, timestamps: Tensor, lengths: Tensor | None, *, exported: bool = False) -> Tensor:
    """Eq. 7: (B, T, C) known at (B, T) -> (B, T, C) at the snippets' centres. `exported` as above."""
    n, valid = valid_snippets(cas, lengths)
    return _mixed(cas, _bracketed(timestamps, n, valid, exported)[0], valid)


def align_cas_backward(grad: Tensor, timestamps: Tensor, lengths: Tensor | None) -> Tensor:
    """Its adjoint to the CAS."""
    n, valid = valid_snippets(grad, lengths)
    return _spread(grad, _bracketed(timestamps, n, valid)[0], valid)


def align_cas_backward_timestamps(grad: Tensor, cas: Tensor, timestamps: Tensor, lengths: Tensor | None) -> Tensor:
    """Its adjoint to the timestamps: for f = (t - K_i) / gap, df / dK_i = (f - 1) / gap, df / dK_(i + 1) = -f / gap."""
    n, valid = valid_snippets(cas, lengths)
    at, gap = _bracketed(timestamps, n, valid)
    slopes = torch.where(at.moves, _slopes(grad, cas, at, valid) / gap, 0)
    pulls = torch.zeros_like(slopes).scatter_add(1, at.row, slopes * (at.fraction - 1))
    return pulls.scatter_add(1, at.row + at.moves, -slopes * at.fraction).to(timestamps.dtype)
