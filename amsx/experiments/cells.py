"""A cell: one stream trained with one seed under one setting, the unit that tables and figures share and resume.

OUT/cells/<stream>/seed<n>/<part>-<digest>/
    cell.json               the settings that the cell depends on
    checkpoint.safetensors  the state of its training; of a beginning, the state at the end
    iteration<i>.safetensors   the activations of the test videos after iteration i
    model.safetensors       the weights at the end
    finished.json           written last, see `Finished`

The name of a cell is made from the settings that its training depends on, so tables and figures that need the same
training share the cell. Phase zero is a cell of its own (a "beginning"), which all cells with the same phase zero
continue. Settings at their defaults are left out of the name, so that a setting that is added to the configuration
later does not rename older cells.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from amsx.choices import GUIDED
from amsx.files import read_json, visible
from amsx.training.config import TRAINED, Config, to_dict
from amsx.training.epoch_log import EpochRecord

CELLS = "cells"  # the folder in OUT
SETTINGS_FILE, FINISHED_FILE = "cell.json", "finished.json"
CHECKPOINT_FILE, MODEL_FILE = "checkpoint.safetensors", "model.safetensors"

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

    @cached_property  # asked for every cell at every event of a training
    def folder(self) -> Path:
        """The folder of the cell, relative to OUT."""
        default = to_dict(Config())
        chosen = {
            f"{section}.{name}": value
            for section, fields in self.settings.items()
            for name, value in fields.items()
            if value != default[section][name]
        }
        digest = hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()[:12]
        return Path(CELLS, self.stream, f"seed{self.seed}", f"{self.part}-{digest}")

    @property
    def label(self) -> str:
        """The cell's name in messages."""
        return f"{self.stream}, seed {self.seed}, {self.folder.name}"

    @property
    def settings(self) -> dict[str, dict[str, Any]]:
        """The settings that the cell's training and its activations depend on, by section."""
        config = self.config
        trained = {section: dict(fields) for section, fields in to_dict(config).items() if section in TRAINED}
        unused: set[str] = set()
        if not self._samples:
            unused |= {f"sampling.{name}" for name in trained["sampling"]}
        if config.sampling.weights not in GUIDED:
            unused |= {"sampling.eta", "sampling.aggregate", "sampling.normalize"}
        if config.sampling.weights != "erase":
            unused |= {"sampling.erase_threshold"}
        if config.sampling.mode == "continuous":
            unused |= {"sampling.interp_factor"}
        if self.part != "whole":  # there are no pseudo-labels yet, and nothing is tested
            unused |= {"sampling.class_threshold", "phases.alternate_epochs", "phases.iterations"}
        if not self._pseudo_labels:
            unused |= {
                "loss.localization_weight",
                "loss.pseudo_threshold",
                "loss.pseudo_threshold_of",
                "loss.confidence",
                "loss.teacher_decay",
                "loss.exclusive_targets",
            }
            unused |= {"phases.supervision"} if self.part != "whole" else set()
        if self._base_alone:
            unused |= {"phases.supplementary_epochs", "phases.sampler", "phases.supervision"}
        if self.part == "base":
            unused |= {"phases.branches"}
        if not config.model.attention:
            unused |= {"loss.sparsity_weight"}
        if config.stopping.on == "none":
            unused |= {f"stopping.{name}" for name in trained["stopping"]} - {"stopping.on"}
        elif self.part == "whole":  # the choice of the epoch depends on how detections are made and scored
            everything = to_dict(config)
            trained |= {section: everything[section] for section in ("localization", "evaluation")}
            unused |= {"localization.beta", "localization.weights"}  # an epoch is chosen for every stream alone
        return {
            section: {name: value for name, value in fields.items() if f"{section}.{name}" not in unused}
            for section, fields in trained.items()
        }

    @cached_property
    def beginning(self) -> "Cell | None":
        """The cell that this one continues; None: it starts from new weights."""
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
    def _pseudo_labels(self) -> bool:
        return self.part == "whole" and not self._base_alone and self.config.phases.supervision != "none"


@dataclass(frozen=True)
class Finished:
    """The content of a cell's finished.json."""

    iterations: tuple[int, ...]  # the iterations after which the test videos' activations were saved, in order
    seconds: float  # the time that the training took
    log: Sequence[EpochRecord]  # one for every epoch

    def to_json(self) -> dict[str, Any]:
        """The content of finished.json."""
        return {
            "iterations": list(self.iterations),
            "seconds": self.seconds,
            "log": [record.to_json() for record in self.log],
        }


@dataclass(frozen=True)
class CellFolder:
    """A cell on disk, whatever the configuration that it was trained with."""

    folder: Path  # relative to OUT
    stream: str
    part: str
    settings: Mapping[str, Mapping[str, Any]]  # as of `Cell.settings`
    finished: Finished | None  # None: its training has not ended yet


def iteration_file(folder: Path, iteration: int) -> Path:
    """The file in a cell's folder with the test videos' activations after an iteration."""
    return folder / f"iteration{iteration}.safetensors"


def read_finished(folder: Path) -> Finished:
    """Read the finished.json of a cell's folder; FileNotFoundError where its training did not end yet."""
    values = read_json(folder / FINISHED_FILE)
    return Finished(
        tuple(values["iterations"]), values["seconds"], [EpochRecord.from_json(epoch) for epoch in values["log"]]
    )


def read_cells(out: Path) -> list[CellFolder]:
    """Every cell in `out`, by stream, seed and name."""
    cells = []
    for path in visible(out / CELLS, f"*/seed*/*/{SETTINGS_FILE}"):
        folder = path.parent
        finished = read_finished(folder) if (folder / FINISHED_FILE).exists() else None
        stream, part = folder.parents[1].name, folder.name.partition("-")[0]
        cells.append(CellFolder(folder.relative_to(out), stream, part, read_json(path), finished))
    return cells


def is_finished(cell: Cell, out: Path) -> bool:
    """Whether the cell needs no training; ValueError where its folder holds other settings."""
    path = out / cell.folder / SETTINGS_FILE
    if not path.exists():
        return False
    saved, wanted = read_json(path), cell.settings
    for section, fields in saved.items():
        for name, value in fields.items():
            if wanted.get(section, {}).get(name) != value:
                raise ValueError(f"{path.parent} holds another cell: {section}.{name} is {value!r} there")
    return (path.parent / FINISHED_FILE).exists()


def unfinished(cells: Sequence[Cell], out: Path) -> list[Cell]:
    """The cells that must be trained for `cells`, each once, and beginnings before the cells that continue them."""
    needed: dict[Path, Cell] = {}

    def add(cell: Cell) -> None:
        if cell.folder in needed or is_finished(cell, out):
            return
        if cell.beginning is not None:
            add(cell.beginning)
        needed[cell.folder] = cell

    for cell in cells:
        add(cell)
    return list(needed.values())
