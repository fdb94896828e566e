"""The processes that train one run together. `torchrun` starts them, `torch.distributed` joins them.

Every process (a rank) has the model, the features and the random numbers of the whole run, and computes on its share of
each batch. Gradients are averaged by DistributedDataParallel. The first rank alone writes and speaks.
"""

import io
import os
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

BACKENDS = {"cpu": "gloo", "cuda": "cpu:gloo,cuda:nccl"}  # what joins the processes, by the type of their devices
TIMEOUT = timedelta(hours=2)  # how long a rank waits for another, which may be reading all features from a slow disk
LOST = ("gloo", "nccl", "Connection closed", "Connection reset", "Broken pipe")  # in errors about another process

_T = TypeVar("_T")


@dataclass(frozen=True)
class Ranks:
    """One of the `count` processes of a run. `Ranks()` is a process that trains alone."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.rank == 0

    def on_first(self, work: Callable[[], _T]) -> _T:
        """Do `work` on the first rank alone; every rank gets its result, or raises what it raised."""
        if self.count == 1:
            return work()
        outcome: list[Any] = [None, None]  # the result, and what was raised
        if self.first:
            try:
                outcome[0] = work()
            except Exception as error:
                outcome[1] = _portable(error)
        dist.broadcast_object_list(outcome, src=0)
        if outcome[1] is not None:
            raise outcome[1]
        result: _T = outcome[0]
        return result

    def require_same(self, value: Any, what: str) -> None:
        """ValueError on every rank unless all ranks have an equal `value`, which `what` names in the message."""
        if self.count == 1:
            return
        values: list[Any] = [None] * self.count
        dist.all_gather_object(values, value)
        if other := [rank for rank in range(self.count) if values[rank] != values[0]]:
            raise ValueError(f"rank {other[0]} has other {what} than rank 0; expected the same on every machine")

    def gather(self, value: _T) -> list[_T] | None:
        """The values of all ranks, in their order, on the first rank; None on the others."""
        if self.count == 1:
            return [value]
        values: list[Any] | None = [None] * self.count if self.first else None
        dist.gather_object(value, values)
        return values

    def total(self, values: Tensor) -> Tensor:
        """The sum of the ranks' tensors, on every rank."""
        if self.count > 1:
            dist.all_reduce(values)
        return values

    def averaging(self, module: nn.Module) -> nn.Module:
        """`module`, whose call is followed by the average of the ranks' gradients at the end of its backward pass.

        Its parameters that require a gradient at the time of this call are averaged, and begin as those of the first
        rank.
        """
        if self.count == 1:
            return module
        return DistributedDataParallel(module, gradient_as_bucket_view=True)


@contextmanager
def joined(device: torch.device) -> Iterator[Ranks]:
    """Within the context, this process is joined with the others that `torchrun` started, if it did.

    A process group that the caller has set up is used as it is. RuntimeError that says how to go on where another
    process is gone. ValueError where processes cannot be joined on such a device.
    """
    if dist.is_available() and dist.is_initialized():
        yield Ranks(dist.get_rank(), dist.get_world_size())
        return
    if _launched("WORLD_SIZE", 1) == 1:
        yield Ranks()
        return
    if device.type not in BACKENDS:
        raise ValueError(f"several processes cannot train together on {device.type}; expected cpu or cuda")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    ranks = Ranks(_launched("RANK", 0), _launched("WORLD_SIZE", 1))
    try:
        dist.init_process_group(BACKENDS[device.type], timeout=TIMEOUT)
        yield ranks
    except RuntimeError as error:
        if isinstance(error, dist.DistError) or any(sign in str(error) for sign in LOST):
            raise RuntimeError(
                f"rank {ranks.rank} of {ranks.count} lost another process of this training, which was killed or "
                "failed; what was saved is complete, and the same command with --resume goes on, with any number of "
                f"processes ({str(error).splitlines()[0]})"
            ) from error
        raise
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def _portable(error: Exception) -> Exception:
    """`error`, or where it cannot be sent to another process one that says the same."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(str(error))
    return error


def local_rank() -> int:
    """The number of this process among those that `torchrun` started on this machine, from 0."""
    return _launched("LOCAL_RANK", 0)


def local_count() -> int:
    """How many processes `torchrun` started on this machine; 1 where it did not."""
    return _launched("LOCAL_WORLD_SIZE", 1)


@contextmanager
def first_speaks() -> Iterator[None]:
    """Within the context, what the processes that `torchrun` started print is dropped, but for the first of them."""
    with nullcontext() if _launched("RANK", 0) == 0 else redirect_stdout(io.StringIO()):
        yield


def _launched(name: str, default: int) -> int:
    """A number that `torchrun` gives its processes; the default where it did not start this one."""
    return int(os.environ.get(name, default)) if dist.is_available() and dist.is_torchelastic_launched() else default
