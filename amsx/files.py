"""How amsx reads text and JSON, writes files, and which files of a folder it takes for the user's own.

Text is UTF-8, or UTF-16 or UTF-32 where a byte order mark says so, and lines end in LF, CRLF or CR. JSON has no key
twice in one object. What is written is UTF-8 whatever the locale, and appears whole or not at all.

This module is near the ground floor: of amsx, it imports what puts the system's errors into words.
"""

import codecs
import gc
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from amsx.system_errors import about

# Byte order mark -> encoding. UTF-32 stands before UTF-16, whose mark its own begins with in little-endian files.
MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}

# What operating systems, notebooks and others leave in folders, in lower case; `is_hidden` spells out what else.
LEFT_BEHIND = {"__macosx", ".ds_store", "thumbs.db", "desktop.ini", ".ipynb_checkpoints", ".git", "@eadir"}
LOCK = ".amsx.lock"  # how the names of the lock files of `amsx.locks` end
UNFINISHED = re.compile(r"\..*\.\d+\.partial(\..*)?")  # the names of `written_whole`


def as_text(content: bytes, name: str) -> str:
    """The text in the bytes of a file, without its byte order mark, every line end as "\\n".

    Without a mark the text is UTF-8. ValueError, which begins with `name`, says where the first byte is that is not of
    the encoding, and where there is a NUL, which no text has but UTF-16 without its mark.
    """
    mark = next((mark for mark in MARKS if content.startswith(mark)), b"")
    encoding, content = MARKS.get(mark, "utf-8"), content[len(mark) :]
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        before = _plain_line_ends(content[: error.start].decode(encoding))
        place = f"line {before.count(chr(10)) + 1}, column {len(before) - before.rfind(chr(10))}"
        raise ValueError(
            f"{name}, {place}: the byte 0x{content[error.start]:02x} is not {encoding.upper()}; expected text in UTF-8 "
            "(`iconv -f latin1 -t utf-8 FILE > NEW` converts a file that is in Latin-1)"
        ) from None
    if "\0" in text:
        raise ValueError(f"{name}: holds NUL bytes; expected text in UTF-8, or in UTF-16 with its byte order mark")
    return _plain_line_ends(text)


def _plain_line_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def read_text(path: Path | str) -> str:
    """The text of a file, as from `as_text`. FileNotFoundError and ValueError name the file."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}" + (" (it is a folder)" if path.is_dir() else ""))
    return as_text(path.read_bytes(), str(path))


def read_names(path: Path | str) -> list[str]:
    """The names in a text file that has one a line, without the spaces around them; empty lines are passed over.

    A name may hold spaces, commas and `#`: there are no comments. Errors are those of `read_text`.
    """
    return [line.strip() for line in read_text(path).split("\n") if line.strip()]


@contextmanager
def collection_paused() -> Iterator[None]:
    """Pause Python's search for garbage, which goes through all objects again and again while millions are made."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def parse_json(text: str) -> Any:
    """Parse `text` as JSON in which no object has a key twice; ValueError otherwise.

    Of two entries for one video Python's own parser would keep the last, in silence.
    """
    try:
        return json.loads(text, object_pairs_hook=_unique_keys)
    except RecursionError:
        raise ValueError("its lists and objects are nested too deeply to be read") from None


def read_json(path: Path | str) -> Any:
    """Parse the JSON file at `path`. FileNotFoundError and ValueError name the file."""
    text = read_text(path)
    try:
        return parse_json(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def write_json(path: Path | str, values: Any, *, indent: int | None = 1, allow_nan: bool = True) -> None:
    """Write `values` to `path` as JSON; the file appears whole or not at all.

    With `allow_nan=False`, a NaN or an infinity among the values, which JSON does not have, is a ValueError.
    """
    write_text(path, json.dumps(values, indent=indent, allow_nan=allow_nan) + "\n")


def write_text(path: Path | str, text: str) -> None:
    """Write `text` to `path` in UTF-8; the file appears whole or not at all."""
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def written_whole(path: Path | str) -> Iterator[Path]:
    """Give the caller a temporary path to write to, and move what was written there to `path` at the end.

    The folders above `path` are made. When the caller raises, the temporary file is removed and whatever stood at
    `path` stays. The temporary file lies in the same folder and has the same suffix; its name holds the number of the
    process, so that two processes never write into one temporary file, and no more than the beginning of a long name.
    Errors of the system name `path`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem[:40]}.{os.getpid()}.partial{path.suffix}")
    try:
        with about(path, temporary):
            yield temporary
            os.chmod(temporary, 0o666 & ~_umask())  # some libraries make files that only their owner can read
            os.replace(temporary, path)
    finally:
        with suppress(OSError):  # it was moved, or could not be made
            temporary.unlink()


def remove_unfinished(folder: Path | str) -> None:
    """Remove what `written_whole` had begun below `folder` when its process was killed.

    This is for one who holds the folder: what another process is writing there would be removed, too.
    """
    for path in Path(folder).rglob(".*.partial*"):
        if UNFINISHED.fullmatch(path.name) and path.is_file():
            path.unlink(missing_ok=True)


def _umask() -> int:
    """The umask of the process. Where the system does not tell it, it can only be read by setting it."""
    with suppress(OSError, ValueError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def visible(root: Path, *patterns: str) -> list[Path]:
    """The sorted paths below `root` that match a pattern, without those that `is_hidden` or that lie in such a folder.

    Other names may begin with a dot, as ids do.
    """
    paths = {path for pattern in patterns for path in root.glob(pattern)}
    return sorted(path for path in paths if not any(map(is_hidden, path.relative_to(root).parts)))


def is_hidden(name: str) -> bool:
    """Whether the name is of a file or folder that no user meant as data.

    These are what macOS adds (`._x`), what other systems and notebooks leave behind, what editors keep of a file (`x~`,
    `#x#`, `.#x`, `~$x`, `.x.swp`), and what amsx leaves when it is killed: the lock of a folder, and what
    `written_whole` had begun.
    """
    return (
        name.lower() in LEFT_BEHIND
        or name.startswith(("._", "~$", ".#"))
        or name.endswith("~")
        or (name.startswith("#") and name.endswith("#"))
        or (name.startswith(".") and name.endswith((".swp", LOCK)))
        or UNFINISHED.fullmatch(name) is not None
    )


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"{twice!r} occurs twice in one object")
    return content
