"""The folders of a run's retests: RUN/retest, RUN/retest-2, RUN/retest-3, ..., or RUN/retest-<name>.

`amsx test --set` writes one for every choice of settings, and none over another. A retest holds what a test writes, and
its own config.json.
"""

from dataclasses import dataclass
from itertools import count
from pathlib import Path

from amsx.file_names import folder_name_fault
from amsx.files import read_json, visible
from amsx.training.config import differences
from amsx.training.run_directory import RunDescription, read_run

RETEST = "retest"


@dataclass(frozen=True)
class Retest:
    """One retest of a run."""

    name: str  # of its folder
    changes: tuple[str, ...]  # "section.key: value of the run, value of the retest"
    average: float | None  # average mAP of all streams fused, percent; None: no test video is annotated


def is_retest(name: str) -> bool:
    """Whether a folder of this name in a run is a retest's."""
    return name == RETEST or name.startswith(f"{RETEST}-")


def retest_folder(run: Path, described: RunDescription, name: str | None = None) -> tuple[Path, bool]:
    """The folder for a retest of `run` as `described`, and whether it holds such a retest already.

    That is RUN/retest-<name> where a name is given, else the folder with these settings, else the next free one.
    ValueError where the named folder holds other settings, and where the name cannot be one of a folder.
    """
    if name is not None:
        if fault := folder_name_fault(name):
            raise ValueError(f"--name {name!r}: {fault}")
        folder = run / f"{RETEST}-{name}"
        held = _held(folder)
        if held is not None and (changed := held.changes_to(described)):
            raise ValueError(f"{folder} is a retest with other settings ({'; '.join(changed)}); choose another --name")
        return folder, held is not None
    for number in count(1):
        folder = run / (RETEST if number == 1 else f"{RETEST}-{number}")
        held = _held(folder)
        if held is None:
            if not folder.exists():
                return folder, False
        elif not held.changes_to(described):
            return folder, True
    raise AssertionError("the numbers never end")


def read_retests(run: Path) -> list[Retest]:
    """The finished retests of a run, in the order of their names."""
    own = read_run(run).config
    retests = []
    for folder in (path for path in visible(run, f"{RETEST}*") if is_retest(path.name)):
        held = _held(folder)
        if held is not None and (folder / "predictions.json").is_file():
            metrics = folder / "metrics.json"
            average = read_json(metrics)["average"] if metrics.is_file() else None
            retests.append(Retest(folder.name, tuple(differences(own, held.config)), average))
    return retests


def _held(folder: Path) -> RunDescription | None:
    return read_run(folder) if (folder / "config.json").is_file() else None
