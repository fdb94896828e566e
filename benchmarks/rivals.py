"""The sampler and the alignment as people write them in PyTorch.

`literal` follows the paper's text and up-samples all features by H. `gathered` never builds anything of size H T: it
cumulates T weights, looks up the sample points with searchsorted, and mixes two indexed rows. It takes a snippet's
weight as constant over the snippet, the simplest of such forms (amsx's is linear between centres); the work is the
same.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def weights(cas: Tensor, eta: float = 0.75) -> Tensor:
    """Eq. 4: (B, T, C) -> (B, T) float32."""
    m = cas.float().amax(dim=2)
    return m.amax(dim=1, keepdim=True) - m + eta


def literal(feats: Tensor, cas: Tensor, interp_factor: int = 20) -> Tensor:
    """Eq. 4 to 6 in float32, up-sampling all features: (B, T, D) -> (B, T, D)."""
    T = feats.shape[1]
    cumulated = _upsampled(weights(cas)[:, :, None], interp_factor)[:, :, 0].cumsum(dim=1)  # (B, H T)
    points = (torch.arange(T, device=feats.device) + 0.5) / T * cumulated[:, -1:]
    index = torch.searchsorted(cumulated, points).clamp(max=interp_factor * T - 1)  # (B, T)
    upsampled = _upsampled(feats, interp_factor)  # (B, H T, D)
    return torch.gather(upsampled, 1, index[:, :, None].expand(feats.shape))


def gathered_timestamps(cas: Tensor) -> Tensor:
    """Eq. 5 by searchsorted over T cumulated weights: (B, T, C) -> (B, T) in snippet units."""
    T = cas.shape[1]
    w = weights(cas)
    cumulated = w.cumsum(dim=1)
    points = (torch.arange(T, device=cas.device) + 0.5) / T * cumulated[:, -1:]
    snippet = torch.searchsorted(cumulated, points).clamp(max=T - 1)
    rest = points - (cumulated - w).gather(1, snippet)
    return snippet + rest / w.gather(1, snippet) - 0.5


def gathered(feats: Tensor, cas: Tensor) -> Tensor:
    """Eq. 4 to 6 by two indexed rows and a lerp: (B, T, D) -> (B, T, D)."""
    B, T, D = feats.shape
    t = gathered_timestamps(cas).clamp(0, T - 1)
    left = t.floor().long()
    fraction = (t - left).to(feats.dtype)[:, :, None]
    first = torch.arange(B, device=feats.device)[:, None] * T
    rows = feats.reshape(B * T, D)
    a = rows.index_select(0, (first + left).reshape(-1)).view(B, T, D)
    b = rows.index_select(0, (first + (left + 1).clamp(max=T - 1)).reshape(-1)).view(B, T, D)
    return torch.lerp(a, b, fraction)


def aligned(cas: Tensor, timestamps: Tensor) -> Tensor:
    """Eq. 7 by searchsorted: `cas` (B, T, C) known at `timestamps` (B, T) -> (B, T, C) at 0 .. T-1."""
    B, T, C = cas.shape
    snippets = torch.arange(T, device=cas.device, dtype=timestamps.dtype).expand(B, T).contiguous()
    after = torch.searchsorted(timestamps, snippets, right=True)
    left, right = (after - 1).clamp(min=0), after.clamp(max=T - 1)
    start, end = timestamps.gather(1, left), timestamps.gather(1, right)
    fraction = torch.where(end > start, (snippets - start) / (end - start), 0.0).clamp(0, 1).to(cas.dtype)
    a = cas.gather(1, left[:, :, None].expand(B, T, C))
    b = cas.gather(1, right[:, :, None].expand(B, T, C))
    return torch.lerp(a, b, fraction[:, :, None])


def _upsampled(x: Tensor, interp_factor: int) -> Tensor:
    """(B, T, D) -> (B, H T, D), linear in time."""
    up = F.interpolate(x.transpose(1, 2), scale_factor=float(interp_factor), mode="linear", align_corners=False)
    return up.transpose(1, 2)
