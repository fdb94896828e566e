"""Ground truth files: the videos to score, their instances and their ambiguous spans.

An ambiguous span is a time of a video of which nobody can tell whether an action takes place (THUMOS14).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amsx.evaluation.columns import Columns, Source, load_json, quoted, read_columns
from amsx.evaluation.selection import DEFAULT_SELECTION, Database, Selection, Spans, chosen_videos, subset_sizes
from amsx.files import read_text
from amsx.records import AMBIGUOUS, whole_number


@dataclass(frozen=True)
class GroundTruth:
    """The instances of the videos to score. Times in the file's unit (seconds)."""

    name: str  # what to call the file in messages
    subset: str | None  # in its one spelling ("test"); None where the file has none or the videos are listed
    videos: tuple[str, ...]  # scored, sorted
    left_out: frozenset[str]  # of other subsets, not listed or excluded: their detections are not scored
    unknown_exclusions: frozenset[str]  # to exclude, but not in the file: perhaps the predictions hold them
    only_listed: bool  # True: the videos were listed, so detections in any other are not scored
    classes: tuple[str, ...]  # those with an instance, sorted (by value where they are numbers)
    known_labels: frozenset[str]  # every label in the file, of other subsets too
    label_ids: frozenset[tuple[int, str]]  # every (label_id, label) in the file, where annotations carry label_id
    instances: Columns  # label indexes `classes`, video indexes `videos`, in the order of the file per video
    ambiguous: Columns  # video indexes `videos`
    ambiguous_elsewhere: Columns  # spans of videos that neither the file nor the selection names; videos of their own
    durations: NDArray[
        np.float64
    ]  # (V,) of `videos`, in the unit of the segments; NaN where the file gives no positive number
    notes: tuple[str, ...]  # sentences on what was decided, for the reader of the score


def read_ground_truth(source: Source, selection: Selection = DEFAULT_SELECTION) -> GroundTruth:
    """Read {"database": {video id: {"subset", "annotations": [{"label", "segment": [start, end]}]}}}.

    selection: which of its videos are scored, and further ambiguous spans. Raises FileNotFoundError, or ValueError
    naming file, video and annotation, or what cannot be selected.
    """
    content, name = load_json(source, "ground truth")
    database = _check_database(content.get("database"), name, list(content))
    kept, subset, notes = chosen_videos(selection, database, name)

    entries = {video: database.get(video, {}).get("annotations", []) for video in kept}
    columns = read_columns(entries, name, "annotation", scored=False)
    classes = sorted(set(columns.labels) - {AMBIGUOUS}, key=_by_value)
    if not classes:
        raise ValueError(
            f"{name}: no annotated instance in the {len(kept)} videos chosen; the file has {subset_sizes(database)}"
        )
    code = {label: i for i, label in enumerate(classes)}
    label = np.array([code.get(label, -1) for label in columns.labels], dtype=np.int64)[columns.label]
    instances = replace(columns, labels=tuple(classes), label=label).rows(np.flatnonzero(label >= 0))
    n_empty = int((instances.start == instances.end).sum())
    if n_empty:
        notes.append(f"{n_empty} instances of zero length: nothing can find them")
    labels = _labels(database)
    ambiguous, elsewhere = _read_spans(selection.ambiguous, columns.rows(np.flatnonzero(label < 0)), set(database))
    return GroundTruth(
        name=name,
        subset=subset,
        videos=columns.videos,
        left_out=frozenset(set(database) - set(kept) | set(selection.exclude)),
        unknown_exclusions=frozenset(set(selection.exclude) - set(database) - set(kept)),
        only_listed=selection.videos is not None,
        classes=tuple(classes),
        known_labels=frozenset(label for _, label in labels),
        label_ids=frozenset((number, label) for number, label in labels if number is not None),
        instances=instances,
        ambiguous=ambiguous,
        ambiguous_elsewhere=elsewhere,
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
        (whole_number(a.get("label_id")), str(a["label"]))
        for of_video in annotations
        for a in of_video
        if (type(a) is dict or isinstance(a, Mapping)) and "label" in a  # asking an abstract class is slow
    }


def _read_spans(spans: Spans | None, marked: Columns, known: set[str]) -> tuple[Columns, Columns]:
    """The spans of the videos of `marked`, and those of videos that are not `known`; all labelled AMBIGUOUS.

    The first are those that the ground truth has `marked`, and those of `spans` in the same videos.
    """
    if isinstance(spans, str | Path):
        name, listed = str(spans), _read_lines(Path(spans))
    else:
        name, listed = "ambiguous spans", spans or {}
    added: dict[str, list[Any]] = {video: [*listed.get(video, ())] for video in marked.videos}
    for video, start, end in zip(marked.video, marked.start, marked.end, strict=True):
        added[marked.videos[video]].append([start, end])
    others = {str(video): list(spans) for video, spans in listed.items() if str(video) not in known | set(added)}
    return _spans(added, name), _spans(others, name)


def _spans(listed: Mapping[str, Sequence[Any]], name: str) -> Columns:
    entries = {video: [{"label": AMBIGUOUS, "segment": span} for span in spans] for video, spans in listed.items()}
    return read_columns(entries, name, "span", scored=False)


def _read_lines(path: Path) -> Mapping[str, Sequence[Any]]:
    if not path.is_file():
        raise FileNotFoundError(f"file of ambiguous spans {path} does not exist")
    spans: dict[str, list[Any]] = {}
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        fields = line.split()
        if fields and len(fields) != 3:
            raise ValueError(
                f"{path}, line {number}: {quoted(line)}; expected a video id, a start and an end in seconds"
            )
        if fields:
            spans.setdefault(fields[0], []).append(fields[1:])
    return spans


def _duration(entry: Mapping[str, Any]) -> float:
    """The length of a video; NaN where its entry gives none that is a positive number."""
    try:
        duration = float(entry.get("duration", np.nan))
    except (TypeError, ValueError):
        return np.nan
    return duration if 0 < duration < np.inf else np.nan


def _by_value(label: str) -> tuple[bool, int, str]:
    return (not label.isdecimal(), int(label) if label.isdecimal() else 0, label)
