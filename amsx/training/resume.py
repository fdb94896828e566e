"""What a run directory knows of its beginning, so that `--resume RUN` alone continues it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from amsx.data.layouts import read_dataset
from amsx.data.synthetic import SYNTHETIC, SyntheticConfig, make_dataset
from amsx.data.validation import hold_out
from amsx.data.videos import Dataset
from amsx.training.run_directory import RunDescription, read_run

ADD = "where it was read with --data-option or --validation, add them"


def dataset_of_run(
    run: Path | str,
    *,
    data: Path | str | None = None,
    layout: str | None = None,
    options: Mapping[str, Any] | None = None,
    validation: float | None = None,
    say: Callable[[str], None] = print,
) -> Dataset:
    """The data set that a run was begun with, read again as it was read then.

    data: where the features lie, if they have moved. layout, options, validation: how they are read and what is held
    out, in place of what the run recorded.

    FileNotFoundError where there is no run, or where its data is not where it was and `data` is not given. ValueError
    where `data` is another folder than the run's, which is still there, and where the data was made in memory.
    """
    described = read_run(run).data
    if described.options is None:
        say(f"{run} does not record how its data was read; {ADD}")
    asked = dict(options or described.options or {})
    if described.root is None:
        if described.layout != SYNTHETIC:
            raise ValueError(f"{run} was trained on data made in memory; expected the data set")
        dataset = make_dataset(SyntheticConfig(**asked))
    else:
        root = _root(run, described.root, data, say)
        dataset = read_dataset(root, layout or described.layout, **asked)
    if validation is not None:
        return hold_out(dataset, validation)
    if described.held_out is not None:
        return hold_out(dataset, described.held_out.share, seed=described.held_out.seed)
    return dataset


def _root(run: Path | str, recorded: str, given: Path | str | None, say: Callable[[str], None]) -> Path:
    """Where the features of a run lie: where they lay, or in the folder that is given."""
    if given is None:
        if not Path(recorded).is_dir():
            raise FileNotFoundError(
                f"{run} was begun with the data in {recorded}, where no folder is; where it has moved, give DATA, too: "
                f"amsx train DATA --resume {run}"
            )
        return Path(recorded)
    moved = Path(given).resolve()
    if str(moved) != recorded:
        say(f"{run} was begun with the data in {recorded}; it is read from {moved}")
    return Path(given)


def refusal_to_resume(run: Path, begun: RunDescription, asked: RunDescription) -> str | None:
    """Why a run cannot go on as it is asked to; None where it can. Data may have moved since, but not changed."""
    moved = begun.data.root is not None and begun.data.root != asked.data.root and not Path(begun.data.root).is_dir()
    changed = [line for line in begun.changes_to(asked) if not (moved and line.startswith("data.root "))]
    if not changed:
        return None
    add = "" if begun.data.options is not None else f" (the run does not record how its data was read; {ADD})"
    return f"{run} was begun with other settings, so it cannot be resumed: {'; '.join(changed)}{add}"
