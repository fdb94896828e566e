"""Sizes and inputs, the same for all rivals."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Problem:
    """A batch to sample."""

    B: int = 8  # videos
    T: int = 1000  # snippets
    D: int = 1024  # feature columns
    H: int = 20  # up-sampling factor
    C: int = 20  # classes
    dtype: str = "float32"

    @property
    def name(self) -> str:
        return f"{self.dtype} B {self.B}, T {self.T}, D {self.D}, H {self.H}"

    def parameters(self, direction: str) -> dict[str, Any]:
        return {"direction": direction, **vars(self)}

    @property
    def upsampled_bytes(self) -> int:
        """What the literal float32 version holds at once beside its input: the features up-sampled by H."""
        return self.B * self.T * self.D * self.H * 4

    def inputs(self, device: str) -> tuple[Tensor, Tensor]:
        """`feats` (B, T, D) and a random `cas` (B, T, C), alike on every call with a device."""
        generator = torch.Generator(device).manual_seed(0)
        feats = torch.randn(self.B, self.T, self.D, generator=generator, device=device)
        cas = torch.rand(self.B, self.T, self.C, generator=generator, device=device)
        return feats.to(DTYPES[self.dtype]), cas.to(DTYPES[self.dtype])


def declared_bytes(*tensors: Tensor) -> int:
    """Every input row read once, every output row written once."""
    return sum(math.prod(x.shape) * x.element_size() for x in tensors)
