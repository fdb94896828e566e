"""What a benchmark run was asked to do."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks.rows import Row


@dataclass(frozen=True)
class Settings:
    """What all benchmarks of one run have in common. ValueError where the device is absent or a number is below 1."""

    device: str = "cpu"  # cpu or cuda
    threads: int = 2  # threads of torch on the CPU, which are amsx's too
    repeats: int = 30  # rounds of a case; slow rivals take part in fewer
    quick: bool = False  # tiny sizes, which only show whether everything runs
    case_seconds: float = 60.0  # after so many seconds a case starts no further round (three are always measured)
    deadline: float | None = None  # time.monotonic() at which no further case is started; None: never
    keep: Callable[[Sequence[Row]], None] | None = None  # is called with the rows of every case when it is over

    def __post_init__(self) -> None:
        if self.device not in ("cpu", "cuda"):
            raise ValueError(f"device is {self.device!r}; expected cpu or cuda")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ValueError(f"device cuda was asked for, but torch {torch.__version__} sees no GPU")
        for name in ("threads", "repeats"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least 1")

    @property
    def cuda(self) -> bool:
        return self.device == "cuda"

    @property
    def out_of_time(self) -> bool:
        return self.deadline is not None and time.monotonic() >= self.deadline

    def to_json(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key not in ("deadline", "keep")}
