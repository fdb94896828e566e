"""JSON records to columns of numbers, and which record is broken where one is."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

Source = str | Path | Mapping[str, Any]  # a JSON file, or what one holds, parsed


@dataclass(frozen=True)
class Columns:
    """N labelled segments of the videos in `videos`, in the order of the file."""

    videos: tuple[str, ...]  # every video listed, those without a record too
    labels: tuple[str, ...]  # in order of first appearance
    video: np.ndarray  # (N,) int64, index into `videos`
    label: np.ndarray  # (N,) int64, index into `labels`
    start: np.ndarray  # (N,) float64, in the file's unit (seconds)
    end: np.ndarray  # (N,) float64, never before start
    score: np.ndarray  # (N,) float64, finite; zeros where the records carry none

    def __len__(self) -> int:
        return len(self.start)

    def rows(self, rows: np.ndarray) -> "Columns":
        """The segments of these indices, in their order."""
        picked = {name: getattr(self, name)[rows] for name in ("video", "label", "start", "end", "score")}
        return replace(self, **picked)


def load_json(source: Source, what: str) -> tuple[Mapping[str, Any], str]:
    """The object in a JSON file (or the mapping given), and the name to call it by in messages."""
    if isinstance(source, Mapping):
        return source, what
    path = Path(source)
    if not path.is_file():
        raise FileNotFoundError(f"{what} file {path} does not exist")
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path}: not a JSON file ({error})") from None
    if not isinstance(content, Mapping):
        raise ValueError(f"{path}: holds a {type(content).__name__}; expected a JSON object")
    return content, str(path)


def read_columns(entries: Mapping[str, Any], name: str, kind: str, scored: bool) -> Columns:
    """Columns of `entries`: video id -> [{"label", "segment": [start, end]}], with "score" where `scored`.

    Labels may be strings or integers, times and scores numbers or strings of numbers. Raises ValueError that
    names the file (`name`), the video and the index of the first broken record (a `kind`).
    """
    columns = _columns(entries, scored)
    if columns is None:
        raise ValueError(_first_fault(entries, name, kind, scored))
    return columns


def _columns(entries: Mapping[str, Any], scored: bool) -> Columns | None:
    """The columns, checked as whole columns for speed; None if any record is broken."""
    if not all(isinstance(records, list | tuple) for records in entries.values()):
        return None
    records = [record for records in entries.values() for record in records]
    try:
        labels = [record["label"] for record in records]
        segments = [record["segment"] for record in records]
        scores = [record["score"] for record in records] if scored else [0.0] * len(records)
        if not (_are(labels, str, int, np.integer) and _are(segments, list, tuple, np.ndarray)):
            return None
        if not set(map(len, segments)) <= {2}:
            return None
        start = np.array([segment[0] for segment in segments], dtype=np.float64)
        end = np.array([segment[1] for segment in segments], dtype=np.float64)
        score = np.array(scores, dtype=np.float64)
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    if not all(column.ndim == 1 and np.isfinite(column).all() for column in (start, end, score)):
        return None
    if (start > end).any():
        return None
    names = list(map(str, labels))
    code = {label: i for i, label in enumerate(dict.fromkeys(names))}
    counts = np.array([len(records) for records in entries.values()], dtype=np.int64)
    return Columns(
        videos=tuple(map(str, entries)),
        labels=tuple(code),
        video=np.repeat(np.arange(len(counts)), counts),
        label=np.array([code[label] for label in names], dtype=np.int64),
        start=start,
        end=end,
        score=score,
    )


def _are(values: Iterable[Any], *types: type) -> bool:
    return all(issubclass(found, types) and found is not bool for found in set(map(type, values)))


def _first_fault(entries: Mapping[str, Any], name: str, kind: str, scored: bool) -> str:
    """Where the first broken record is, what is wrong with it and what was expected."""
    keys = ("label", "segment", "score") if scored else ("label", "segment")
    for video, records in entries.items():
        if not isinstance(records, list | tuple):
            return f"{name}: video {video!r} holds a {type(records).__name__}; expected a list of {kind}s"
        for index, record in enumerate(records):
            fault = _fault(record, keys)
            if fault:
                return f"{name}: video {video!r}, {kind} {index} {fault}"
    return f"{name}: a {kind} is malformed; expected the keys {', '.join(keys)}"


def _fault(record: Any, keys: Sequence[str]) -> str | None:
    """What is wrong with a record and what was expected; None if it is sound."""
    if not isinstance(record, Mapping):
        return f"is a {type(record).__name__}; expected an object with the keys {', '.join(keys)}"
    for key in keys:
        if key not in record:
            return f"has no {key!r}; expected the keys {', '.join(keys)}"
    label, segment = record["label"], record["segment"]
    if not _are([label], str, int, np.integer):
        return f"has label {label!r}; expected a string or an integer"
    if not _are([segment], list, tuple, np.ndarray) or len(segment) != 2:
        return f"has segment {segment!r}; expected [start, end]"
    start, end = _number(segment[0]), _number(segment[1])
    if start is None or end is None:
        return f"has segment {segment!r}; expected two finite numbers [start, end]"
    if end < start:
        return f"has segment {segment!r}, which ends before it starts; expected start <= end"
    if "score" in keys and _number(record["score"]) is None:
        return f"has score {record['score']!r}; expected a finite number"
    return None


def _number(value: Any) -> float | None:
    """`value` as a finite float, or None where it is none."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if np.isfinite(number) else None
