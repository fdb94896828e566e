"""Ids as the names of files: of pictures, which amsx names, and of features, which layouts name after their videos.

Like `amsx.files`, this module imports nothing above the ground floor.
"""

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from amsx.files import is_hidden

LONGEST = 255  # bytes of a name, with its suffix, on the file systems in use
READABLE = 160  # bytes of the readable part of a long picture's name

VIDEO_SUFFIXES = {  # of files that are videos, in lower case
    ".3g2",
    ".3gp",
    ".asf",
    ".avi",
    ".divx",
    ".dv",
    ".f4v",
    ".flv",
    ".gif",
    ".m2ts",
    ".m2v",
    ".m4v",
    ".mjpg",
    ".mkv",
    ".mov",
    ".mp4",
    ".mpe",
    ".mpeg",
    ".mpg",
    ".mts",
    ".mxf",
    ".ogm",
    ".ogv",
    ".qt",
    ".rm",
    ".rmvb",
    ".ts",
    ".vob",
    ".webm",
    ".wmv",
    ".y4m",
}

Thing = tuple[str, ...]  # what a picture shows, by its names: (video id,) or (video id, class)


def picture_names(things: Iterable[Thing]) -> dict[Thing, str]:
    """Thing -> the name of its picture without a suffix; no two things share one, on no file system.

    A name is the thing's parts with "-" between them, in which "_" stands for what is not a letter, a digit or one of
    `_.-`. A digest of the parts ends it where it would be too long, and where names would be equal or would differ in
    nothing but case, which some file systems do not tell apart. Of such names the one that needed no "_" stays.
    """
    every = list(dict.fromkeys(things))
    plain = {thing: "-".join(re.sub(r"[^\w.-]+", "_", part) or "_" for part in thing) for thing in every}
    plain = {thing: f"_{name}" if is_hidden(name) else name for thing, name in plain.items()}
    alike: dict[str, list[Thing]] = {}
    for thing in every:
        alike.setdefault(_folded(plain[thing]), []).append(thing)
    names: dict[Thing, str] = {}
    for equals in alike.values():
        untouched = [thing for thing in equals if "-".join(thing) == plain[thing]]
        stays = equals if len(equals) == 1 else untouched if len(untouched) == 1 else []
        names |= {thing: plain[thing] for thing in stays if len(plain[thing].encode()) <= READABLE}
    taken = {_folded(name) for name in names.values()}
    for thing in every:
        if thing not in names:
            names[thing] = _with_digest(plain[thing], thing, taken)
            taken.add(_folded(names[thing]))
    return {thing: names[thing] for thing in every}


def video_file(folder: Path, name: str, suffix: str) -> Path:
    """`folder`/<id><suffix>, the file of the video with the id `name`, in which a slash stands for a folder below.

    ValueError where the id cannot be the name of a file below the folder.
    """
    fault = video_file_fault(name, suffix)
    if fault:
        raise ValueError(f"video id {shown(name)} cannot be the name of a file in {folder}: {fault}")
    return folder / f"{name}{suffix}"


def video_file_fault(name: str, suffix: str = "") -> str | None:
    """Why no file below a folder can be called <id><suffix>, where a slash stands for a folder; None if it can."""
    parts = name.split("/")
    if not name:
        return "it is empty"
    if name.startswith("/"):
        return "it begins with a slash"
    if any(part in (".", "..") for part in parts):
        return "a part of it is '.' or '..'"
    if not all(parts):
        return "it has a slash at its end, or two in a row"
    if "\0" in name:
        return "it holds a NUL"
    try:
        longest = max(len(os.fsencode(f"{part}{suffix}")) for part in parts)
    except UnicodeEncodeError:
        return "it holds half of a surrogate pair, which is no character"
    return f"it takes {longest} bytes, more than {LONGEST}" if longest > LONGEST else None


def folder_name_fault(name: str) -> str | None:
    """Why no folder can be called `name`; None if one can."""
    return video_file_fault(name) or ("it holds a slash" if "/" in name else None)


def _with_digest(name: str, thing: Sequence[str], taken: set[str]) -> str:
    """The beginning of `name` with a digest of the parts behind it, as long as no `taken` name needs it to be."""
    digest = hashlib.sha256("\0".join(thing).encode("utf-8", "surrogatepass")).hexdigest()
    begin = name.encode()[:READABLE].decode(errors="ignore")
    candidates = (f"{begin}-{digest[:size]}" for size in range(8, len(digest) + 1))
    return next(candidate for candidate in candidates if _folded(candidate) not in taken)


def _folded(name: str) -> str:
    """The name as a file system sees it that tells neither case nor forms of Unicode apart."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def shown(name: str) -> str:
    """The name quoted for a message, no more than the beginning of a long one."""
    return repr(name if len(name) <= 80 else name[:80] + "...")
