"""The sizes that are measured, and inputs of these sizes that are the same for all contenders."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.comparing import spiky_cas
from benchmarks.rows import Value

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
DIRECTIONS = ("forward", "backward")


@dataclass(frozen=True)
class Workload:
    """A batch that is sampled or aligned; the default is the CPU's headline case."""

    B: int = 8  # videos
    T: int = 1000  # snippets of each video
    D: int = 1024  # feature columns
    H: int = 20  # up-sampling factor of grid mode; 0: continuous mode
    C: int = 20  # classes of the CAS
    dtype: str = "float32"  # a key of DTYPES, of the features and of the CAS
    eta: float = 0.75  # of Eq. 4
    cas: str = "random"  # or "spiky": a few snippets take nearly all samples

    @property
    def name(self) -> str:
        return f"{self.dtype} B {self.B}, T {self.T}, D {self.D}, H {self.H}"

    def parameters(self, direction: str) -> dict[str, Value]:
        """The `Row.parameters` of this workload; `direction` is "forward" or "backward"."""
        return {"direction": direction, **vars(self)}

    @property
    def upsampled_bytes(self) -> int:
        """What the literal float32 version holds at once beside its input: the features up-sampled by H."""
        return self.B * self.T * self.D * self.H * 4

    def inputs(self, device: str) -> tuple[Tensor, Tensor]:
        """Random `feats` (B, T, D) and `cas` (B, T, C); every call on the same device gives the same values."""
        generator = torch.Generator(device).manual_seed(0)
        feats = torch.randn(self.B, self.T, self.D, generator=generator, device=device)
        cas = torch.rand(self.B, self.T, self.C, generator=generator, device=device)
        if self.cas == "spiky":
            cas = spiky_cas(self.B, self.T, self.C).to(device)
        return feats.to(DTYPES[self.dtype]), cas.to(DTYPES[self.dtype])


QUICK = Workload(B=2, T=12, D=8, H=3)  # takes no time; its figures say nothing


def declared_bytes(*tensors: Tensor) -> int:
    """The bytes of all the tensors together: what is moved if every row is read or written exactly once."""
    return sum(math.prod(x.shape) * x.element_size() for x in tensors)
