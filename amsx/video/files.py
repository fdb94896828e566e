"""Which files are videos, and the ids that their features get."""

import unicodedata
from collections.abc import Sequence
from pathlib import Path

from amsx.file_names import VIDEO_SUFFIXES, video_file_fault
from amsx.files import is_hidden


def video_files(inputs: Sequence[Path], *, flat: bool = False) -> tuple[dict[str, Path], int]:
    """Id -> video file of every input, and how many files of folders are left out, because no suffix calls them videos.

    A file that is named is taken whatever its suffix; its id is its name without the suffix. Of a folder, all video
    files below it are taken; their ids are their paths in the folder without the suffix, with slashes, or with `flat`
    their names alone. FileNotFoundError for an input that does not exist. ValueError where two files have one id, an id
    cannot be the name of a file, and where there is no video.
    """
    found: dict[str, Path] = {}
    plain: dict[str, str] = {}  # the id as a file system sees it that does not tell cases apart -> id
    ignored = 0

    def add(name: str, path: Path) -> None:
        if fault := video_file_fault(name, ".npy"):
            raise ValueError(f"{path}: its name cannot be a video's id: {fault}")
        folded = unicodedata.normalize("NFC", name).casefold()
        if folded in plain:
            other = found[plain[folded]]
            hint = " (without --flat, their folders tell them apart)" if flat else ""
            raise ValueError(f"{other} and {path} would both have the id {name!r}; rename one of them{hint}")
        plain[folded] = name
        found[name] = path

    for given in inputs:
        if given.is_dir():
            for path in sorted(given.rglob("*")):
                inside = path.relative_to(given)
                if any(map(is_hidden, inside.parts)) or not path.is_file():
                    continue
                if path.suffix.lower() in VIDEO_SUFFIXES:
                    add(path.stem if flat else inside.with_suffix("").as_posix(), path)
                else:
                    ignored += 1
        elif given.exists():
            add(given.stem, given)
        else:
            raise FileNotFoundError(f"no such file or folder: {given}")
    if not found:
        raise ValueError(
            f"no video in {', '.join(map(str, inputs))}: expected files that end in .mp4, .mkv, .avi, .webm, .mov or "
            "another suffix of videos; a file that is named itself is taken whatever its suffix"
        )
    return found, ignored
