"""A cell: one stream trained with one seed under one setting, the unit that tables and figures share and resume.

OUT/cells/<stream>/seed<n>/<part>-<digest>/
    cell.json               the settings that the cell depends on
    checkpoint.safetensors  where its training stands; of a beginning, where it ended
    iteration<i>.safetensors   the activations of the test videos after iteration i
    model.safetensors       the weights at the end
    finished.json           written last: {"iterations": [...], "seconds": ..., "log": [...]}

A cell is named after the settings that its training depends on, so whoever wants the same training finds it. Phase
zero is a cell of its own (a "beginning"), which all cells that begin the same way continue. Settings that are the
defaults are left out of the name: a setting added to the configuration later does not rename what was trained before.
"""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from amsx.data.batching import FeatureSet
from amsx.data.videos import Dataset
from amsx.files import read_json, write_json
from amsx.training import checkpoint
from amsx.training.activations import save_activations
from amsx.training.config import Config, to_dict
from amsx.training.phases import iteration_ends, total_epochs
from amsx.training.run import TRAINED, stream_activations
from amsx.training.setup import choose_device
from amsx.training.trainer import Trainer

Part = Literal["base", "supplementary", "whole"]


@dataclass(frozen=True)
class Cell:
    """One training: the whole schedule, or its beginning, phase zero of the base branch or of both branches."""

    stream: str
    config: Config  # complete; its seed is the cell's
    part: Part = "whole"

    @property
    def seed(self) -> int:
        """The seed of everything random in the cell."""
        return self.config.optimization.seed

    @property
    def folder(self) -> Path:
        """Where the cell is kept, relative to OUT."""
        default = to_dict(Config())
        chosen = {
            f"{section}.{name}": value
            for section, fields in self.settings.items()
            for name, value in fields.items()
            if value != default[section][name]
        }
        digest = hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()[:12]
        return Path("cells", self.stream, f"seed{self.seed}", f"{self.part}-{digest}")

    @property
    def settings(self) -> dict[str, dict[str, Any]]:
        """The settings that the cell's training and its activations depend on, by section."""
        config = self.config
        values = to_dict(config)
        found = {section: dict(values[section]) for section in TRAINED}
        unused: set[str] = set()
        if not self._samples:
            unused |= {f"sampling.{name}" for name in found["sampling"]}
        if config.sampling.weights != "adaptive":
            unused |= {"sampling.eta", "sampling.aggregate"}
        if config.sampling.weights != "erase":
            unused |= {"sampling.erase_threshold"}
        if config.sampling.mode == "continuous":
            unused |= {"sampling.interp_factor"}
        if self.part != "whole":  # nobody teaches yet, and nothing is tested
            unused |= {"sampling.class_threshold", "phases.alternate_epochs", "phases.iterations"}
        if not self._teaches:
            unused |= {"loss.localization_weight", "loss.pseudo_threshold", "loss.exclusive_targets"}
            unused |= {"phases.supervision"} if self.part != "whole" else set()
        if self._base_alone:
            unused |= {"phases.supplementary_epochs", "phases.sampler", "phases.supervision"}
        if self.part == "base":
            unused |= {"phases.branches"}
        return {
            section: {name: value for name, value in fields.items() if f"{section}.{name}" not in unused}
            for section, fields in found.items()
        }

    @property
    def beginning(self) -> "Cell | None":
        """The cell that this one continues."""
        if self.part == "base":
            return None
        both = self.part == "whole" and not self._base_alone and self.config.phases.supplementary_epochs
        return Cell(self.stream, self.config, "supplementary" if both else "base")

    @property
    def _base_alone(self) -> bool:
        return self.part == "base" or self.config.phases.branches == "base"

    @property
    def _samples(self) -> bool:
        return not self._base_alone and self.config.phases.sampler

    @property
    def _teaches(self) -> bool:
        return self.part == "whole" and not self._base_alone and self.config.phases.supervision != "none"


def name_of(cell: Cell) -> str:
    """The cell in a message."""
    return f"{cell.stream}, seed {cell.seed}, {cell.folder.name}"


def is_finished(cell: Cell, out: Path) -> bool:
    """Whether the cell needs no training; ValueError where its folder holds other settings."""
    path = out / cell.folder / "cell.json"
    if not path.exists():
        return False
    kept, wanted = read_json(path), cell.settings
    for section, fields in kept.items():
        for name, value in fields.items():
            if wanted.get(section, {}).get(name) != value:
                raise ValueError(f"{path.parent} holds another cell: {section}.{name} is {value!r} there")
    return (path.parent / "finished.json").exists()


def unfinished(cells: Sequence[Cell], out: Path) -> list[Cell]:
    """What has to be trained for `cells`, beginnings first, each once."""
    wanted: dict[Path, Cell] = {}

    def want(cell: Cell) -> None:
        if cell.folder in wanted or is_finished(cell, out):
            return
        if cell.beginning is not None:
            want(cell.beginning)
        wanted[cell.folder] = cell

    for cell in cells:
        want(cell)
    return list(wanted.values())


class Workshop:
    """A data set's features, read once for all the cells that are trained in a process."""

    def __init__(self, dataset: Dataset, device: str | None = None) -> None:
        self.dataset = dataset
        self.device = choose_device(device)
        self.test = dataset.subset("test")
        self._features: dict[tuple[str, str], FeatureSet] = {}

    def trainer(self, cell: Cell) -> Trainer:
        """A trainer for the cell, at the beginning of the schedule."""
        classes = self.dataset.classes
        storage = cell.config.optimization.storage
        if (cell.stream, storage) not in self._features:
            self._features.clear()  # one stream at a time: they are large
            train = self.dataset.subset("train")
            self._features[cell.stream, storage] = FeatureSet.load(train, cell.stream, classes, storage=storage)
        features = self._features[cell.stream, storage]
        return Trainer(features, cell.config, stream=cell.stream, classes=classes, device=self.device, progress=False)

    def train(self, cell: Cell, out: Path, after_epoch: Callable[[int, int], None] = lambda done, goal: None) -> float:
        """Train a cell whose beginning is finished, from where it stands; returns the seconds this took.

        `after_epoch(done, goal)` is told of every epoch, in epochs of the schedule.
        """
        began = time.perf_counter()
        folder = out / cell.folder
        write_json(folder / "cell.json", cell.settings)
        trainer = self.trainer(cell)
        standing = folder / "checkpoint.safetensors"
        if standing.exists():
            trainer.restore(*checkpoint.load(standing, kind="checkpoint"))
        elif cell.beginning is not None:
            start = out / cell.beginning.folder / "checkpoint.safetensors"
            trainer.restore(*checkpoint.load(start, kind="checkpoint"))
        goal, stops = self._schedule(cell, trainer)

        def keep(trainer: Trainer) -> None:
            if trainer.epoch in stops:
                path = folder / f"iteration{stops[trainer.epoch]}.safetensors"
                save_activations(path, stream_activations(trainer, self.test))
            checkpoint.save(standing, *trainer.state(), kind="checkpoint")
            after_epoch(trainer.epoch, goal)

        keep(trainer)  # what the beginning ended with counts, too
        trainer.train(after_epoch=keep, until=goal)
        if cell.part == "whole":
            tensors, header = trainer.state()
            weights = {name: value for name, value in tensors.items() if name.startswith("model.")}
            checkpoint.save(folder / "model.safetensors", weights, header, kind="checkpoint")
        seconds = time.perf_counter() - began
        finished = {"iterations": sorted(stops.values()), "seconds": seconds, "log": trainer.history}
        write_json(folder / "finished.json", finished)
        if cell.part == "whole":
            standing.unlink()
        return seconds

    @staticmethod
    def _schedule(cell: Cell, trainer: Trainer) -> tuple[int, dict[int, int]]:
        """The epoch at which the cell ends, and the epochs after which it is tested -> their iteration."""
        phases = cell.config.phases
        if cell.part == "base":
            return phases.base_epochs, {}
        if cell.part == "supplementary":
            return phases.base_epochs + phases.supplementary_epochs, {}
        stops = {epoch: iteration for iteration, epoch in iteration_ends(trainer.phases).items()}
        return total_epochs(trainer.phases), stops
