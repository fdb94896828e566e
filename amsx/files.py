"""How amsx reads JSON and writes files: no key twice in what is read, and a file appears whole or not at all.

This module is the ground floor. It imports nothing else of amsx.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def parse_json(text: str | bytes) -> Any:
    """Parse `text` as JSON in which no object has a key twice; ValueError otherwise.

    Of two entries for one video Python's own parser would keep the last, in silence.
    """
    return json.loads(text, object_pairs_hook=_unique_keys)


def read_json(path: Path | str) -> Any:
    """Parse the JSON file at `path`. FileNotFoundError and ValueError name the file."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    try:
        return parse_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from error


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
    process, so that two processes never write into one temporary file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"{next(key for key in keys if keys.count(key) > 1)!r} occurs twice in one object")
    return content
