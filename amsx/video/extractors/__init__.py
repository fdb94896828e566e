"""Extractors: clips of a video in, one vector for each clip out. An extractor is a module of this package.

`EXTRACTORS` maps every name to its module, which is imported when the extractor is built: it may need packages that a
user of other extractors does not have. The module defines `Settings`, a frozen dataclass whose fields are what
`--extractor-option` can set, and `build(settings, device) -> Extractor`.
"""

import dataclasses
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, Protocol

from amsx.data.extraction_record import ExtractorIdentity
from amsx.video.settings import read_settings

if TYPE_CHECKING:
    import torch

EXTRACTORS = {
    "efficientnet-lite0": "amsx.video.extractors.efficientnet_lite0",
    "i3d-flow": "amsx.video.extractors.i3d_flow",
    "i3d-rgb": "amsx.video.extractors.i3d_rgb",
    "module": "amsx.video.extractors.module",
    "motion": "amsx.video.extractors.motion",
}
PAIRS = {"i3d": ("i3d-rgb", "i3d-flow")}  # names that stand for the extractors of both streams


@dataclass(frozen=True)
class FrameSize:
    """What decoding makes of a frame before an extractor sees it: resized first, then cropped about its centre."""

    short_side: int | None = None  # pixels of the shorter side after resizing, the shape is kept; None: as it is
    crop: int | None = None  # pixels of the sides of the square that is cut from the centre; None: the whole frame

    def __post_init__(self) -> None:
        for name, value in (("short_side", self.short_side), ("crop", self.crop)):
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1 pixel, got {value}")
        if self.crop is not None and (self.short_side is None or self.crop > self.short_side):
            raise ValueError(f"a crop of {self.crop} pixels needs a short side of at least as many")


class Extractor(Protocol):
    """Turns clips into vectors. It is called with clips of one size at a time and keeps no state between calls."""

    name: str
    kind: Literal["rgb", "flow"]  # what it looks at: frames, or the optical flow between them
    width: int  # D
    frame_size: FrameSize
    snippet_frames: int  # frames (or flows) of a clip, which is centred on its snippet

    def identity(self) -> ExtractorIdentity:
        """What the vectors depend on."""
        ...

    def __call__(self, clips: "torch.Tensor") -> "torch.Tensor":
        """The vectors (N, D) float32 of N clips.

        Clips of frames are (N, frames, H, W, 3), uint8 RGB; of flow (N, frames, H, W, 2), float32: the displacement in
        pixels, x then y, from each frame to the next.
        """
        ...


def make_extractor(
    name: str, settings: Mapping[str, Any] | None = None, device: "torch.device | str" = "cpu"
) -> Extractor:
    """Build the extractor `name`, whose settings may be values or the texts of a command line.

    ValueError for an unknown name or setting, RuntimeError where a package that the extractor needs is not installed.
    """
    import torch

    module = _module(name)
    chosen = read_settings(module.Settings, settings or {}, f"extractor {name!r}")
    extractor: Extractor = module.build(chosen, torch.device(device))
    return extractor


def settings_of(name: str) -> dict[str, Any]:
    """Setting -> default value of the extractor `name`."""
    return {
        field.name: None if field.default is dataclasses.MISSING else field.default
        for field in dataclasses.fields(_module(name).Settings)
    }


def _module(name: str) -> ModuleType:
    if name in PAIRS:
        raise ValueError(f"{name!r} stands for two extractors, {' and '.join(PAIRS[name])}; expected one of them")
    if name not in EXTRACTORS:
        raise ValueError(f"unknown extractor {name!r}; expected one of {', '.join(EXTRACTORS)}")
    return importlib.import_module(EXTRACTORS[name])
