"""The motion of the camera: the affine motion that most of the frame follows."""

import torch
from torch import Tensor

ROUNDS = 5  # of reweighting
SAMPLED = 32  # columns and rows of the frame, at most, that the fit looks at


def affine_motion(flow: Tensor) -> Tensor:
    """The affine motion that most pixels of each field follow: (T, 3, 2) from flow (T, H, W, 2) in pixels.

    Row 0 is the flow at the centre of the frame; rows 1 and 2 are its changes, in pixels, over the frame's whole width
    and height. Least squares are reweighted by the function of Geman and McClure, so that pixels which move otherwise
    hardly count; its scale is the median of the squared residuals.
    """
    stride_y, stride_x = (max(1, size // SAMPLED) for size in flow.shape[1:3])
    design = _positions(flow)[::stride_y, ::stride_x].reshape(-1, 3)
    target = flow[:, ::stride_y, ::stride_x].flatten(1, 2).to(design.dtype)
    motion = torch.zeros(len(flow), 3, 2, dtype=design.dtype, device=flow.device)
    motion[:, 0] = target.median(dim=1).values
    damping = 1e-6 * len(design) * torch.eye(3, dtype=design.dtype, device=flow.device)
    for _ in range(ROUNDS):
        residual = (target - design @ motion).square().sum(-1)
        scale = residual.median(dim=1, keepdim=True).values.clamp(min=1e-4)
        weight = (scale / (scale + residual)).square()
        weighted = design[None] * weight[..., None]
        motion = torch.linalg.solve(weighted.mT @ design + damping, weighted.mT @ target)
    return motion.to(flow.dtype)


def without(flow: Tensor, motion: Tensor) -> Tensor:
    """The flow (T, H, W, 2) less the affine motion (T, 3, 2) at every pixel."""
    return flow - (_positions(flow).to(flow.dtype) @ motion[:, None])


def _positions(flow: Tensor) -> Tensor:
    """(H, W, 3): one, and the pixel's place along width and height, from -1/2 to 1/2."""
    y, x = (
        (torch.arange(size, dtype=torch.float64, device=flow.device) + 0.5) / size - 0.5 for size in flow.shape[1:3]
    )
    down, right = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([torch.ones_like(right), right, down], dim=-1)
