"""Predictions in all their forms: recognized and read as columns, written in the full ActivityNet form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from amsx.evaluation.columns import Columns, Source, json_object, listing, quoted, read_columns, read_file
from amsx.files import parse_json, write_json

Detections = Source | Columns  # what is scored: a file, its parsed content, or columns

_EXPECTED = 'expected {"results": {video id: [{"label", "score", "segment"}]}}'
_ACTIVITYNET = ("version", "results", "external_data")
_TABLE = ("video-id", "t-start", "t-end", "label", "score")


@dataclass(frozen=True)
class Predictions:
    """Detections, and how they were read."""

    name: str  # what to call the file in messages
    form: str  # of the file, in words
    detections: Columns  # labels as in the file, numbers as their decimals
    numbered: bool  # the form says that labels are class numbers
    n_reversed: int = 0  # detections that ended before they started and had their ends exchanged


@dataclass(frozen=True)
class _Records:
    """Detections by video, as a file has them."""

    form: str  # of the file, in words
    entries: Mapping[str, Any]  # video id -> list of records
    keys: tuple[str, str, str] = ("label", "segment", "score")  # what a record calls them
    numbered: bool = False  # labels are class numbers by definition
    order: Sequence[int] | None = None  # the place in the file of each record of `entries`; None: as they come


def read_predictions(source: Detections, *, order_ends: bool = False) -> Predictions:
    """The detections of a prediction file, of its parsed content, or columns as they are.

    The forms known are ActivityNet's {"version", "results", "external_data"}, of which only "results" has to be there;
    ActionFormer's {"database": {video id: [{"label_id", "scores", "segment"}]}}; the columns "video-id", "t-start",
    "t-end", "label" and "score", as evaluators hold them in a data frame; and the lines "video start end class score"
    of the THUMOS14 challenge. `Columns` count as ActivityNet's form, in which they are written. Detections are in the
    order of the file. order_ends: exchange the ends of a detection that ends before it starts, and count it.

    Raises FileNotFoundError, or ValueError that says what is wrong: a file of no known form, or (naming file, video and
    index) a detection with a missing key, a NaN or infinite score or time, or an end before its start
    (unless order_ends).
    """
    if isinstance(source, Columns):
        return Predictions("predictions", "ActivityNet form", source, numbered=False)
    records, name = _recognize(source)
    detections = read_columns(records.entries, name, "detection", scored=True, keys=records.keys, any_order=order_ends)
    if records.order is not None:
        detections = detections.rows(np.argsort(records.order))
    start, end = detections.start, detections.end
    n_reversed = int((end < start).sum())
    if n_reversed:
        detections = replace(detections, start=np.minimum(start, end), end=np.maximum(start, end))
    return Predictions(name, records.form, detections, records.numbered, n_reversed)


def write_predictions(
    path: str | Path,
    detections: Columns | Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    version: str = "amsx",
    external_data: Mapping[str, Any] | None = None,
) -> None:
    """Write detections to `path` in the full ActivityNet form; the file appears whole or not at all.

    detections: columns, or video id -> [{"label", "score", "segment": [start, end]}], whose scores and times may be
    NumPy scalars. external_data: {"used", "details"}; by default it names pre-extracted features. Raises ValueError,
    before anything is written, for records that `read_predictions` would refuse.
    """
    if not isinstance(detections, Columns):
        detections = read_columns(detections, "results to write", "detection", scored=True)
    content = {
        "version": version,
        "results": detections.records(),
        "external_data": dict(external_data or {"used": True, "details": "pre-extracted snippet features"}),
    }
    write_json(path, content, indent=None)


def _recognize(source: Source) -> tuple[_Records, str]:
    """The records of a prediction file (or of its parsed content), and the name to call it by in messages."""
    if isinstance(source, Mapping):
        return _records_of(source, "predictions"), "predictions"
    text, name = read_file(source, "predictions")
    try:
        content = parse_json(text)
    except ValueError as error:
        lines = text.split("\n")
        if not _is_detection(next((line for line in lines if line.strip()), "")):
            raise ValueError(
                f"{name}: not a JSON file ({error}), and its first line is no 'video start end class score'"
            ) from None
        entries, order = _from_lines(lines, name)
        return _Records("THUMOS14 challenge lines", entries, numbered=True, order=order), name
    return _records_of(json_object(content, name), name), name


def _records_of(content: Mapping[str, Any], name: str) -> _Records:
    results, database = content.get("results"), content.get("database")
    if isinstance(results, Mapping) and isinstance(database, Mapping):
        raise ValueError(f"{name}: holds both 'results' and 'database', either of which may be meant; keep one of them")
    if isinstance(results, Mapping):
        return _Records(_activitynet(content), results)
    if isinstance(database, Mapping):
        if any(isinstance(entry, Mapping) for entry in database.values()):
            raise ValueError(
                f"{name}: no object under 'results', and 'database' holds annotated videos: this is a ground truth "
                "(predictions come first, then the ground truth)"
            )
        return _Records("ActionFormer form (database)", database, ("label_id", "segment", "scores"), numbered=True)
    if set(_TABLE) <= set(content):
        entries, order = _from_table(content, name)
        return _Records("table of columns", entries, order=order)
    raise ValueError(
        f"{name}: no object under 'results' (keys: {listing(list(content)) or 'none'}); {_EXPECTED}, or the columns "
        f"{', '.join(_TABLE)}"
    )


def _activitynet(content: Mapping[str, Any]) -> str:
    lacking = [key for key in _ACTIVITYNET if key not in content]
    added = [repr(str(key)) for key in content if key not in _ACTIVITYNET]
    differs = [f"without {' and '.join(lacking)}"] if lacking else []
    differs += [f"with {' and '.join(added)}"] if added else []
    return "ActivityNet form" + (" " if differs else "") + ", ".join(differs)


def _from_table(content: Mapping[str, Any], name: str) -> tuple[Mapping[str, Any], list[int]]:
    """Video id -> records, and the place in the table of each of them."""
    columns = {}
    for key in _TABLE:
        values = content[key].tolist() if hasattr(content[key], "tolist") else content[key]
        if not isinstance(values, list | tuple):
            raise ValueError(f"{name}: column {key!r} is a {type(values).__name__}; expected a list")
        columns[key] = values
    lengths = {key: len(values) for key, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{name}: columns of different lengths, {lengths}")
    rows = [
        (str(video), {"label": label, "segment": [start, end], "score": score})
        for video, start, end, label, score in zip(*columns.values(), strict=True)
    ]
    return _by_video(rows)


def _by_video(rows: Sequence[tuple[str, Mapping[str, Any]]]) -> tuple[Mapping[str, Any], list[int]]:
    """Video id -> records, and the place in `rows` of each record as they come by video."""
    entries: dict[str, list[Any]] = {}
    places: dict[str, list[int]] = {}
    for place, (video, record) in enumerate(rows):
        entries.setdefault(video, []).append(record)
        places.setdefault(video, []).append(place)
    return entries, list(chain.from_iterable(places.values()))


def _from_lines(lines: list[str], name: str) -> tuple[Mapping[str, Any], list[int]]:
    """Video id -> records, and the place among the detections of each of them."""
    rows: list[tuple[str, Mapping[str, Any]]] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        if not _is_detection(line):
            raise ValueError(
                f"{name}, line {number}: {quoted(line)}; expected a video id, a start and an end in seconds, a "
                "class number and a score"
            )
        video, start, end, label, score = line.split()
        # The challenge's evaluator takes video files for their videos, too.
        video = video.removesuffix(".mp4").removesuffix(".mpeg")
        rows.append((video, {"label": int(label), "segment": [start, end], "score": score}))
    return _by_video(rows)


def _is_detection(line: str) -> bool:
    """Whether a line reads "video start end class score"."""
    fields = line.split()
    try:
        _, start, end, label, score = fields
        float(start), float(end), int(label), float(score)
    except ValueError:
        return False
    return True
