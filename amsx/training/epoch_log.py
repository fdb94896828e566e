"""The record of every epoch, which goes to the checkpoint, to log.jsonl and, if asked for, to TensorBoard."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any

from amsx.files import parse_json, read_names, write_text
from amsx.training.phases import Branch

LOG_FILE = "log.jsonl"  # in the folder of a stream

# The losses of an epoch, in the order in which the trainer computes them; names of fields of `EpochRecord`.
TERMS = ("loss", "classification", "cas_classification", "similarity", "localization")


@dataclass(frozen=True)
class EpochRecord:
    """One finished epoch. Losses are means over its batches."""

    epoch: int  # its number in the whole schedule, from 1
    phase: str  # "zero", "one" or "two"
    iteration: int  # 0 in phase zero
    trains: Branch  # the branch that was trained; the other was frozen
    loss: float  # the whole objective, Eq. 11
    classification: float  # Eq. 10
    cas_classification: float  # the loss by which video labels train the CAS
    similarity: float  # W-TALC's co-activity similarity
    localization: float  # Eq. 9; 0 in phase zero, which has no pseudo-labels
    seconds: float  # the time that the epoch took
    validation: float | None = None  # the score on held-out training videos, percent; None: it was not asked for

    def term(self, name: str) -> float:
        """One of `TERMS`."""
        value: float = getattr(self, name)
        return value

    def to_json(self) -> dict[str, Any]:
        """The object that checkpoints and log.jsonl hold."""
        return {name: value for name, value in vars(self).items() if value is not None}

    @classmethod
    def from_json(cls, values: Any) -> "EpochRecord":
        """The record of such an object; ValueError unless it has exactly the keys of a record."""
        expected = [field.name for field in fields(cls) if field.default is MISSING]
        if not isinstance(values, Mapping) or set(values) - {"validation"} != set(expected):
            raise ValueError(f"expected an object with the keys {', '.join(expected)}, got {str(values)[:80]}")
        return cls(**values)


def write_log(path: Path, records: Sequence[EpochRecord]) -> None:
    """Write log.jsonl, a JSON object in a line for every epoch; the file appears whole or not at all."""
    write_text(path, "".join(json.dumps(record.to_json()) + "\n" for record in records))


def read_log(path: Path) -> list[EpochRecord]:
    """Read log.jsonl; an empty list where there is none, ValueError where it is damaged."""
    if not path.is_file():
        return []
    try:
        return [EpochRecord.from_json(parse_json(line)) for line in read_names(path)]
    except ValueError as error:
        raise ValueError(f"{path} is damaged, expected a JSON object in every line: {error}") from error


def require_tensorboard() -> None:
    """ValueError that says what to install, where the `tensorboard` package is absent."""
    try:
        import torch.utils.tensorboard  # noqa: F401
    except ImportError as error:
        raise ValueError("TensorBoard logs need its package; expected: pip install 'amsx[tensorboard]'") from error


class TensorBoardLog:
    """Writes every epoch's losses to a folder of TensorBoard events: one scalar a term, the step is the epoch.

    The score on held-out training videos is among them where there is one; scores of test videos are not: nothing is
    chosen by looking at these.
    """

    def __init__(self, folder: Path, finished: Sequence[EpochRecord]) -> None:
        """`finished`: the epochs of an interrupted run.

        They are written again and replace what an earlier log in `folder` holds, so no step shows twice and none is
        missing, whenever the run was killed.
        """
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=0 if finished else None)
        for record in finished:
            self.add(record)

    def add(self, record: EpochRecord) -> None:
        """Write the scalars of one epoch."""
        for term in TERMS:
            if term != "localization" or record.phase != "zero":  # phase zero has no pseudo-labels
                self._writer.add_scalar(f"{record.trains}/{term}", record.term(term), record.epoch)
        if record.validation is not None:
            self._writer.add_scalar("validation", record.validation, record.epoch)
        self._writer.add_scalar("seconds", record.seconds, record.epoch)

    def __enter__(self) -> "TensorBoardLog":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._writer.close()
