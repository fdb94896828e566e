"""Trains cells one after the other, in one process, which holds the folder of each while it trains it."""

import time
from collections.abc import Callable
from pathlib import Path

from amsx.data.batching import FeatureSet
from amsx.data.videos import Dataset
from amsx.experiments.cells import (
    CHECKPOINT_FILE,
    FINISHED_FILE,
    MODEL_FILE,
    SETTINGS_FILE,
    Cell,
    Finished,
    is_finished,
    iteration_file,
)
from amsx.files import remove_unfinished, write_json
from amsx.locks import check_held, hold
from amsx.training import checkpoint
from amsx.training.activations import StreamActivations, save_activations
from amsx.training.config import StoppingConfig
from amsx.training.phases import iteration_ends, total_epochs
from amsx.training.run import epoch_measure, stream_activations
from amsx.training.setup import choose_device
from amsx.training.stopping import EpochChoice, split
from amsx.training.trainer import Trainer


class CellTrainer:
    """Trains cells on one data set. Features are read once for consecutive cells of the same stream."""

    def __init__(self, dataset: Dataset, device: str | None = None) -> None:
        self.dataset = dataset
        self.device = choose_device(device)
        self.test = dataset.subset("test")
        self._features: dict[tuple[str, str, StoppingConfig], FeatureSet] = {}

    def trainer(self, cell: Cell) -> Trainer:
        """A trainer for the cell, at the beginning of the schedule."""
        classes = self.dataset.classes
        storage = cell.config.optimization.storage
        key = (cell.stream, storage, cell.config.stopping)
        if key not in self._features:
            self._features.clear()  # one stream at a time: they are large
            train = split(self.dataset, cell.config.stopping).train
            self._features[key] = FeatureSet.load(train, cell.stream, classes, storage=storage)
        features = self._features[key]
        return Trainer(features, cell.config, stream=cell.stream, classes=classes, device=self.device, progress=False)

    def train(
        self, cell: Cell, out: Path, after_epoch: Callable[[int, int], None] = lambda done, goal: None
    ) -> float | None:
        """Train a cell whose beginning is finished, from its last checkpoint; returns the seconds that this took.

        `after_epoch(done, goal)` is called after every epoch; both count epochs of the schedule. None where another
        process has finished the cell; FolderInUse where one holds it, or took it over from this one.
        """
        with hold(out / cell.folder, "amsx, training of a cell"):
            return None if is_finished(cell, out) else self._train(cell, out, after_epoch)

    def _train(self, cell: Cell, out: Path, after_epoch: Callable[[int, int], None]) -> float:
        began = time.perf_counter()
        folder = out / cell.folder
        remove_unfinished(folder)
        write_json(folder / SETTINGS_FILE, cell.settings)
        trainer = self.trainer(cell)
        latest = folder / CHECKPOINT_FILE
        if latest.exists():
            trainer.restore(*checkpoint.load(latest, kind="checkpoint"))
        elif cell.beginning is not None:
            start = out / cell.beginning.folder / CHECKPOINT_FILE
            trainer.restore(*checkpoint.load(start, kind="checkpoint"))
        goal, stops = self._schedule(cell, trainer)
        held = split(self.dataset, cell.config.stopping).held
        choice = EpochChoice(held, trainer, folder, epoch_measure(held, cell.config))

        def save_state(trainer: Trainer) -> None:
            check_held(folder)
            if trainer.history and trainer.history[-1].validation is None:
                choice.after_epoch(trainer)
            if trainer.epoch in stops:
                path = iteration_file(folder, stops[trainer.epoch])
                save_activations(path, stream_activations(trainer, self.test))
            checkpoint.save(latest, *trainer.state(), kind="checkpoint")
            after_epoch(trainer.epoch, goal)

        save_state(trainer)  # an iteration may end where the beginning ended
        trainer.train(after_epoch=save_state, until=goal, stop=choice.stop)
        if cell.part == "whole":
            if (best := choice.take(trainer)) is not None:  # the model of the cell is that of the chosen epoch
                for iteration in [i for epoch, i in stops.items() if epoch >= min(trainer.epoch, goal)]:
                    save_activations(iteration_file(folder, iteration), self._tested(trainer, best.epoch))
            tensors, header = trainer.state()
            weights = {name: value for name, value in tensors.items() if name.startswith("model.")}
            checkpoint.save(folder / MODEL_FILE, weights, header, kind="checkpoint")
        seconds = time.perf_counter() - began
        finished = Finished(tuple(sorted(stops.values())), seconds, trainer.history)
        write_json(folder / FINISHED_FILE, finished.to_json())
        if cell.part == "whole":
            latest.unlink()
        return seconds

    def _tested(self, trainer: Trainer, epoch: int) -> StreamActivations:
        """The activations of the test videos by the trainer's model, which is that after `epoch` epochs."""
        trainer.epoch = epoch
        return stream_activations(trainer, self.test)

    @staticmethod
    def _schedule(cell: Cell, trainer: Trainer) -> tuple[int, dict[int, int]]:
        """The epoch at which the cell ends, and a map from the epochs that end an iteration to that iteration."""
        phases = cell.config.phases
        if cell.part == "base":
            return phases.base_epochs, {}
        if cell.part == "supplementary":
            return phases.base_epochs + phases.supplementary_epochs, {}
        stops = {epoch: iteration for iteration, epoch in iteration_ends(trainer.phases).items()}
        return total_epochs(trainer.phases), stops
