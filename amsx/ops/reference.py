"""The paper's equations in plain PyTorch, written literally. The tests compare the fast ops with them.

Nothing here is fast, and no argument is checked: call `amsx.adaptive_sample` and its siblings instead. Each function
goes through the videos one by one and works in float64 on their valid snippets alone, so that every line can be
compared with the paper. Gradients come from autograd.
"""

import torch
from torch import Tensor

from amsx.choices import Aggregate, Mode


def adaptive_sample(
    feats: Tensor,
    cas: Tensor,
    *,
    labels: Tensor | None = None,
    lengths: Tensor | None = None,
    eta: float = 0.75,
    interp_factor: int = 20,
    aggregate: Aggregate = "max",
    mode: Mode = "grid",
) -> tuple[Tensor, Tensor]:
    """Eq. 4 to 6: `feats` (B, T, D), `cas` (B, T, C) or (B, T) -> sampled features (B, T, D), timestamps (B, T)."""
    weights = sampling_weights(cas, labels=labels, lengths=lengths, eta=eta, aggregate=aggregate)
    timestamps = sampling_timestamps(weights, lengths=lengths, interp_factor=interp_factor, mode=mode)
    if mode == "continuous":
        return gather(feats, timestamps, lengths), timestamps
    sampled = torch.zeros_like(feats)
    for b, n in enumerate(_lengths(feats, lengths)):
        upsampled = upsample(feats[b, :n], interp_factor)  # (H*n, D)
        index = ((timestamps[b, :n] + 0.5) * interp_factor - 0.5).round().long()
        sampled[b, :n] = upsampled[index].to(feats.dtype)
    return sampled, timestamps


def sampling_weights(
    cas: Tensor,
    *,
    labels: Tensor | None = None,
    lengths: Tensor | None = None,
    eta: float = 0.75,
    aggregate: Aggregate = "max",
) -> Tensor:
    """Eq. 4: w = max(m) - m + eta over the valid snippets, 0 in the padding; (B, T, C) or (B, T) -> (B, T)."""
    weights = torch.zeros(cas.shape[:2], dtype=torch.float64, device=cas.device)
    for b, n in enumerate(_lengths(cas, lengths)):
        m = cas[b, :n].double()
        if m.ndim == 2:
            keep = torch.ones(m.shape[1], dtype=torch.bool) if labels is None else labels[b] != 0
            if not keep.any():
                weights[b, :n] = eta if eta > 0 else 1.0  # no action to look for: every snippet alike
                continue
            m = m[:, keep].amax(dim=1) if aggregate == "max" else m[:, keep].mean(dim=1)
        weights[b, :n] = m.max() - m + eta
    return weights


def sampling_timestamps(
    weights: Tensor, *, lengths: Tensor | None = None, interp_factor: int = 20, mode: Mode = "grid"
) -> Tensor:
    """Eq. 5 and the inversion before Eq. 6: weights (B, T) -> timestamps (B, T) in snippet units, 0 in the padding.

    The n points stand at the midpoints (i + 0.5) / n of the cumulation axis. Grid mode takes the first sub-position
    whose cumulated weight reaches the point; continuous mode inverts the integral of the interpolated weights.
    """
    timestamps = torch.zeros_like(weights, dtype=torch.float64)
    for b, n in enumerate(_lengths(weights, lengths)):
        w = weights[b, :n].double()
        points = (torch.arange(n, dtype=torch.float64, device=w.device) + 0.5) / n
        if mode == "continuous":
            timestamps[b, :n] = _invert_integral(w, points)
            continue
        cumulated = upsample(w[:, None], interp_factor)[:, 0].cumsum(0)  # G, (H*n,)
        index = torch.searchsorted(cumulated, points * cumulated[-1]).clamp(max=interp_factor * n - 1)
        timestamps[b, :n] = (index.double() + 0.5) / interp_factor - 0.5
    return timestamps


def gather(feats: Tensor, timestamps: Tensor, lengths: Tensor | None = None) -> Tensor:
    """`feats` (B, T, D) linearly interpolated at `timestamps` (B, T), held constant beyond the outermost centres."""
    sampled = torch.zeros_like(feats)
    for b, n in enumerate(_lengths(feats, lengths)):
        sampled[b, :n] = _read(feats[b, :n].double(), timestamps[b, :n].double()).to(feats.dtype)
    return sampled


def align_cas(cas: Tensor, timestamps: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Eq. 7: `cas` (B, T, C) given at `timestamps` (B, T), interpolated back to the snippets' centres 0 .. n-1."""
    aligned = torch.zeros_like(cas)
    for b, n in enumerate(_lengths(cas, lengths)):
        known = timestamps[b, :n].double()
        values = cas[b, :n].double()
        for t in range(n):
            before = (known <= t).nonzero()
            after = (known > t).nonzero()
            if len(before) == 0:
                aligned[b, t] = values[0].to(cas.dtype)
            elif len(after) == 0:
                aligned[b, t] = values[n - 1].to(cas.dtype)
            else:
                i, j = int(before[-1]), int(after[0])  # the two nearest sampled timestamps
                aligned[b, t] = _mix(values[i], values[j], (t - known[i]) / (known[j] - known[i])).to(cas.dtype)
    return aligned


def upsample(rows: Tensor, factor: int) -> Tensor:
    """Linear up-sampling in time: (n, D) -> (factor * n, D); sub-position j sits at (j + 0.5) / factor - 0.5."""
    positions = (torch.arange(factor * len(rows), dtype=torch.float64, device=rows.device) + 0.5) / factor - 0.5
    return _read(rows.double(), positions)


def _read(rows: Tensor, positions: Tensor) -> Tensor:
    """`rows` (n, D) at `positions` (m,): linear between the centres 0 .. n-1, constant beyond them -> (m, D)."""
    t = positions.clamp(0, len(rows) - 1)
    left = t.detach().floor().long()
    right = (left + 1).clamp(max=len(rows) - 1)
    return _mix(rows[left], rows[right], (t - left)[:, None])


def _mix(left: Tensor, right: Tensor, fraction: Tensor) -> Tensor:
    """Linear interpolation, in which what has the weight 0 does not count, not even where it is NaN."""
    return torch.where(fraction == 0, left, (1 - fraction) * left + fraction * right)


def _invert_integral(w: Tensor, points: Tensor) -> Tensor:
    """Where the integral of the interpolated weights from -0.5 reaches `points` (fractions of its total)."""
    left = torch.cat([w[:1], (w[:-1] + w[1:]) / 2])  # value at i - 0.5
    right = torch.cat([(w[:-1] + w[1:]) / 2, w[-1:]])  # value at i + 0.5
    start = torch.stack([left, w], dim=1).reshape(-1)  # value where each half snippet begins
    end = torch.stack([w, right], dim=1).reshape(-1)
    cumulated = ((start + end) / 4).cumsum(0)  # the trapezoid over half a snippet
    goal = points * cumulated[-1]
    half = torch.searchsorted(cumulated.detach(), goal.detach()).clamp(max=2 * len(w) - 1)
    rest = goal - torch.cat([cumulated.new_zeros(1), cumulated[:-1]])[half]
    a, b = start[half], end[half]
    # The area after u snippets is a u + (b - a) u^2; the root is written so that a = b needs no special case.
    root = a + torch.sqrt((a * a + 4 * (b - a) * rest).clamp(min=0))
    return half / 2 - 0.5 + 2 * rest / root


def _lengths(x: Tensor, lengths: Tensor | None) -> list[int]:
    return [x.shape[1]] * x.shape[0] if lengths is None else [int(n) for n in lengths]
