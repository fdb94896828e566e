"""Ground truth files: which videos are scored, their instances and their ambiguous spans."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from amsx.evaluation.ambiguous import AMBIGUOUS, Spans, read_spans
from amsx.evaluation.records import Columns, Source, load_json, read_columns
from amsx.evaluation.subsets import Database, census, choose_subset, listed_videos, subset_of


@dataclass(frozen=True)
class GroundTruth:
    """The instances of the videos to score. Times in the file's unit (seconds)."""

    name: str  # what to call the file in messages
    subset: str | None  # in its one spelling ("test"); None where the file has none or the videos are listed
    videos: tuple[str, ...]  # scored, sorted
    left_out: frozenset[str]  # of other subsets, not listed or excluded: their detections are not scored
    only_listed: bool  # True: the videos were listed, so detections in any other are not scored
    classes: tuple[str, ...]  # those with an instance, sorted (by value where they are numbers)
    known_labels: frozenset[str]  # every label in the file, of other subsets too
    label_ids: frozenset[tuple[int, str]]  # every (label_id, label) in the file, where annotations carry label_id
    instances: Columns  # label indexes `classes`, video indexes `videos`, in the order of the file per video
    ambiguous: Columns  # video indexes `videos`
    durations: np.ndarray  # (V,) float64, of `videos`; NaN where the file gives no positive number
    notes: tuple[str, ...]  # what was decided, to be said out loud


def read_ground_truth(
    source: Source,
    *,
    subset: str | None = None,
    videos: str | Path | Collection[str] | None = None,
    exclude: Collection[str] = (),
    ambiguous: Spans | None = None,
) -> GroundTruth:
    """Read {"database": {video id: {"subset", "annotations": [{"label", "segment": [start, end]}]}}}.

    subset: the videos to score, "train", "validation" or "test" in any usual spelling (Validation, testing,
    val), or a name of the file's own. None takes the only annotated subset; of several "test", else
    "validation", and says so in `notes`; else it is an error. videos: a split file (one id in a line) or ids,
    in place of a subset. exclude: ids to leave out. ambiguous: spans beside those that the file itself labels
    "Ambiguous". Raises FileNotFoundError, or ValueError naming file, video and annotation.
    """
    content, name = load_json(source, "ground truth")
    database = _check_database(content.get("database"), name, list(content))
    if isinstance(exclude, str):
        raise TypeError(f"exclude is the string {exclude!r}; expected a collection of video ids")
    if videos is not None and subset is not None:
        raise ValueError(f"both subset {subset!r} and a list of videos are given; expected one of them")
    if videos is not None:
        chosen, notes = listed_videos(videos, database, name)
    else:
        found, notes = choose_subset(database, subset, name)
        chosen = [video for video, entry in database.items() if subset_of(entry) == found]
        subset = found or None
    for video in exclude:
        if video not in database and video not in chosen:
            raise ValueError(f"{name}: there is no video {video!r} to exclude")
    kept = sorted(set(chosen) - set(exclude))
    if len(kept) < len(chosen):
        notes.append(f"{len(chosen) - len(kept)} videos excluded")

    entries = {video: database.get(video, {}).get("annotations", []) for video in kept}
    columns = read_columns(entries, name, "annotation", scored=False)
    classes = sorted(set(columns.labels) - {AMBIGUOUS}, key=_by_value)
    if not classes:
        raise ValueError(
            f"{name}: no annotated instance in the {len(kept)} videos chosen; the file has {census(database)}"
        )
    code = {label: i for i, label in enumerate(classes)}
    label = np.array([code.get(label, -1) for label in columns.labels], dtype=np.int64)[columns.label]
    instances = replace(columns, labels=tuple(classes), label=label).rows(np.flatnonzero(label >= 0))
    n_empty = int((instances.start == instances.end).sum())
    if n_empty:
        notes.append(f"{n_empty} instances of zero length: nothing can find them")
    labels = _labels(database)
    return GroundTruth(
        name=name,
        subset=subset,
        videos=columns.videos,
        left_out=frozenset(set(database) - set(kept) | set(exclude)),
        only_listed=videos is not None,
        classes=tuple(classes),
        known_labels=frozenset(label for _, label in labels),
        label_ids=frozenset((number, label) for number, label in labels if number is not None),
        instances=instances,
        ambiguous=read_spans(ambiguous, columns.rows(np.flatnonzero(label < 0))),
        durations=np.array([_duration(database.get(video, {})) for video in kept], dtype=np.float64),
        notes=tuple(notes),
    )


def _check_database(database: object, name: str, keys: list[str]) -> Database:
    if not isinstance(database, Mapping):
        raise ValueError(
            f"{name}: no object under 'database' (keys: {', '.join(map(repr, keys)) or 'none'}); expected "
            '{"database": {video id: {"subset", "annotations": [{"label", "segment"}]}}}'
        )
    for video, entry in database.items():
        if not isinstance(entry, Mapping):
            raise ValueError(f"{name}: video {video!r} holds a {type(entry).__name__}; expected an object")
    return {str(video): entry for video, entry in database.items()}


def _labels(database: Database) -> set[tuple[int | None, str]]:
    """Every label in a file with its label_id, as far as these are well-formed."""
    annotations = (entry.get("annotations") or () for entry in database.values())
    return {
        (number if type(number := a.get("label_id")) is int else None, str(a["label"]))
        for of_video in annotations
        for a in of_video
        if (type(a) is dict or isinstance(a, Mapping)) and "label" in a  # asking an abstract class is slow
    }


def _duration(entry: Mapping[str, Any]) -> float:
    """The length of a video; NaN where its entry gives none that is a positive number."""
    try:
        duration = float(entry.get("duration", np.nan))
    except (TypeError, ValueError):
        return np.nan
    return duration if 0 < duration < np.inf else np.nan


def _by_value(label: str) -> tuple[bool, int, str]:
    return (not label.isdecimal(), int(label) if label.isdecimal() else 0, label)
