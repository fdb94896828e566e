"""Annotation files as layouts read and write them, and which of the subsets they name are for training.

They are read in every form of the field, by `amsx.annotations`, and written in ActivityNet's:
{"database": {id: {"subset", "duration", "annotations"}}}.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amsx.annotations import VideoAnnotation, read_annotation
from amsx.data.extraction_record import RECORD_FILE
from amsx.data.videos import Dataset, Segment, Subset, Video
from amsx.files import visible, write_json
from amsx.records import AMBIGUOUS

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

    subset: str  # as written, without blanks around it; "" where the annotation names none
    labels: tuple[str, ...]  # sorted, each once; those of empty segments, too
    segments: tuple[Segment, ...]
    empty_segments: int = 0  # left out of `segments` because they end where they start
    duration: float | None = None  # seconds
    fps: float | None = None  # frames per second
    frames: float | None = None  # as written, not derived
    feature_frames: float | None = None  # those of the video's frames that its features cover, as written
    background: bool = False  # whether the video is said to show no action; without labels, others are unlabelled
    ambiguous: int = 0  # segments left out because their label is Ambiguous, which is no class

    def __post_init__(self) -> None:
        kept = tuple(segment for segment in self.segments if segment.label != AMBIGUOUS)
        object.__setattr__(self, "ambiguous", self.ambiguous + len(self.segments) - len(kept))
        object.__setattr__(self, "segments", kept)
        object.__setattr__(self, "labels", tuple(label for label in self.labels if label != AMBIGUOUS))

    @property
    def frame_rate(self) -> float | None:
        """Frames per second, as stated or as the stated frames and duration give it; None: neither is there."""
        return self.fps or (self.frames / self.duration if self.frames and self.duration else None)


def annotation_files(root: Path) -> list[Path]:
    """The JSON files in `root` and in its folder annotations/, one of which may be the annotation."""
    return [path for path in visible(root, "*.json", "annotations/*.json") if path.name != RECORD_FILE]


@dataclass(frozen=True)
class Database:
    """An annotation file as the readers of layouts need it."""

    entries: dict[str, Entry]  # by id, in the file's order
    beside: Mapping[str, Any]  # what stands in the file beside the videos
    notes: tuple[str, ...]  # on how the file was read


def read_database(path: Path) -> Database:
    """The videos of an annotation file in any of the forms that `amsx.annotations` reads, for the evaluation as well.

    An annotation without a segment labels the whole video. A segment that ends where it starts
    (ActivityNet has some) is left out and counted, because nothing can overlap it. Raises FileNotFoundError, or a
    ValueError that names the file and the video, as `amsx.annotations.parse_annotation` does.
    """
    content = read_annotation(path, labels_alone=True)
    entries = {name: _entry(video) for name, video in content.videos.items()}
    return Database(entries, content.beside, content.notes)


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
        given = {name.strip(): role for name, role in given.items()}
        if not set(given) <= written or not set(given.values()) <= {"train", "test"}:
            raise ValueError(f"subsets={given}: expected 'train' or 'test' for some of {sorted(written)}")
        roles = dict(given)
    else:
        unnamed = [video for video, entry in entries.items() if not entry.subset]
        if unnamed:
            raise ValueError(
                f"the annotation names no subset of {len(unnamed)} videos, {unnamed[0]!r} first; list them in files "
                "split_train.txt and split_test.txt or in a CSV with the columns video and subset, or say with "
                """subsets={"": "train"} or {"": "test"} what they are"""
            )
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
    write_json(path, {"version": "amsx", **more, "database": database}, indent=None)


def all_labels(dataset: Dataset) -> list[str]:
    """Every label of a video or a segment, sorted; those that only test videos have, which are not classes, too."""
    labels = {label for video in dataset.videos for label in video.labels}
    return sorted(labels | {segment.label for video in dataset.videos for segment in video.segments})


def subsets_option(dataset: Dataset, subsets: SubsetNames) -> dict[str, Subset] | None:
    """The reader's option `subsets`, needed where validation is the test set and no training set is there to say so."""
    return None if dataset.subset("train") else {subsets["test"]: "test"}


def _entry(video: VideoAnnotation) -> Entry:
    placed = [instance for instance in video.instances if instance.start < instance.end]
    empty = [instance for instance in video.instances if instance.start == instance.end]
    return Entry(
        subset=video.subset or "",
        labels=tuple(sorted({*video.labels, *(instance.label for instance in video.instances)})),
        segments=tuple(Segment(instance.start, instance.end, instance.label) for instance in placed),
        empty_segments=sum(instance.label != AMBIGUOUS for instance in empty),
        duration=video.duration,
        fps=video.fps,
        frames=video.frames,
        feature_frames=video.feature_frames,
    )


def _written_entry(video: Video, ids: Mapping[str, int], subset: str) -> dict[str, Any]:
    spans = [(segment.label, segment.start, segment.end) for segment in video.segments]
    spans += [(label, 0.0, 0.0) for label in video.labels if label not in {s.label for s in video.segments}]
    annotations = [
        {"label": label, "segment": [start, end], **({"label_id": ids[label]} if label in ids else {})}
        for label, start, end in spans
    ]
    known = {} if video.duration is None else {"duration": video.duration}
    return {"subset": subset, **known, "annotations": annotations}
