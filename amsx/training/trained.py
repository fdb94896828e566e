"""The trained model of one stream of a run, from its last checkpoint."""

from dataclasses import dataclass
from pathlib import Path

from amsx.model.ams import AMS
from amsx.training import checkpoint
from amsx.training.phases import schedule, total_epochs
from amsx.training.run_directory import RunDescription
from amsx.training.setup import build_model, load_model


@dataclass(frozen=True)
class TrainedStream:
    """The model of one stream."""

    model: AMS  # in evaluation mode, on the CPU
    width: int  # D of its features
    epoch: int  # epochs that it was trained for


def load_stream(run: Path, described: RunDescription, stream: str) -> TrainedStream:
    """Load the model of a stream of the run `described`.

    FileNotFoundError where it has no checkpoint; ValueError where its training did not end, and where the checkpoint
    does not fit the run's description.
    """
    path = run / stream / "checkpoint.safetensors"
    tensors, header = checkpoint.load(path, kind="checkpoint", prefix="model.")
    goal = total_epochs(schedule(described.config.phases))
    if header["epoch"] < goal:
        raise ValueError(
            f"{path}: the training did not end, {header['epoch']} of {goal} epochs are done; continue it with --resume"
        )
    if tuple(header["classes"]) != described.data.classes:
        raise ValueError(f"{path}: its classes are not those of {run}/config.json; they are of two runs")
    model = build_model(header["width"], len(header["classes"]), described.config)
    load_model(model, tensors)
    return TrainedStream(model.eval().requires_grad_(False), header["width"], header["epoch"])
