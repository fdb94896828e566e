"""Inputs of every awkward size and shape, drawn by hypothesis, for the op tests."""

from dataclasses import dataclass

import torch
from hypothesis import strategies as st
from torch import Tensor

SNIPPETS = [1, 2, 3, 7, 16, 33, 129]
DIMS = [1, 3, 8, 65, 1023]
CHANNELS = [1, 2, 5, 20]
FACTORS = [1, 2, 3, 7, 20]


@dataclass(frozen=True)
class Case:
    """One batch: `feats` (B, T, D), `cas` (B, T, C), `labels` (B, C) or None, `lengths` (B,) or None, eta, H."""

    feats: Tensor
    cas: Tensor
    labels: Tensor | None
    lengths: Tensor | None
    eta: float
    interp_factor: int

    @property
    def valid(self) -> list[int]:
        return [self.feats.shape[1]] * len(self.feats) if self.lengths is None else self.lengths.tolist()


def weight_shape(kind: str, size: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """A CAS of the given size in [0, 1]: random, with many ties, constant, or of a few spikes."""
    x = torch.rand(size, generator=generator, dtype=torch.float64)
    if kind == "ties":
        return (x * 3).round() / 3
    if kind == "constant":
        return torch.full(size, 0.3, dtype=torch.float64)
    if kind == "spiky":
        return (x > 0.9).double() * 1e3
    return x


@st.composite
def cases(draw: st.DrawFn, dims: list[int] = DIMS, snippets: list[int] = SNIPPETS) -> Case:
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    B, T = draw(st.integers(1, 3)), draw(st.sampled_from(snippets))
    D, C = draw(st.sampled_from(dims)), draw(st.sampled_from(CHANNELS))
    feats = torch.randn(B, T, D, generator=generator, dtype=torch.float64)
    cas = weight_shape(draw(st.sampled_from(["random", "ties", "constant", "spiky"])), (B, T, C), generator)
    labels = torch.rand(B, C, generator=generator) > 0.5 if draw(st.booleans()) else None
    lengths = torch.randint(1, T + 1, (B,), generator=generator) if draw(st.booleans()) else None
    if draw(st.booleans()):  # non-contiguous, and for the features a last stride other than 1
        feats = feats.transpose(1, 2).contiguous().transpose(1, 2)
        cas = torch.stack([cas, cas], dim=-1)[..., 0]
    if lengths is not None and draw(st.booleans()):  # padding must not matter: let it be poison
        beyond = torch.arange(T)[None, :] >= lengths[:, None]
        feats = feats.masked_fill(beyond[:, :, None], float("nan"))
        cas = cas.masked_fill(beyond[:, :, None], float("nan"))
    return Case(feats, cas, labels, lengths, draw(st.sampled_from([0.1, 0.75, 2.0])), draw(st.sampled_from(FACTORS)))
