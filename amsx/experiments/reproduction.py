"""What `amsx reproduce` left in a folder, gathered for a report: tables and figures with every seed, and trainings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amsx.files import read_json

RESULTS = ("table3", "table4", "table5", "figure4", "figure5")
KEYS = {"key", "title", "protocol", "tiou", "data", "thumos14", "config", "seeds", "rows"}  # of a result's JSON file
STRIPS = "figure6"  # a folder with a folder of pictures for every stream


@dataclass(frozen=True)
class Training:
    """Cells that differ in nothing but their seed."""

    stream: str
    part: str  # "whole", or what of the schedule's beginning it is
    settings: tuple[str, ...]  # "section.key=value" where it differs from what all rows have in common
    folders: tuple[Path, ...]  # one a seed, relative to the reproduced folder
    seconds: tuple[float, ...]  # of the finished ones


@dataclass(frozen=True)
class Reproduced:
    """One folder of `amsx reproduce`."""

    folder: Path
    data: Mapping[str, Any]  # config.json's
    results: tuple[Mapping[str, Any], ...]  # as table3.json and its like hold them
    strips: Mapping[str, Sequence[Path]]  # stream -> the pictures of single videos, SVG
    trainings: tuple[Training, ...]


def told_apart(folders: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Run directories, and folders of `amsx reproduce`; FileNotFoundError for a folder that is neither."""
    runs, reproduced = [], []
    for folder in folders:
        if _has_results(folder) or _has_cells(folder):
            reproduced.append(folder)
        elif (folder / "config.json").is_file() and not (folder / "cells").exists():
            runs.append(folder)
        else:
            raise FileNotFoundError(
                f"{folder} is neither a run directory of amsx train (no config.json and streams) nor a folder of amsx "
                "reproduce (no table3.json, figure4.json, ...)"
            )
    return runs, reproduced


def read_reproduced(folder: Path) -> Reproduced:
    """Read a folder that `told_apart` takes for one of `amsx reproduce`.

    FileNotFoundError where no table or figure is finished in it; ValueError where a file in it is another program's.
    """
    if not _has_results(folder):
        raise FileNotFoundError(f"{folder} has no finished table or figure; amsx reproduce goes on where it stood")
    described = read_json(folder / "config.json")
    return Reproduced(
        folder=folder,
        data=described["data"],
        results=tuple(_result(path) for key in RESULTS if (path := folder / f"{key}.json").exists()),
        strips={
            stream: found
            for stream in described["data"]["streams"]
            if (found := sorted((folder / STRIPS / stream).rglob("*.svg")))
        },
        trainings=_trainings(folder, described["config"]),
    )


def _has_results(folder: Path) -> bool:
    return any((folder / name).exists() for name in (*(f"{key}.json" for key in RESULTS), STRIPS))


def _has_cells(folder: Path) -> bool:
    return (folder / "cells").is_dir() and not (folder / "search.json").exists()  # that is amsx tune's


def _result(path: Path) -> Mapping[str, Any]:
    result = read_json(path)
    if not isinstance(result, dict) or not result.keys() >= KEYS:
        raise ValueError(f"{path} was not written by amsx reproduce; expected the keys {', '.join(sorted(KEYS))}")
    return result


def _trainings(folder: Path, config: Mapping[str, Mapping[str, Any]]) -> tuple[Training, ...]:
    gathered: dict[tuple[str, str, tuple[str, ...]], list[Path]] = {}
    for path in sorted((folder / "cells").glob("*/seed*/*/cell.json")):
        cell = path.parent
        kept = read_json(path)
        settings = tuple(
            f"{section}.{name}={value}"
            for section, fields in kept.items()
            for name, value in fields.items()
            if name != "seed" and value != config[section].get(name)
        )
        key = (cell.parents[1].name, cell.name.partition("-")[0], settings)
        gathered.setdefault(key, []).append(cell)
    return tuple(
        Training(
            *key,
            folders=tuple(cell.relative_to(folder) for cell in cells),
            seconds=tuple(
                read_json(cell / "finished.json")["seconds"] for cell in cells if (cell / "finished.json").exists()
            ),
        )
        for key, cells in sorted(gathered.items(), key=lambda item: (item[0][0], item[0][1] != "whole", item[0][1:]))
    )
