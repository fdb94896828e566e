"""The epochs of a stream as TensorBoard scalars; needs the `tensorboard` package."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from amsx.training.trainer import TERMS


def require_tensorboard() -> None:
    """ValueError that says what to install, where the `tensorboard` package is absent."""
    try:
        import torch.utils.tensorboard  # noqa: F401
    except ImportError as error:
        raise ValueError("TensorBoard logs need its package; expected: pip install 'amsx[tensorboard]'") from error


class EpochLog:
    """Writes every epoch's losses to a folder of TensorBoard events: one scalar a term, the step is the epoch.

    Test scores are not among them: nothing is chosen by looking at the test videos.
    """

    def __init__(self, folder: Path, finished: Sequence[Mapping[str, Any]]) -> None:
        """`finished`: the epochs of an interrupted run.

        They are written again and replace what an earlier log in `folder` holds, so no step shows twice and none is
        missing, whenever the run was killed.
        """
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=0 if finished else None)
        for entry in finished:
            self.add(entry)

    def add(self, entry: Mapping[str, Any]) -> None:
        """One entry of the trainer's history."""
        for term in TERMS:
            if term != "localization" or entry["phase"] != "zero":  # phase zero has no pseudo-labels
                self._writer.add_scalar(f"{entry['trains']}/{term}", entry[term], entry["epoch"])
        self._writer.add_scalar("seconds", entry["seconds"], entry["epoch"])

    def __enter__(self) -> "EpochLog":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._writer.close()
