"""Histograms of optical flow (HOF) and of motion boundaries (MBH) in cells of the frame.

HOF is the orientation of the flow, weighted by its length; MBH is the orientation of the spatial gradient of each of
the flow's two components, which a uniform motion of the camera leaves at zero. Both are those of dense trajectories
(Wang, Kläser, Schmid and Liu, Dense Trajectories and Motion Boundary Descriptors for Action Recognition, IJCV 2013),
taken in fixed cells of the frame rather than along tracked points.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

ORIENTATIONS = 8  # bins of 45 degrees; the first is centred at motion to the right, the next ones turn towards down
HISTOGRAMS = (ORIENTATIONS + 1, ORIENTATIONS, ORIENTATIONS)  # bins of HOF, and of MBH of the flow to the right and down


def flow_histograms(flow: Tensor, *, grids: Sequence[int], still: float) -> list[Tensor]:
    """HOF and MBH of every flow field, averaged over the pixels of each cell; one tensor for each of `grids`.

    flow: (T, H, W, 2) in pixels, to the right and down. For a grid of g by g cells the result is (T, 25, g, g): the
    mean length of the flow by orientation (8), the share of pixels that move less than `still` pixels (1) and that the
    orientations leave out, and the mean length of the gradients of the two components by orientation (8 each).
    """
    right, down = flow.unbind(-1)
    moving = torch.hypot(right, down) >= still
    planes = torch.cat(
        [
            _by_orientation(right * moving, down * moving),
            (~moving).to(flow.dtype)[:, None],
            *(_by_orientation(*_gradient(component)) for component in (right, down)),
        ],
        dim=1,
    )
    return [adaptive_avg_pool2d(planes, cells) for cells in grids]


def _by_orientation(x: Tensor, y: Tensor) -> Tensor:
    """The lengths of the vectors (x, y), each (T, H, W), in the planes of their orientations: (T, 8, H, W).

    A vector between the centres of two orientations counts for both, in proportion to how near each one is.
    """
    position = (torch.atan2(y, x) * (ORIENTATIONS / (2 * math.pi))).remainder(ORIENTATIONS)
    length = torch.hypot(x, y)
    lower = position.floor()
    upper_share = (position - lower).mul_(length)
    # Of a tiny negative angle the remainder is ORIENTATIONS itself, which is orientation 0.
    index = lower.long().remainder_(ORIENTATIONS)[:, None]
    planes = length.new_zeros(len(length), ORIENTATIONS, *length.shape[1:])
    planes.scatter_(1, index, (length - upper_share)[:, None])
    return planes.scatter_(1, (index + 1).remainder_(ORIENTATIONS), upper_share[:, None])


def _gradient(component: Tensor) -> tuple[Tensor, Tensor]:
    """The derivatives of (T, H, W) to the right and down, by central differences."""
    down, right = torch.gradient(component, dim=(1, 2))
    return right, down
