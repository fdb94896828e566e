"""Options that several commands share: how DATA is read, where a configuration starts, which streams are trained."""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from amsx.cli.arguments import SettingsAction
from amsx.data.layouts import layout_names, read_dataset
from amsx.data.synthetic import SYNTHETIC, SyntheticConfig, make_dataset
from amsx.data.videos import Dataset
from amsx.training.presets import Preset

if TYPE_CHECKING:
    from amsx.training.config import Config
    from amsx.training.run_directory import RunDescription

OWN_BACKBONE = "let the class of the user's that the run's branches have be imported; its name as in RUN/config.json"
DATA = "the directory of features and annotation, or `synthetic` for the built-in set (where no such directory exists)"


def layout_options(command: argparse.ArgumentParser) -> argparse.Action:
    """Add DATA, which is returned, and the options that say how it is read."""
    data = command.add_argument("data", type=Path, metavar="DATA", help=DATA)
    reading_options(command)
    return data


def may_be_left_out(positional: argparse.Action) -> None:
    """Let a command do without a positional argument, which may still stand behind options.

    Before Python 3.12.7, argparse takes none for an argument of the kind "?" or "*" as soon as an option comes.
    """
    positional.required = False


def reading_options(command: argparse._ActionsContainer) -> None:
    """Add the options that say how DATA is read."""
    command.add_argument(
        "--layout", choices=layout_names(), help="the layout of DATA (default: recognized from its files)"
    )
    command.add_argument(
        "--data-option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="an option of the layout's reader, e.g. snippet_seconds=0.4, stride=4 or missing=skip; repeatable",
    )


def data_options(command: argparse.ArgumentParser) -> argparse.Action:
    """Add DATA, which is returned, and the options of commands that train."""
    data = layout_options(command)
    command.add_argument(
        "--stream",
        action="append",
        metavar="NAME",
        help="a stream to train, e.g. rgb; repeatable (default: all; they are trained apart and fused at the end)",
    )
    command.add_argument(
        "--preset", choices=get_args(Preset), help="the settings to start from (default: chosen by the data)"
    )
    command.add_argument("--device", help="cpu, cuda or cuda:N (default: cuda where torch sees a GPU)")
    command.add_argument("--quiet", action="store_true", help="show no progress bars")
    backbone_option(command, "a class of your own for the branches, on Python's path (default: the paper's)")
    set_option(
        command,
        "change one setting, e.g. sampling.eta=1.0; repeatable",
    )
    return data


def backbone_option(command: argparse.ArgumentParser, hint: str) -> None:
    """Add --backbone, explained by `hint`."""
    command.add_argument("--backbone", metavar="MODULE:CLASS", help=hint)


def set_option(command: argparse.ArgumentParser, hint: str) -> None:
    """Add --set, explained by `hint`."""
    command.add_argument(
        "--set",
        action=SettingsAction,
        default=[],
        metavar="SECTION.KEY=VALUE",
        help=f"{hint}; `--set help` lists all settings",
    )


def read_data(options: argparse.Namespace, read: Callable[..., Dataset] = read_dataset) -> Dataset:
    """The data set that DATA, --layout and --data-option name, read by `read` unless it is the built-in one."""
    asked = reader_options(options.data_option)
    if options.data != Path(SYNTHETIC) or options.data.exists():
        return read(options.data, options.layout, **asked)
    known = [field.name for field in fields(SyntheticConfig) if field.name != "streams"]
    if options.layout is not None:
        raise ValueError(f"--layout {options.layout}: the built-in set has none, and there is no folder {SYNTHETIC}")
    if unknown := [name for name in asked if name not in known]:
        raise TypeError(f"the built-in set has no option {unknown[0]!r}; it has {', '.join(known)}")
    return make_dataset(SyntheticConfig(**asked))


def dataset_of(options: argparse.Namespace) -> Dataset:
    """The data set that the options name; its counts and notes are printed."""
    dataset = read_data(options)
    describe_dataset(dataset, options.data)
    return dataset


def describe_dataset(dataset: Dataset, name: Path | str) -> None:
    """Print the counts and the notes of a data set, which is called `name`."""
    counts = ", ".join(f"{len(dataset.subset(s))} {s}" for s in ("train", "test"))
    streams = ", ".join(f"{name} ({width})" for name, width in dataset.dims.items())
    print(f"{name}: layout {dataset.layout}, {counts} videos, {len(dataset.classes)} classes, {streams}")
    for note in dataset.notes:
        print(f"  {note}")


def check_start(options: argparse.Namespace) -> None:
    """Raise for a configuration to start from that cannot be one, before any data is read."""
    if options.config is None:
        return
    if options.preset is not None:
        raise ValueError("--config and --preset both say where to start from; expected one of them")
    from amsx.training.train import read_config

    read_config(options.config)


def config_of(options: argparse.Namespace, dataset: Dataset, begun: "RunDescription | None" = None) -> "Config":
    """The configuration of a command: a preset or the file of --config, changed by --seed and --set.

    A run to resume, `begun`, goes on with its own.

    What these settings make of the data is printed, unless they come from a file.
    """
    from amsx.training.train import choose_config

    seed = getattr(options, "seed", None)  # of commands that train with one
    config, notes = choose_config(
        dataset,
        preset=options.preset,
        config=getattr(options, "config", None),
        overrides=options.set,
        seed=seed,
        backbone=options.backbone,
        streams=streams_of(options),
        begun=begun,
    )
    for note in notes:
        print(f"  {note}")
    return config


def streams_of(options: argparse.Namespace) -> list[str] | None:
    """The streams that --stream names; None: all of them."""
    return None if not options.stream or options.stream == ["all"] else options.stream


def reader_options(assignments: Sequence[str]) -> dict[str, Any]:
    """KEY=VALUE pairs; a value is JSON where it reads as JSON, else text."""
    read: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key:
            raise ValueError(f"--data-option is {assignment!r}; expected KEY=VALUE")
        try:
            read[key] = json.loads(text)
        except json.JSONDecodeError:
            read[key] = text
    return read
