"""Annotation files in the ActivityNet form, read leniently: {"database": {id: {"subset", "annotations"}}}."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from amsx.data.videos import Segment
from amsx.files import parse_json


@dataclass(frozen=True)
class Entry:
    """What an annotation file says about one video."""

    subset: str  # as written
    labels: tuple[str, ...]  # sorted, each once; those of empty segments, too
    segments: tuple[Segment, ...]
    empty_segments: int  # left out of `segments` because they end where they start
    duration: float | None  # seconds
    fps: float | None
    frames: float | None  # as written, not derived


def read_database(path: Path, *, labels_alone: bool = False) -> dict[str, Entry]:
    """The videos of an annotation file, in its order.

    With `labels_alone` an annotation may lack its segment: it labels the whole video. Numbers may be strings. A
    segment that ends where it starts (ActivityNet has some) is left out and counted: nothing can overlap it. Errors,
    naming the file and the video: FileNotFoundError; ValueError for text that is no JSON, a key that occurs twice (so
    that one video id stands for two), entries without a subset, segments that are no two finite numbers or end before
    they start.
    """
    database = read_json(path).get("database")
    if not isinstance(database, dict) or not database:
        raise ValueError(f'{path}: expected {{"database": {{video id: ...}}}} with at least one video')
    return {name: _entry(entry, labels_alone, f"{path}: video {name!r}") for name, entry in database.items()}


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; FileNotFoundError, or ValueError where it is none or a key occurs twice."""
    if not path.is_file():
        raise FileNotFoundError(f"no annotation file {path}")
    try:
        content = parse_json(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f'{path}: expected {{"database": {{video id: ...}}}}, got a {type(content).__name__}')
    return content


def without_labels(entries: dict[str, Entry], labels: Sequence[str]) -> tuple[dict[str, Entry], list[str]]:
    """The entries without the segments of `labels`, which are no classes (Ambiguous), and notes."""
    kept, count = {}, 0
    for name, entry in entries.items():
        segments = tuple(segment for segment in entry.segments if segment.label not in labels)
        count += len(entry.segments) - len(segments)
        kept[name] = replace(entry, labels=tuple(x for x in entry.labels if x not in labels), segments=segments)
    return kept, [f"left out: {count} segments labelled {', '.join(labels)}"] if count else []


def _entry(entry: Any, labels_alone: bool, where: str) -> Entry:
    if not isinstance(entry, dict) or not isinstance(entry.get("subset"), str):
        raise ValueError(f"{where} has no subset, expected an object with 'subset' and 'annotations'")
    annotations = entry.get("annotations", [])
    if not isinstance(annotations, list):
        raise ValueError(f"{where}: annotations must be a list, got {type(annotations).__name__}")
    labels, segments, empty = set(), [], 0
    for annotation in annotations:
        if labels_alone and isinstance(annotation, dict) and "label" in annotation and "segment" not in annotation:
            labels.add(str(annotation["label"]))
            continue
        try:
            label, (start, end) = annotation["label"], map(float, annotation["segment"])
        except (KeyError, TypeError, ValueError):
            raise ValueError(
                f"{where}: expected {{'label': ..., 'segment': [start, end]}}, got {annotation!r}"
            ) from None
        if not (math.isfinite(start) and math.isfinite(end)) or start > end:
            raise ValueError(f"{where}: segment [{start}, {end}] of {label!r} does not start before it ends")
        labels.add(str(label))
        if start < end:
            segments.append(Segment(start, end, str(label)))
        else:
            empty += 1
    return Entry(
        subset=entry["subset"],
        labels=tuple(sorted(labels)),
        segments=tuple(segments),
        empty_segments=empty,
        duration=_positive(entry, ("duration",), where),
        fps=_positive(entry, ("fps",), where),
        frames=_positive(entry, ("frames", "frame", "num_frames"), where),
    )


def _positive(entry: dict[str, Any], keys: tuple[str, ...], where: str) -> float | None:
    """The first of `keys` that the entry has, as a positive number; None where it has none of them."""
    for key in keys:
        if entry.get(key) is not None:
            try:
                value = float(entry[key])
            except (TypeError, ValueError):
                value = math.nan
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{where}: {key} must be a positive number, got {entry[key]!r}")
            return value
    return None
