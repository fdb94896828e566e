"""The extractor `i3d-flow`; see `amsx.video.extractors.i3d`."""

import torch

from amsx.video.extractors import i3d

Settings = i3d.Settings


def build(settings: i3d.Settings, device: torch.device) -> i3d.I3d:
    """The extractor of flow on `device`."""
    return i3d.I3d("flow", settings, device)
