"""The folder that `amsx localize` writes: a file for each video and format, and a record of which are done.

OUT/<video>.<format>     of one video; the name is its id as far as that can be the name of a file
OUT/predictions.json     the detections of all videos in ActivityNet's form, where json is among the formats
OUT/localized.jsonl      a line for each video that is done, with what it was made from, so that a killed run goes on
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amsx.file_names import Thing, picture_names
from amsx.files import as_text, read_json, written_whole
from amsx.inference import Format

RECORD = "localized.jsonl"
TOGETHER = "predictions.json"
RESERVED = {Path(name).stem for name in (RECORD, TOGETHER)}


@dataclass(frozen=True)
class Entry:
    """A video that is done: a line of the record."""

    id: str
    name: str  # of its files, without their suffixes
    settings: str  # a digest of the run, the settings and the files that it was made from
    formats: tuple[str, ...]


class Folder:
    """The folder of one command, in which `ids` are to be written in `formats`."""

    def __init__(self, out: Path, ids: Sequence[str], formats: Sequence[Format], settings: Mapping[str, Any]) -> None:
        """`settings` is what the results depend on beside the files. ValueError where another video has a file's name.

        The latter are videos of earlier commands, whose ids differ in what names of files do not tell apart.
        """
        self.out = out
        self.formats = tuple(formats)
        self._settings = json.dumps(settings, sort_keys=True, default=str)
        self._ids = tuple(ids)
        things = {name: (name, "video") if name in RESERVED else (name,) for name in ids}
        reserved: list[Thing] = [(name,) for name in sorted(RESERVED)]
        names = picture_names([*reserved, *things.values()])
        self._names = {name: names[thing] for name, thing in things.items()}
        self._done = self._read()
        owners = {entry.name: entry.id for entry in self._done.values()}
        for name in ids:
            if (owner := owners.get(self._names[name], name)) != name:
                raise ValueError(
                    f"{out}: the files called {self._names[name]} are those of {owner!r}, from an earlier command, and "
                    f"{name!r} would have the same; expected another --out"
                )

    def file(self, name: str, format: Format) -> Path:
        """The file of a video in a format."""
        return self.out / f"{self._names[name]}.{format}"

    def is_done(self, name: str, files: Iterable[Path]) -> bool:
        """Whether a video's files are there in every format, made from the same `files` with the same settings."""
        entry = self._done.get(name)
        return (
            entry is not None
            and entry.settings == self._digest(files)
            and set(self.formats) <= set(entry.formats)
            and all(self.file(name, format).is_file() for format in self.formats)
        )

    def done(self, name: str, files: Iterable[Path]) -> None:
        """Record that a video was written. The line is one write, so that a killed command leaves it whole or not."""
        digest, before = self._digest(files), self._done.get(name)
        kept = before.formats if before is not None and before.settings == digest else ()
        entry = Entry(name, self._names[name], digest, tuple(dict.fromkeys([*kept, *self.formats])))
        line = json.dumps({**vars(entry), "formats": list(entry.formats)}) + "\n"
        with (self.out / RECORD).open("ab") as file:
            file.write(line.encode())
        self._done[name] = entry

    def write_together(self) -> Path | None:
        """Write the detections of all videos that are done to one file, a video at a time; None without the format."""
        if "json" not in self.formats:
            return None
        written = [name for name in self._ids if name in self._done]
        with written_whole(self.out / TOGETHER) as temporary, temporary.open("w", encoding="utf-8") as file:
            file.write('{"version": "amsx", "results": {')
            for i, name in enumerate(written):
                results = read_json(self.file(name, "json"))["results"][name]
                file.write(f"{', ' if i else ''}{json.dumps(name)}: {json.dumps(results)}")
            details = {"used": True, "details": "pre-extracted snippet features"}
            file.write(f'}}, "external_data": {json.dumps(details)}}}\n')
        return self.out / TOGETHER

    def _digest(self, files: Iterable[Path]) -> str:
        """A digest of the settings, and of the size and the time of the files."""
        stamps = [[str(path.resolve()), (stat := path.stat()).st_size, stat.st_mtime_ns] for path in files]
        return hashlib.sha256(f"{self._settings}\n{json.dumps(stamps)}".encode()).hexdigest()

    def _read(self) -> dict[str, Entry]:
        """Video -> its last line in the record; what a killed command left of a line is passed over."""
        path = self.out / RECORD
        if not path.is_file():
            return {}
        content = path.read_bytes()
        if content and not content.endswith(b"\n"):
            path.write_bytes(content[: content.rfind(b"\n") + 1])
        entries: dict[str, Entry] = {}
        for line in content[: content.rfind(b"\n") + 1].splitlines():
            values = json.loads(as_text(line, str(path)))
            entry = Entry(values["id"], values["name"], values["settings"], tuple(values["formats"]))
            entries[entry.id] = entry
        return entries
