"""A folder of `amsx reproduce`: which files it holds, and reading them.

OUT/config.json                the data and the settings that all rows have in common
OUT/ground_truth.json          the test videos' annotation, ActivityNet form
OUT/cells/...                  what is trained; see `amsx.experiments.cells`
OUT/table3.json, .txt, .md     a table's scores: JSON with every seed, text, Markdown
OUT/readings.json, .txt, .md   the same of the readings of the paper
OUT/figure4.json, .png, .svg   a figure's scores, as those of a table, and its picture
OUT/figure6/<stream>/<video>.png, .svg   the strips of single videos
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amsx.experiments.cells import CELLS, CellFolder, read_cells
from amsx.experiments.plans import FIGURES, TABLES
from amsx.experiments.results import Result, read_result
from amsx.experiments.tuning import SEARCH_FILE
from amsx.files import read_json, visible

STRIPS = FIGURES[6].key
READINGS = "readings"
SCORED = (*(plan.key for plan in (*TABLES.values(), *FIGURES.values()) if plan.key != STRIPS), READINGS)


@dataclass(frozen=True)
class Training:
    """Cells that differ in nothing but their seed."""

    stream: str
    part: str  # "whole", or what of the schedule's beginning it is
    settings: tuple[str, ...]  # "section.key=value" where it differs from the settings that all rows share
    folders: tuple[Path, ...]  # of the cells, one a seed, relative to OUT
    seconds: tuple[float, ...]  # the training time of each finished cell


@dataclass(frozen=True)
class Reproduction:
    """The content of one folder of `amsx reproduce`."""

    folder: Path
    data: Mapping[str, Any]  # what config.json says of the data
    results: tuple[Result, ...]  # the tables, then the figures
    strips: Mapping[str, Sequence[Path]]  # stream -> the pictures of single videos, SVG
    trainings: tuple[Training, ...]


def result_file(out: Path, key: str, suffix: str = "json") -> Path:
    """The file of a table or figure such as "table3" in a folder of `amsx reproduce`, in one of its forms."""
    return out / f"{key}.{suffix}"


def strips_folder(out: Path, stream: str) -> Path:
    """The folder with the pictures of Fig. 6 for a stream, in a folder of `amsx reproduce`."""
    return out / STRIPS / stream


def sort_folders(folders: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Run directories, and folders of `amsx reproduce`; FileNotFoundError for a folder that is neither."""
    runs, reproductions = [], []
    for folder in folders:
        if _has_results(folder) or _has_cells(folder):
            reproductions.append(folder)
        elif (folder / "config.json").is_file() and not (folder / CELLS).exists():
            runs.append(folder)
        else:
            raise FileNotFoundError(
                f"{folder} is neither a run directory of amsx train (no config.json and streams) nor a folder of amsx "
                "reproduce (no table3.json, figure4.json, ...)"
            )
    return runs, reproductions


def read_reproduction(folder: Path) -> Reproduction:
    """Read a folder that `sort_folders` takes for one of `amsx reproduce`.

    FileNotFoundError where no table or figure is finished in it; ValueError where a file in it is another program's.
    """
    if not _has_results(folder):
        raise FileNotFoundError(f"{folder} has no finished table or figure; amsx reproduce goes on where it stood")
    described = read_json(folder / "config.json")
    pictures = {stream: visible(strips_folder(folder, stream), "**/*.svg") for stream in described["data"]["streams"]}
    return Reproduction(
        folder=folder,
        data=described["data"],
        results=tuple(read_result(path) for key in SCORED if (path := result_file(folder, key)).exists()),
        strips={stream: paths for stream, paths in pictures.items() if paths},
        trainings=_trainings(read_cells(folder), described["config"]),
    )


def _has_results(folder: Path) -> bool:
    return (folder / STRIPS).exists() or any(result_file(folder, key).exists() for key in SCORED)


def _has_cells(folder: Path) -> bool:
    return (folder / CELLS).is_dir() and not (folder / SEARCH_FILE).exists()  # `amsx tune` has cells, too


def _trainings(cells: Sequence[CellFolder], config: Mapping[str, Mapping[str, Any]]) -> tuple[Training, ...]:
    """The cells gathered over their seeds; `config` is what all rows have in common."""
    gathered: dict[tuple[str, str, tuple[str, ...]], list[CellFolder]] = {}
    for cell in cells:
        settings = tuple(
            f"{section}.{name}={value}"
            for section, fields in cell.settings.items()
            for name, value in fields.items()
            if name != "seed" and value != config[section].get(name)
        )
        gathered.setdefault((cell.stream, cell.part, settings), []).append(cell)
    return tuple(
        Training(
            *key,
            folders=tuple(cell.folder for cell in members),
            seconds=tuple(cell.finished.seconds for cell in members if cell.finished is not None),
        )
        for key, members in sorted(gathered.items(), key=lambda item: (item[0][0], item[0][1] != "whole", item[0][1:]))
    )
