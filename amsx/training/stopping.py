"""The choice of an epoch on training videos that are held out for it, and the end of a training that no longer gains.

An epoch can be chosen once phase zero is over: before that, a branch is untrained. Of equal scores, the later epoch's
counts, so that a score that has reached its maximum does not keep a model from being trained to its end.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from amsx.data.batching import FeatureSet
from amsx.data.validation import folds
from amsx.data.videos import Dataset, Video
from amsx.training import checkpoint
from amsx.training.activations import StreamActivations, loaded_activations
from amsx.training.config import StoppingConfig
from amsx.training.epoch_log import EpochRecord
from amsx.training.setup import load_model
from amsx.training.trainer import Trainer

CHOSEN_FILE = "chosen.safetensors"  # in the folder of a stream: the weights after the best epoch so far
CRITERIA = {"labels": "classification mAP", "segments": "mAP of localization"}


@dataclass(frozen=True)
class Split:
    """The training videos of a run: those that it learns from, and those that its epoch is chosen on."""

    train: tuple[Video, ...]
    held: tuple[Video, ...]  # empty: the last epoch is kept


def split(dataset: Dataset, config: StoppingConfig) -> Split:
    """Hold out the training videos that `config` says, stratified by class, groups whole.

    ValueError where there are no such groups or too few videos, and where none of the held-out videos has the labels or
    segments that the epoch is to be chosen by.
    """
    if config.on == "none":
        return Split(dataset.subset("train"), ())
    try:
        parted = folds(dataset, count=config.folds, group=config.group or None, seed=config.seed)[0]
    except ValueError as error:
        raise ValueError(f"stopping.folds={config.folds}, stopping.group={config.group!r}: {error}") from error
    held = parted.subset("test")
    if not any(video.segments if config.on == "segments" else video.labels for video in held):
        raise ValueError(
            f"stopping.on={config.on}: none of the {len(held)} held-out training videos has {config.on}; expected "
            + ("labels, which stopping.on=labels needs alone" if config.on == "segments" else "videos with a label")
        )
    return Split(parted.subset("train"), held)


def in_words(split: Split, config: StoppingConfig) -> str:
    """What is held out, and what for."""
    labels = "; their segments are used as labels of validation" if config.on == "segments" else ""
    return (
        f"{len(split.held)} of {len(split.train) + len(split.held)} training videos are held out to choose the epoch "
        f"by their {CRITERIA[config.on]}{labels}"
    )


def chosen(history: Sequence[EpochRecord]) -> EpochRecord | None:
    """The epoch with the best score on held-out videos, the last of equals; None: none has a score."""
    scored = [(record.validation, record.epoch, record) for record in history if record.validation is not None]
    return max(scored, key=lambda entry: entry[:2])[2] if scored else None


def has_stopped(history: Sequence[EpochRecord], patience: int) -> bool:
    """Whether the last `patience` epochs were worse than the best one; never where `patience` is 0."""
    best = chosen(history)
    return patience > 0 and best is not None and history[-1].epoch - best.epoch >= patience


class EpochChoice:
    """Scores a trainer's model on held-out videos after every epoch, and keeps the best in a folder.

    The scores are in the trainer's history, so a trainer that is restored knows them.
    """

    def __init__(
        self,
        held: Sequence[Video],
        trainer: Trainer,
        folder: Path,
        measure: Callable[[StreamActivations], float],
    ) -> None:
        """`measure` gives the score of the activations of the held-out videos; `held` may be empty: all is kept."""
        self.held = tuple(held)
        self.path = folder / CHOSEN_FILE
        self.patience = trainer.config.stopping.patience
        self._measure = measure
        storage = trainer.config.optimization.storage
        self._features = FeatureSet.load(held, trainer.stream, trainer.classes, storage=storage) if held else None

    def after_epoch(self, trainer: Trainer) -> None:
        """Score the model; where it is the best so far, write it. To be called before the checkpoint is written.

        A run that is killed between the two repeats the epoch, and writes the same.
        """
        record = trainer.history[-1]
        if self._features is None or record.iteration == 0:
            return
        activations = loaded_activations(
            trainer.model,
            self._features,
            self.held,
            stream=trainer.stream,
            classes=trainer.classes,
            config=trainer.config,
            epoch=trainer.epoch,
        )
        trainer.history[-1] = replace(record, validation=self._measure(activations))
        if trainer.ranks.first and chosen(trainer.history) == trainer.history[-1]:
            tensors, header = trainer.state()
            weights = {name: value for name, value in tensors.items() if name.startswith("model.")}
            checkpoint.save(self.path, weights, header, kind="checkpoint")

    def stop(self, trainer: Trainer) -> bool:
        """Whether training is to end."""
        return has_stopped(trainer.history, self.patience)

    def take(self, trainer: Trainer) -> EpochRecord | None:
        """Put the chosen weights into the trainer's model, and return their epoch; None: the last epoch is kept."""
        record = chosen(trainer.history)
        if record is not None:
            weights, _ = trainer.ranks.on_first(lambda: checkpoint.load(self.path, kind="checkpoint"))
            load_model(trainer.model, weights)
        return record
