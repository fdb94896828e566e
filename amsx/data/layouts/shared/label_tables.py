"""Tables of video-level labels: which actions a video shows, and nothing of when.

video,labels                 CSV, TSV or a table with semicolons, with a header or without; other columns may be
a,jump;run                   `subset`, `duration` in seconds and `fps`. Labels are separated by ; or |, or stand
b,-                          in a row each. `-` or `background`: the video shows no action. An empty cell: nobody
c,                           has labelled it.

{"a": ["jump", "run"], "b": ["-"], "c": []}                     JSON
{"a": {"labels": ["jump"], "subset": "train", "duration": 12.5, "fps": 25}}
"""

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amsx.data.layouts.shared.annotation_json import KINDS, Entry
from amsx.data.layouts.shared.video_tables import VIDEO_COLUMNS
from amsx.data.videos import Timebase
from amsx.files import parse_json, read_text

LABEL_COLUMNS = {"label", "labels", "class", "classes", "action", "actions"}  # in lower case, letters alone
OTHER_COLUMNS = {
    "subset": {"subset", "split"},
    "duration": {"duration", "durationseconds", "seconds"},
    "fps": {"fps", "framerate"},
    "snippet_seconds": {"snippetseconds"},
    "offset": {"offset"},
}
NO_ACTION = {"-", "background"}  # in place of labels
SUFFIXES = (".csv", ".tsv", ".json")


@dataclass(frozen=True)
class _Row:
    """What one row, or one entry of a JSON file, says of a video."""

    where: str  # for messages
    video: str
    labels: tuple[str, ...]
    subset: str = ""
    duration: float | None = None
    fps: float | None = None
    timebase: Timebase | None = None


@dataclass(frozen=True)
class LabelTable:
    """The content of a table."""

    entries: dict[str, Entry]  # by id; without segments
    timebases: dict[str, Timebase]  # of the videos of which the table says it
    notes: list[str]


def read_label_table(path: Path) -> LabelTable:
    """Read a table; ValueError, which names file and row, where it is none."""
    rows = _json_rows(path) if path.suffix.lower() == ".json" else _table_rows(path)
    entries: dict[str, Entry] = {}
    timebases: dict[str, Timebase] = {}
    several: set[str] = set()
    for row in rows:
        entry = _entry(row)
        if row.timebase is not None and timebases.setdefault(row.video, row.timebase) != row.timebase:
            raise ValueError(f"{row.where}: video {row.video!r} is listed twice, with different snippet_seconds")
        before = entries.get(row.video)
        if before is not None:
            several.add(row.video)
            entry = _joined(row, before, entry)
        entries[row.video] = entry
    if not entries:
        raise ValueError(f"{path} lists no video")
    notes = []
    if several:
        notes.append(f"{len(several)} videos stand in several rows, whose labels are joined: {min(several)} is one")
    return LabelTable(entries, timebases, notes)


def is_label_table(path: Path) -> bool:
    """Whether a JSON file is such a table, and not an annotation of another form; any CSV or TSV may be one."""
    if path.suffix.lower() != ".json":
        return True
    try:
        content = parse_json(read_text(path))
    except (ValueError, OSError):
        return False
    return isinstance(content, dict) and bool(content) and all(map(_is_simple, content.values()))


def _is_simple(value: Any) -> bool:
    if isinstance(value, Mapping):
        return set(value) <= {"labels", *OTHER_COLUMNS} and _is_simple(value.get("labels"))
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(label, str) for label in value))


def _json_rows(path: Path) -> Iterable[_Row]:
    try:
        content = parse_json(read_text(path))
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected an object from ids of videos to lists of labels")
    for video, value in content.items():
        where = f"{path}, video {video!r}"
        if not _is_simple(value):
            raise ValueError(f"{where}: expected a list of labels, or an object with labels, subset, duration and fps")
        fields = value if isinstance(value, Mapping) else {"labels": value}
        labels = [fields["labels"]] if isinstance(fields["labels"], str) else fields["labels"]
        yield _Row(
            where,
            video,
            tuple(label.strip() for label in labels),
            _text(fields.get("subset"), where),
            _number(fields.get("duration"), "duration", where),
            _number(fields.get("fps"), "fps", where),
            _timebase(fields, where),
        )


def _table_rows(path: Path) -> Iterable[_Row]:
    lines = read_text(path).split("\n")
    first = next((line for line in lines if line.strip()), "")
    delimiter = "\t" if "\t" in first or path.suffix.lower() == ".tsv" else "," if "," in first else ";"
    try:
        table = [
            (number, [cell.strip() for cell in row])
            for number, row in enumerate(csv.reader(lines, delimiter=delimiter, strict=True), start=1)
        ]
    except csv.Error as error:
        raise ValueError(f"{path}: it cannot be read as a table: {error}") from error
    table = [(number, row) for number, row in table if any(row)]
    if not table:
        raise ValueError(f"{path} is empty; expected a table with the header video,labels")
    width = len(table[0][1])
    columns = _columns(table[0][1])
    if columns is not None:
        table = table[1:]
    else:
        columns = _usual_columns(path, table[0][1])
    least = max(columns["video"], columns["labels"])
    for number, row in table:
        where = f"{path}, row {number}"
        if len(row) <= least:
            raise ValueError(f"{where}: {len(row)} columns, expected at least {least + 1}: {delimiter.join(row)!r}")
        if len(row) > width:
            raise ValueError(
                f"{where}: {len(row)} columns, and {width} above; labels are separated by ; or |, or stand in quotes"
            )
        cells = {name: row[at] for name, at in columns.items() if at < len(row)}
        if not cells["video"]:
            raise ValueError(f"{where}: names no video")
        yield _Row(
            where,
            cells["video"],
            _split(cells["labels"]),
            cells.get("subset", ""),
            _number(cells.get("duration") or None, "duration", where),
            _number(cells.get("fps") or None, "fps", where),
            _timebase(cells, where),
        )


def _columns(header: list[str]) -> dict[str, int] | None:
    """Name -> place of the columns that the header names; None where the row is no header."""
    # A cell with a digit, such as video_1, is no name of a column.
    plain = ["" if any(map(str.isdigit, cell)) else "".join(filter(str.isalpha, cell.lower())) for cell in header]
    found: dict[str, int] = {}
    for name, spellings in {"video": VIDEO_COLUMNS, "labels": LABEL_COLUMNS, **OTHER_COLUMNS}.items():
        places = [i for i, cell in enumerate(plain) if cell in spellings]
        if len(places) == 1:
            found[name] = places[0]
    return found if {"video", "labels"} <= found.keys() else None


def _usual_columns(path: Path, first: list[str]) -> dict[str, int]:
    """The columns of a table without a header: video, labels, and perhaps the subset."""
    if len(first) == 2:
        return {"video": 0, "labels": 1}
    if len(first) == 3 and first[2].lower() in set().union(*KINDS.values()):
        return {"video": 0, "labels": 1, "subset": 2}
    raise ValueError(
        f"{path}: its first row has {len(first)} columns and is no header; expected a header such as "
        "video,labels,subset, or rows of a video and its labels"
    )


def _split(cell: str) -> tuple[str, ...]:
    return tuple(label.strip() for label in cell.replace("|", ";").split(";") if label.strip())


def _entry(row: _Row) -> Entry:
    labels = tuple(sorted(set(row.labels)))
    if "" in labels:
        raise ValueError(f"{row.where}: a label is empty")
    nothing = [label for label in labels if label.lower() in NO_ACTION]
    if nothing and len(labels) > 1:
        raise ValueError(
            f"{row.where}: {nothing[0]!r} says that the video shows no action, beside the labels "
            f"{', '.join(label for label in labels if label not in nothing)}"
        )
    return Entry(
        subset=row.subset,
        labels=() if nothing else labels,
        segments=(),
        duration=row.duration,
        fps=row.fps,
        background=bool(nothing),
    )


def _joined(row: _Row, before: Entry, entry: Entry) -> Entry:
    """The entry of a video that stands in several rows; ValueError where they disagree in more than the label."""
    for name in ("subset", "duration", "fps", "background"):
        if getattr(before, name) != getattr(entry, name):
            raise ValueError(
                f"{row.where}: video {row.video!r} is listed twice, with {name} {getattr(before, name)!r} and "
                f"{getattr(entry, name)!r}"
            )
    return Entry(
        subset=entry.subset,
        labels=tuple(sorted({*before.labels, *entry.labels})),
        segments=(),
        duration=entry.duration,
        fps=entry.fps,
        background=entry.background,
    )


def _text(value: Any, where: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{where}: subset is {value!r}; expected a text")
    return value.strip()


def _timebase(fields: Mapping[str, Any], where: str) -> Timebase | None:
    seconds = _number(fields.get("snippet_seconds") or None, "snippet_seconds", where)
    if seconds is None:
        return None
    try:
        return Timebase(seconds, float(fields.get("offset") or 0.0))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: offset is {fields.get('offset')!r}; expected a number of seconds") from error


def _number(value: Any, name: str, where: str) -> float | None:
    if value is None:
        return None
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise ValueError(f"{where}: {name} is {value!r}; expected a positive number")
    return number
