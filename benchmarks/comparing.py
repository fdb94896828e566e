"""What the checks of a device share: where they run, and comparisons with the CPU."""

from dataclasses import dataclass

import torch
from torch import Tensor

DTYPES = (torch.float32, torch.bfloat16, torch.float16)
INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}


@dataclass(frozen=True)
class Place:
    """Where a check runs, and how large."""

    device: str  # as torch names it
    small: bool = False  # sizes that only show whether the check runs

    def size(self, full: int, small: int) -> int:
        return small if self.small else full

    def put(self, x: Tensor | None) -> Tensor | None:
        """A copy on the device, a leaf without a gradient."""
        return None if x is None else x.detach().to(self.device)


class UnequalError(AssertionError):
    """The device's result is not what it should be. The message says which, where and by how much."""


def expect_same_bits(what: str, there: Tensor, here: Tensor) -> None:
    """UnequalError where the device's result has other bits than the CPU's."""
    a, b = there.detach().cpu().contiguous(), here.detach().contiguous()
    if a.shape != b.shape or a.dtype != b.dtype:
        raise UnequalError(f"{what}: {a.dtype} {tuple(a.shape)}, expected {b.dtype} {tuple(b.shape)}")
    different = a.view(INTEGERS[a.element_size()]) != b.view(INTEGERS[b.element_size()])
    if different.any():
        first = tuple(different.nonzero()[0].tolist())
        raise UnequalError(
            f"{what}: {int(different.sum())} of {different.numel()} values differ, first at {first}: "
            f"{a[first].item()!r}, expected {b[first].item()!r}"
        )


def expect_close(what: str, there: Tensor, here: Tensor) -> None:
    """UnequalError where a sum that the device adds in another order differs by more than rounding."""
    a, b = there.detach().cpu().double(), here.detach().double()
    tolerance = max(torch.finfo(here.dtype).eps, 1e-12) * max(1.0, b.abs().max().item())
    worst = (a - b).abs().max().item()
    if not worst <= 4 * tolerance:
        raise UnequalError(f"{what}: {worst:.3g} apart, expected at most {4 * tolerance:.3g}")


def spiky_cas(B: int, T: int, C: int, seed: int = 0) -> Tensor:
    """A CAS that is high everywhere but at a few snippets, which then take nearly all samples: (B, T, C)."""
    generator = torch.Generator().manual_seed(seed)
    cas = 1 + 1e-3 * torch.rand(B, T, C, generator=generator)
    for b in range(B):
        cas[b, torch.randperm(T, generator=generator)[: max(1, T // 500)]] = 0
    return cas


def random_batch(B: int, T: int, D: int, C: int, dtype: torch.dtype, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Random `feats` (B, T, D) and `cas` (B, T, C) in host memory."""
    generator = torch.Generator().manual_seed(seed)
    feats = torch.randn(B, T, D, generator=generator)
    return feats.to(dtype), torch.rand(B, T, C, generator=generator).to(dtype)
