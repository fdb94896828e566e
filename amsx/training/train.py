"""Training in one call, as `amsx train` does it: read the data, choose the settings, train, test."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from amsx.data.layouts import read_dataset
from amsx.data.validation import hold_out
from amsx.data.videos import Dataset
from amsx.files import read_json
from amsx.model.backbone_class import backbone_class, import_backbone, name_of
from amsx.training.config import Config, from_dict, override
from amsx.training.presets import Preset, for_dataset
from amsx.training.ranks import first_speaks
from amsx.training.resume import dataset_of_run
from amsx.training.run import RunResult, train_run
from amsx.training.run_directory import RunDescription, read_run

_BACKBONE = "model.backbone"


@first_speaks()
def train(
    data: Dataset | Path | str | None = None,
    out: Path | str | None = None,
    *,
    preset: Preset | None = None,
    config: Config | Path | str | None = None,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    backbone: type[nn.Module] | str | None = None,
    streams: Sequence[str] | None = None,
    layout: str | None = None,
    data_options: Mapping[str, Any] | None = None,
    validation: float | None = None,
    resume: bool | Path | str = False,
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

    validation: the share of the training videos that is held out, where the folder has no test videos.

    resume: continue an interrupted run, which then has the result that it would have had: True for the one in `out`, or
    its folder in place of `out`. What the run was begun with need not be repeated; `data` says where its data has moved
    to, or is the data set in memory. What is given has to agree with the run.

    device: "cpu", "cuda" or "cuda:N" (default: cuda where torch sees a GPU).

    progress, tensorboard: whether progress bars are shown, and whether the log is written for TensorBoard, too.

    say: is told what the reader and the settings make of the data.

    Errors are those of `amsx.data.layouts.read_dataset`, `choose_config` and `amsx.training.run.train_run`.
    """
    if not isinstance(resume, bool):
        if out is not None and Path(out) != Path(resume):
            raise ValueError(f"the run to resume is {resume}, and out is {out}; expected one of them")
        out = resume
    if out is None:
        raise ValueError("nothing says which folder to write; expected out, or the folder of the run to resume")
    if isinstance(resume, bool):
        begun = begun_run(out) if resume else None
    else:
        begun = read_run(out)
    dataset: Dataset
    if isinstance(data, Dataset):
        if layout is not None or data_options:
            raise ValueError("layout and data_options say how a folder is read; got a data set, which is read already")
        dataset = data if validation is None else hold_out(data, validation)
    elif begun is not None:
        dataset = dataset_of_run(out, data=data, layout=layout, options=data_options, validation=validation, say=say)
    elif data is None:
        raise ValueError("nothing says what to train on; expected data, or the run to resume")
    else:
        dataset = read_dataset(data, layout, **(data_options or {}))
        if validation is not None:
            dataset = hold_out(dataset, validation)
    if begun is not None and streams is None:
        streams = begun.data.streams
    chosen, notes = choose_config(
        dataset,
        preset=preset,
        config=config,
        overrides=overrides,
        seed=seed,
        backbone=backbone,
        streams=streams,
        begun=begun,
    )
    for note in (*dataset.notes, *notes):
        say(note)
    result = train_run(
        dataset,
        chosen,
        out,
        streams=streams,
        resume=bool(resume),
        device=device,
        progress=progress,
        tensorboard=tensorboard,
        say=say,
    )
    for warning in result.warnings:
        say(f"warning: {warning}")
    return result


def choose_config(
    dataset: Dataset,
    *,
    preset: Preset | None = None,
    config: Config | Path | str | None = None,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    backbone: type[nn.Module] | str | None = None,
    streams: Sequence[str] | None = None,
    begun: RunDescription | None = None,
) -> tuple[Config, list[str]]:
    """The configuration to train `dataset` with, and notes on what it makes of the data.

    It starts from `config`, which may be the config.json of another run, or from a preset (default: that of `begun`, a
    run to resume, or else chosen by the data), and is changed by `seed`, `backbone` and `overrides`. ValueError where
    both are given, and for unknown settings.

    The module of a backbone is imported where `backbone` or `overrides` name it. ValueError where that fails, and where
    `config` alone names it and the program has not imported it.
    """
    given = [] if seed is None else [f"optimization.seed={seed}"]
    given += [] if backbone is None else [f"{_BACKBONE}={name_of(backbone)}"]
    given += overrides
    if config is None and preset is None and begun is not None:
        config = begun.config
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
        config = read_config(config)
    return override(config, overrides), []


def read_config(path: Path | str) -> Config:
    """The configuration in a JSON file, which may be the config.json of a run."""
    values = read_json(path)
    if isinstance(values, dict):
        values = values.get("config", values)  # a run's config.json also holds the data
    return from_dict(values)


def begun_run(out: Path | str) -> RunDescription | None:
    """The run in the folder `out`, if there is one."""
    return read_run(out) if (Path(out) / "config.json").exists() else None
