"""Read an annotation file; match the ids of two files that differ by ActivityNet's prefix alone."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from amsx.annotations.class_numbers import CLASS_LISTS, ClassNumbers
from amsx.annotations.keys import keys_by_meaning, meaning_of, plain, short
from amsx.annotations.records import Record, read_records
from amsx.files import read_json
from amsx.records import finite_number

PREFIX = "v_"  # before the ids of ActivityNet's videos in the names of files, and in some annotations
FORMS = '{"database": {video id: {...}}} or {video id: {...}}, with "annotations" or "actions" for each video'


@dataclass(frozen=True)
class Instance:
    """One labelled segment."""

    label: str
    start: float  # in the file's unit (seconds)
    end: float  # not before start, unless any order was allowed


@dataclass(frozen=True)
class VideoAnnotation:
    """What an annotation file says about one video. What it does not say is None; nothing is derived."""

    subset: str | None = None  # as written, without blanks around it
    duration: float | None = None  # seconds
    fps: float | None = None  # frames per second
    frames: float | None = None  # of the video
    feature_frames: float | None = None  # those of the video's frames that its features cover (BSN's feature_frame)
    instances: tuple[Instance, ...] = ()  # in the file's order, also those labelled Ambiguous and those of no length
    labels: tuple[str, ...] = ()  # of records without a segment, in the file's order


@dataclass(frozen=True)
class Annotation:
    """An annotation file."""

    name: str  # what to call the file in messages
    videos: Mapping[str, VideoAnnotation]  # by id, in the file's order
    label_ids: frozenset[tuple[int, str]]  # every number and name of a class that a record states together
    beside: Mapping[str, Any]  # what stands in the file beside the videos: version, taxonomy, lists of classes
    notes: tuple[str, ...]  # sentences on how the file was read, where that does not go without saying


def read_annotation(path: Path | str, *, labels_alone: bool = False, any_order: bool = False) -> Annotation:
    """Read an annotation file; see `parse_annotation`. Errors of reading are those of `amsx.files.read_json`."""
    return parse_annotation(read_json(path), str(path), labels_alone=labels_alone, any_order=any_order)


def parse_annotation(content: Any, name: str, *, labels_alone: bool = False, any_order: bool = False) -> Annotation:
    """What `content`, a parsed JSON file that messages call `name`, says in any of the forms of `amsx.annotations`.

    labels_alone: a record may have a label without a segment, as those of training videos do. any_order: a segment may
    end before it starts, and is kept so. Raises ValueError, which names the file and the video or the record, for what
    is in no such form, for labels and segments that `amsx.records` refuses, and where two readings are possible.
    """
    if not isinstance(content, Mapping):
        raise ValueError(f"{name}: holds a {type(content).__name__}; expected {FORMS}")
    notes: tuple[str, ...] = ()
    if "database" in content:
        database: Any = content["database"]
        beside = {key: value for key, value in content.items() if key != "database"}
    else:
        database, beside = _bare(content, name)
        notes = ("the annotation is a bare {id: {...}}, without 'database'",)
    if not isinstance(database, Mapping) or not database:
        what = "no video" if isinstance(database, Mapping) else f"a {type(database).__name__}"
        raise ValueError(f"{name}: 'database' holds {what}; expected {FORMS}")
    facts: dict[str, VideoAnnotation] = {}
    records: dict[str, list[Record]] = {}
    for key, entry in database.items():
        video, where = str(key), f"{name}: video {str(key)!r}"
        if not isinstance(entry, Mapping):
            raise ValueError(f"{where} holds a {type(entry).__name__}; expected an object with 'annotations'")
        keys = keys_by_meaning(entry, "entry", where)
        facts[video] = _facts(entry, keys, where)
        records[video] = list(read_records(entry, keys, where, labels_alone=labels_alone, any_order=any_order))
    classes = ClassNumbers([record for own in records.values() for record in own], beside, name)
    videos = {video: _with_records(facts[video], own, classes) for video, own in records.items()}
    return Annotation(name, videos, classes.stated, beside, (*notes, *classes.notes))


def same_names(ids: Sequence[str], others: Container[str]) -> tuple[dict[str, str], Literal["", "added", "removed"]]:
    """What each of `ids` is called among `others`, and whether the prefix "v_" was added to it or removed for that.

    ActivityNet's files begin with v_, its ids do not, and annotations are written with either. Where any id stands
    among `others` as it is, names are equal. Else the prefix is added, or removed where all ids have it, if any of
    them is found so.
    """
    plain_names = {name: name for name in ids}
    added = {name: f"{PREFIX}{name}" for name in ids}
    if any(name in others for name in ids):
        return plain_names, ""
    if any(name in others for name in added.values()):
        return added, "added"
    removed = {name: name.removeprefix(PREFIX) for name in ids if name.startswith(PREFIX)}
    if len(removed) == len(ids) and any(name in others for name in removed.values()):
        return removed, "removed"
    return plain_names, ""


def _bare(content: Mapping[str, Any], name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The videos of a file that has no "database", and what else stands in it."""
    videos = {
        key: value
        for key, value in content.items()
        if isinstance(value, Mapping) and any(meaning_of(str(own), "entry") for own in value)
    }
    beside = {key: value for key, value in content.items() if key not in videos}
    odd = [key for key in beside if plain(key) not in {*CLASS_LISTS, "version", "taxonomy", "externaldata"}]
    if not videos:
        keys = ", ".join(map(repr, list(content)[:5])) or "none"
        raise ValueError(f"{name}: holds no 'database' and no videos (keys: {keys}); expected {FORMS}")
    if odd:
        raise ValueError(
            f"{name}: holds videos, and {odd[0]!r}, which is none: {short(beside[odd[0]])}; expected {FORMS}"
        )
    return videos, beside


def _facts(entry: Mapping[str, Any], keys: Mapping[str, str], where: str) -> VideoAnnotation:
    """What an entry says apart from its records."""

    def positive(meaning: str) -> float | None:
        if meaning not in keys:
            return None
        value = finite_number(entry[keys[meaning]])
        if value is None or value <= 0:
            raise ValueError(f"{where}: {keys[meaning]} must be a positive number, got {short(entry[keys[meaning]])}")
        return value

    subset = entry[keys["subset"]] if "subset" in keys else None
    if subset is not None and not (isinstance(subset, str) and subset.strip()):
        raise ValueError(f"{where}: {keys['subset']} is {short(subset)}; expected the name of a subset")
    return VideoAnnotation(
        subset=None if subset is None else subset.strip(),
        duration=positive("duration"),
        fps=positive("fps"),
        frames=positive("frames"),
        feature_frames=positive("feature_frames"),
    )


def _with_records(facts: VideoAnnotation, records: Sequence[Record], classes: ClassNumbers) -> VideoAnnotation:
    return replace(
        facts,
        instances=tuple(Instance(classes.name_of(r), *r.times) for r in records if r.times is not None),
        labels=tuple(classes.name_of(r) for r in records if r.times is None),
    )
