"""Training in one call, as `amsx train` does it: read the data, choose the settings, train, test."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from amsx.data.layouts import read_dataset
from amsx.data.videos import Dataset
from amsx.files import read_json
from amsx.model.backbone_class import backbone_class, import_backbone, name_of
from amsx.training.config import Config, from_dict, override
from amsx.training.presets import Preset, for_dataset
from amsx.training.run import RunResult, train_run

_BACKBONE = "model.backbone"


def train(
    data: Dataset | Path | str,
    out: Path | str,
    *,
    preset: Preset | None = None,
    config: Config | Path | str | None = None,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    backbone: type[nn.Module] | str | None = None,
    streams: Sequence[str] | None = None,
    layout: str | None = None,
    data_options: Mapping[str, Any] | None = None,
    resume: bool = False,
    device: str | None = None,
    progress: bool = True,
    tensorboard: bool = False,
    say: Callable[[str], None] = print,
) -> RunResult:
    """Train AMS on a data set, test the last epoch, and write a run directory to `out`; `amsx.load` loads it.

    data: a folder in any layout, or a data set in memory.

    preset, config: where the settings start, as in `choose_config`.

    overrides: changes of single settings, such as "loss.localization_weight=0.5".

    seed: of everything random; it takes the place of `optimization.seed`.

    backbone: a class of your own for the branches, or its name "package.module:Class", in place of `model.backbone`.

    streams: the streams to train (default: all).

    layout, data_options: how a folder is read (default: recognized from its files), and the options of its reader.

    resume: continue an interrupted run in the same folder, which then has the result that it would have had.

    device: "cpu", "cuda" or "cuda:N" (default: cuda where torch sees a GPU).

    progress, tensorboard: whether progress bars are shown, and whether the log is written for TensorBoard, too.

    say: is told what the reader and the settings make of the data.

    Errors are those of `amsx.data.layouts.read_dataset`, `choose_config` and `amsx.training.run.train_run`.
    """
    if isinstance(data, Dataset):
        if layout is not None or data_options:
            raise ValueError("layout and data_options say how a folder is read; got a data set, which is read already")
        dataset = data
    else:
        dataset = read_dataset(data, layout, **(data_options or {}))
    chosen, notes = choose_config(
        dataset, preset=preset, config=config, overrides=overrides, seed=seed, backbone=backbone, streams=streams
    )
    for note in (*dataset.notes, *notes):
        say(note)
    return train_run(
        dataset,
        chosen,
        out,
        streams=streams,
        resume=resume,
        device=device,
        progress=progress,
        tensorboard=tensorboard,
        say=say,
    )


def choose_config(
    dataset: Dataset,
    *,
    preset: Preset | None = None,
    config: Config | Path | str | None = None,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    backbone: type[nn.Module] | str | None = None,
    streams: Sequence[str] | None = None,
) -> tuple[Config, list[str]]:
    """The configuration to train `dataset` with, and notes on what it makes of the data.

    It starts from `config`, which may be the config.json of another run, or from a preset (default: chosen by the
    data), and is changed by `seed`, `backbone` and `overrides`. ValueError where both are given, and for unknown
    settings.

    The module of a backbone is imported where `backbone` or `overrides` name it. ValueError where that fails, and where
    `config` alone names it and the program has not imported it.
    """
    given = [] if seed is None else [f"optimization.seed={seed}"]
    given += [] if backbone is None else [f"{_BACKBONE}={name_of(backbone)}"]
    given += overrides
    chosen, notes = _start(dataset, preset, config, given, streams)
    named = any(assignment.partition("=")[0].strip() == _BACKBONE for assignment in given)
    (import_backbone if named else backbone_class)(chosen.model.backbone)
    return chosen, notes


def _start(
    dataset: Dataset,
    preset: Preset | None,
    config: Config | Path | str | None,
    overrides: Sequence[str],
    streams: Sequence[str] | None,
) -> tuple[Config, list[str]]:
    if config is None:
        return for_dataset(dataset, preset, overrides, streams)
    if preset is not None:
        raise ValueError("--config and --preset both say where to start from; expected one of them")
    if not isinstance(config, Config):
        values = read_json(config)
        if isinstance(values, dict):
            values = values.get("config", values)  # a run's config.json also holds the data
        config = from_dict(values)
    return override(config, overrides), []
