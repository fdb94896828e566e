"""Predictions in all their forms: recognized and read as columns, written in the full ActivityNet form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


@dataclass(frozen=True)
class _Records:
    """Detections by video, as a file has them."""

    form: str  # of the file, in words
    entries: Mapping[str, Any]  # video id -> list of records
    keys: tuple[str, str, str] = ("label", "segment", "score")  # what a record calls them
    numbered: bool = False  # labels are class numbers by definition


def read_predictions(source: Detections) -> Predictions:
    """The detections of a prediction file, of its parsed content, or columns as they are.

    The forms known are ActivityNet's {"version", "results", "external_data"}, of which only "results" has to be there;
    ActionFormer's {"database": {video id: [{"label_id", "scores", "segment"}]}}; the columns "video-id", "t-start",
    "t-end", "label" and "score", as evaluators hold them in a data frame; and the lines "video start end class score"
    of the THUMOS14 challenge. `Columns` count as ActivityNet's form, in which they are written.

    Raises FileNotFoundError, or ValueError that says what is wrong: a file of no known form, or (naming file, video and
    index) a detection with a missing key, a NaN or infinite score or time, or an end before its start.
    """
    if isinstance(source, Columns):
        return Predictions("predictions", "ActivityNet form", source, numbered=False)
    records, name = _recognize(source)
    detections = read_columns(records.entries, name, "detection", scored=True, keys=records.keys)
    return Predictions(name, records.form, detections, records.numbered)


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
        lines = text.decode("utf-8-sig", "replace").splitlines()
        if not _is_detection(next((line for line in lines if line.strip()), "")):
            raise ValueError(
                f"{name}: not a JSON file ({error}), and its first line is no 'video start end class score'"
            ) from None
        return _Records("THUMOS14 challenge lines", _from_lines(lines, name), numbered=True), name
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
        return _Records("table of columns", _from_table(content, name))
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


def _from_table(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    columns = {}
    for key in _TABLE:
        values = content[key].tolist() if hasattr(content[key], "tolist") else content[key]
        if not isinstance(values, list | tuple):
            raise ValueError(f"{name}: column {key!r} is a {type(values).__name__}; expected a list")
        columns[key] = values
    lengths = {key: len(values) for key, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{name}: columns of different lengths, {lengths}")
    entries: dict[str, list[Any]] = {}
    for video, start, end, label, score in zip(*columns.values(), strict=True):
        entries.setdefault(str(video), []).append({"label": label, "segment": [start, end], "score": score})
    return entries


def _from_lines(lines: list[str], name: str) -> Mapping[str, Any]:
    entries: dict[str, list[Any]] = {}
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
        entries.setdefault(video, []).append({"label": int(label), "segment": [start, end], "score": score})
    return entries


def _is_detection(line: str) -> bool:
    """Whether a line reads "video start end class score"."""
    fields = line.split()
    try:
        _, start, end, label, score = fields
        float(start), float(end), int(label), float(score)
    except ValueError:
        return False
    return True
