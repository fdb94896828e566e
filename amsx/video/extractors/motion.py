"""`motion`: histograms of optical flow and of motion boundaries, a classical descriptor that needs no weights.

The motion of the camera is taken out of the flow first, as improved trajectories do (Wang and Schmid, Action
Recognition with Improved Trajectories, ICCV 2013), here by an affine fit. The vector of a snippet is, in this order:

- for grids of 1 x 1, 2 x 2, ... `cells` x `cells` cells, the mean over time of HOF (9 bins), MBH of the horizontal flow
  (8) and MBH of the vertical flow (8) in every cell;
- the same of one cell, of the standard deviation over time: what is steady and what comes and goes differ here;
- the square roots of the mean lengths in every cell of the finest grid: of the flow that moves, of the share of still
  pixels, and of the two components' gradients;
- the camera's affine motion (6 numbers: displacement at the centre, and its changes over the frame's width and height),
  mean and standard deviation over time.

Each histogram of a grid is divided by its sum over bins and cells, and its square root taken (Hellinger's kernel).
"""

from dataclasses import asdict, dataclass
from typing import Literal

import torch
from torch import Tensor

from amsx.data.extraction_record import ExtractorIdentity
from amsx.video.camera_motion import affine_motion, without
from amsx.video.extractors import FrameSize
from amsx.video.flow_histograms import HISTOGRAMS, ORIENTATIONS, flow_histograms

NAME = "motion"
NO_MOTION = 0.01  # pixels: histograms that sum to much less stay near zero, so that noise is not made large
CAMERA = 6  # numbers of an affine motion


@dataclass(frozen=True)
class Settings:
    """What `--extractor-option motion.KEY=VALUE` sets."""

    short_side: int = 112  # pixels to which frames are resized before the flow is computed
    snippet_frames: int = 16  # flow fields that a vector describes
    cells: int = 3  # along each side of the finest grid
    still: float = 0.4  # pixels; flow shorter than this counts as no motion in HOF
    camera: Literal["removed", "kept"] = "removed"  # whether HOF and MBH see the camera's motion

    def __post_init__(self) -> None:
        if self.cells < 1 or self.snippet_frames < 1 or self.short_side < 8 * self.cells:
            raise ValueError(
                "cells and snippet_frames must be at least 1, and short_side at least 8 for each cell, got "
                f"{self.cells}, {self.snippet_frames} and {self.short_side}"
            )
        if not 0 <= self.still < float("inf"):
            raise ValueError(f"still must be at least 0 and finite, got {self.still}")


class Motion:
    """The extractor; see the module for what the vector holds."""

    name = NAME
    kind: Literal["flow"] = "flow"

    def __init__(self, settings: Settings, device: torch.device) -> None:
        self.settings, self.device = settings, device
        self.frame_size = FrameSize(short_side=settings.short_side)
        self.snippet_frames = settings.snippet_frames
        every_bin = sum(HISTOGRAMS)
        grids = sum(size * size for size in self._grids)
        self.width = every_bin * (grids + 1) + (len(HISTOGRAMS) + 1) * settings.cells**2 + 2 * CAMERA

    @property
    def _grids(self) -> range:
        return range(1, self.settings.cells + 1)

    def identity(self) -> ExtractorIdentity:
        """What the vectors depend on."""
        return ExtractorIdentity(NAME, self.width, asdict(self.settings), None, {"torch": torch.__version__})

    @torch.inference_mode()
    def __call__(self, clips: Tensor) -> Tensor:
        """The vectors (N, width) of clips of flow (N, frames, H, W, 2), in pixels."""
        return torch.stack([self._vector(clip.to(self.device, torch.float32)).cpu() for clip in clips])

    def _vector(self, flow: Tensor) -> Tensor:
        camera = affine_motion(flow)
        seen = without(flow, camera) if self.settings.camera == "removed" else flow
        grids = flow_histograms(seen, grids=self._grids, still=self.settings.still)
        means = [grid.mean(dim=0) for grid in grids]
        return torch.cat(
            [
                *(_normalized(grid) for grid in means),
                _normalized(grids[0].std(dim=0, correction=0)),
                _lengths(means[-1]),
                camera.mean(dim=0).flatten(),
                camera.std(dim=0, correction=0).flatten(),
            ]
        )


def build(settings: Settings, device: torch.device) -> Motion:
    """The extractor with these settings."""
    return Motion(settings, device)


def _normalized(grid: Tensor) -> Tensor:
    """The square root of each histogram of (25, cells, cells) divided by its sum: (25 * cells ** 2,)."""
    return torch.cat(
        [(part / (part.sum() + NO_MOTION)).sqrt().flatten() for part in torch.split(grid, list(HISTOGRAMS))]
    )


def _lengths(grid: Tensor) -> Tensor:
    """The square roots of the mean lengths in every cell of (25, cells, cells), for the four kinds of bins."""
    return torch.cat(
        [part.sum(dim=0).sqrt().flatten() for part in torch.split(grid, [ORIENTATIONS, 1, *HISTOGRAMS[1:]])]
    )
