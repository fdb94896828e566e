"""Annotation files in the ActivityNet form: {"database": {id: {"subset", "duration", "annotations"}}}.

They are read leniently and written in full. Which of the subsets they name are for training is decided here, too.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amsx.data.videos import Dataset, Segment, Subset, Video
from amsx.files import parse_json, read_text, visible, write_json
from amsx.records import AMBIGUOUS, label_fault, record_fault

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
    """What an annotation says about one video. Segments labelled Ambiguous are counted and left out in every layout."""

    subset: str  # as written
    labels: tuple[str, ...]  # sorted, each once; those of empty segments, too
    segments: tuple[Segment, ...]
    empty_segments: int = 0  # left out of `segments` because they end where they start
    duration: float | None = None  # seconds
    fps: float | None = None  # frames per second
    frames: float | None = None  # as written, not derived
    ambiguous: int = 0  # segments left out because their label is Ambiguous, which is no class

    def __post_init__(self) -> None:
        kept = tuple(segment for segment in self.segments if segment.label != AMBIGUOUS)
        object.__setattr__(self, "ambiguous", self.ambiguous + len(self.segments) - len(kept))
        object.__setattr__(self, "segments", kept)
        object.__setattr__(self, "labels", tuple(label for label in self.labels if label != AMBIGUOUS))


def annotation_files(root: Path) -> list[Path]:
    """The JSON files in `root` and in its folder annotations/, one of which may be the annotation."""
    return visible(root, "*.json", "annotations/*.json")


def read_database(path: Path, *, labels_alone: bool = False) -> dict[str, Entry]:
    """The videos of an annotation file, in its order.

    With `labels_alone`, an annotation without a segment labels the whole video. Numbers may be strings. A segment that
    ends where it starts (ActivityNet has some) is left out and counted, because nothing can overlap it. Raises
    FileNotFoundError, or a ValueError that names the file and the video, for text that is not JSON, a key that occurs
    twice (so that one video id stands for two), an entry without a subset, and a label or a segment that
    `amsx.records` refuses, as the evaluation does.
    """
    database = read_json(path).get("database")
    if not isinstance(database, dict) or not database:
        raise ValueError(f'{path}: expected {{"database": {{video id: ...}}}} with at least one video')
    return {name: _entry(entry, labels_alone, f"{path}: video {name!r}") for name, entry in database.items()}


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. FileNotFoundError; ValueError where it is not an object or a key occurs twice."""
    if not path.is_file():
        raise FileNotFoundError(f"no annotation file {path}")
    text = read_text(path)
    try:
        content = parse_json(text)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f'{path}: expected {{"database": {{video id: ...}}}}, got a {type(content).__name__}')
    return content


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
        kinds = {kind: {name for name in written if name.strip().lower() in names} for kind, names in KINDS.items()}
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
    write_json(path, {"version": "amsx", **more, "database": database}, indent=None)


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
    for index, annotation in enumerate(annotations):
        alone = labels_alone and isinstance(annotation, dict) and "label" in annotation and "segment" not in annotation
        fault = _label_alone_fault(annotation) if alone else record_fault(annotation, ("label", "segment"))
        if fault:
            raise ValueError(f"{where}, annotation {index} {fault}")
        label = str(annotation["label"])
        labels.add(label)
        if alone:
            continue
        start, end = map(float, annotation["segment"])
        if start < end:
            segments.append(Segment(start, end, label))
        elif label != AMBIGUOUS:
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


def _label_alone_fault(annotation: dict[str, Any]) -> str | None:
    fault = label_fault(annotation["label"])
    return f"has label {fault}" if fault else None


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
