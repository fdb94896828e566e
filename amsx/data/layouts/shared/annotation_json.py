"""Annotation files in the ActivityNet form: {"database": {id: {"subset", "duration", "annotations"}}}.

They are read leniently and written in full. Which of the subsets they name are for training is decided here, too.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from amsx.data.videos import Dataset, Segment, Subset, Video
from amsx.files import parse_json

KINDS = {  # how subsets are called, in lower case
    "train": {"train", "training"},
    "validation": {"val", "valid", "validation"},
    "test": {"test", "testing"},
}

SubsetNames = Mapping[Subset, str]  # how a layout spells "train" and "test"
PLAIN: SubsetNames = {"train": "train", "test": "test"}
ACTIVITY_NET: SubsetNames = {"train": "training", "test": "validation"}  # its test videos' annotation is not public


@dataclass(frozen=True)
class Entry:
    """What an annotation file says about one video."""

    subset: str  # as written
    labels: tuple[str, ...]  # sorted, each once; those of empty segments, too
    segments: tuple[Segment, ...]
    empty_segments: int = 0  # left out of `segments` because they end where they start
    duration: float | None = None  # seconds
    fps: float | None = None  # frames per second
    frames: float | None = None  # as written, not derived


def annotation_files(root: Path) -> list[Path]:
    """The JSON files in `root` and in its folder annotations/, one of which may be the annotation."""
    return sorted([*root.glob("*.json"), *root.glob("annotations/*.json")])


def read_database(path: Path, *, labels_alone: bool = False) -> dict[str, Entry]:
    """The videos of an annotation file, in its order.

    With `labels_alone`, an annotation without a segment labels the whole video. Numbers may be strings. A segment that
    ends where it starts (ActivityNet has some) is left out and counted, because nothing can overlap it. Raises
    FileNotFoundError, or a ValueError that names the file and the video, for text that is not JSON, a key that occurs
    twice (so that one video id stands for two), an entry without a subset, and a segment that is not two finite
    numbers or ends before it starts.
    """
    database = read_json(path).get("database")
    if not isinstance(database, dict) or not database:
        raise ValueError(f'{path}: expected {{"database": {{video id: ...}}}} with at least one video')
    return {name: _entry(entry, labels_alone, f"{path}: video {name!r}") for name, entry in database.items()}


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. FileNotFoundError; ValueError where it is not an object or a key occurs twice."""
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
    """The entries without the segments of `labels` that are not classes, such as Ambiguous, and notes."""
    kept, count = {}, 0
    for name, entry in entries.items():
        segments = tuple(segment for segment in entry.segments if segment.label not in labels)
        count += len(entry.segments) - len(segments)
        kept[name] = replace(entry, labels=tuple(x for x in entry.labels if x not in labels), segments=segments)
    return kept, [f"left out: {count} segments labelled {', '.join(labels)}"] if count else []


def subset_roles(
    entries: Mapping[str, Entry], given: Mapping[str, Subset] | None = None
) -> tuple[dict[str, Subset], list[str]]:
    """Which subsets, as written, are the training and the test videos, and notes. `given` decides where it is there.

    THUMOS14's training videos are called validation, while ActivityNet's validation videos are what everyone tests on.
    So: where a training subset exists, validation is the test set, unless annotated test videos exist as well; then
    those are the test set, and validation is left out. Where no training subset exists, validation is the training set.
    Unknown names are a ValueError.
    """
    written = {entry.subset for entry in entries.values()}
    if given is not None:
        absent = sorted(set(given) - written)
        if absent or not set(given.values()) <= {"train", "test"}:
            raise ValueError(f"subsets={dict(given)}: expected 'train' or 'test' for some of {sorted(written)}")
        roles = dict(given)
    else:
        kinds = {kind: {name for name in written if name.lower() in names} for kind, names in KINDS.items()}
        unknown = sorted(written - set().union(*kinds.values()))
        if unknown:
            raise ValueError(f"unknown subsets {unknown}; say with subsets= which are 'train' and 'test'")
        test_annotated = any(entry.labels for entry in entries.values() if entry.subset in kinds["test"])
        roles = dict.fromkeys(kinds["train"] or kinds["validation"], "train")
        if kinds["train"] and kinds["validation"] and not test_annotated:
            roles.update(dict.fromkeys(kinds["validation"], "test"))
        else:
            roles.update(dict.fromkeys(kinds["test"], "test"))
    notes = [f"subset {name!r} is the {role} set" for name, role in sorted(roles.items()) if name.lower() != role]
    for name in sorted(written - set(roles)):
        count = sum(entry.subset == name for entry in entries.values())
        notes.append(f"left out: subset {name!r} ({count} videos)")
    return roles, notes


def annotation(dataset: Dataset, subsets: SubsetNames = PLAIN) -> dict[str, dict[str, Any]]:
    """The "database" of an annotation file: video id -> entry.

    A label without a segment gets an empty one, which says the label and no place.
    """
    ids = {label: i for i, label in enumerate(dataset.classes)}
    return {video.id: _written_entry(video, ids, subsets[video.subset]) for video in dataset.videos}


def write_database(path: Path, database: Mapping[str, Any], **more: Any) -> None:
    """Write an annotation file, with `more` beside the database."""
    text = json.dumps({"version": "amsx", **more, "database": database})
    path.write_text(text + "\n", encoding="utf-8")


def all_labels(dataset: Dataset) -> list[str]:
    """Every label of a video or a segment, sorted; those that only test videos have, which are not classes, too."""
    labels = {label for video in dataset.videos for label in video.labels}
    return sorted(labels | {segment.label for video in dataset.videos for segment in video.segments})


def subsets_option(dataset: Dataset, subsets: SubsetNames) -> dict[str, Subset] | None:
    """The reader's option `subsets`, needed where validation is the test set and no training set is there to say so."""
    return None if dataset.subset("train") else {subsets["test"]: "test"}


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


def _written_entry(video: Video, ids: Mapping[str, int], subset: str) -> dict[str, Any]:
    spans = [(segment.label, segment.start, segment.end) for segment in video.segments]
    spans += [(label, 0.0, 0.0) for label in video.labels if label not in {s.label for s in video.segments}]
    annotations = [
        {"label": label, "segment": [start, end], **({"label_id": ids[label]} if label in ids else {})}
        for label, start, end in spans
    ]
    known = {} if video.duration is None else {"duration": video.duration}
    return {"subset": subset, **known, "annotations": annotations}
