"""The trained model of one stream of a run, from its last checkpoint."""

from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from amsx.model.ams import AMS
from amsx.model.backbone_class import backbone_class, import_backbone, name_of
from amsx.training import checkpoint
from amsx.training.config import override
from amsx.training.epoch_log import EpochRecord
from amsx.training.phases import schedule, total_epochs
from amsx.training.run_directory import RunDescription
from amsx.training.setup import build_model, load_model
from amsx.training.stopping import CHOSEN_FILE, has_stopped


@dataclass(frozen=True)
class TrainedStream:
    """The model of one stream."""

    model: AMS  # in evaluation mode, on the CPU
    width: int  # D of its features
    epoch: int  # the epochs after which it was taken


def load_stream(run: Path, described: RunDescription, stream: str) -> TrainedStream:
    """Load the model of a stream of the run `described`.

    FileNotFoundError where it has no checkpoint; ValueError where its training did not end, and where the checkpoint
    does not fit the run's description.
    """
    path = run / stream / "checkpoint.safetensors"
    stopping = described.config.stopping
    tensors, header = checkpoint.load(path, kind="checkpoint", prefix="model.")
    goal = total_epochs(schedule(described.config.phases))
    history = [EpochRecord.from_json(record) for record in header["history"]]
    if header["epoch"] < goal and not has_stopped(history, stopping.patience):
        raise ValueError(
            f"{path}: the training did not end, {header['epoch']} of {goal} epochs are done; continue it with --resume"
        )
    if tuple(header["classes"]) != described.data.classes:
        raise ValueError(f"{path}: its classes are not those of {run}/config.json; they are of two runs")
    if stopping.on != "none":
        tensors, header = checkpoint.load(run / stream / CHOSEN_FILE, kind="checkpoint", prefix="model.")
    model = build_model(header["width"], len(header["classes"]), described.config)
    load_model(model, tensors)
    return TrainedStream(model.eval().requires_grad_(False), header["width"], header["epoch"])


def with_backbone(described: RunDescription, backbone: type[nn.Module] | str | None, run: Path) -> RunDescription:
    """The description of a run with the class of its branches at hand: imported where `backbone` names it.

    A class takes the place of the one that the run names. ValueError where a name is not the run's, where its module
    cannot be imported, and where nobody named it and the program has not imported it.
    """
    recorded = described.config.model.backbone
    if backbone is None:
        backbone_class(recorded)
        return described
    name = name_of(backbone)
    if isinstance(backbone, str) and name != recorded:
        raise ValueError(f"{run} was trained with the backbone {recorded}; got {name}")
    import_backbone(name)
    return replace(described, config=override(described.config, [f"model.backbone={name}"]))
