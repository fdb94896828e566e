"""Ground truth files: the videos to score, their instances and their ambiguous spans."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from amsx.annotations import VideoAnnotation, parse_annotation
from amsx.evaluation.columns import Columns, Source, load_json, ordered_ends
from amsx.evaluation.selection import DEFAULT_SELECTION, Database, Selection, chosen_videos, spelt_as, subset_sizes
from amsx.evaluation.spans import read_spans
from amsx.records import AMBIGUOUS


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


def read_ground_truth(
    source: Source, selection: Selection = DEFAULT_SELECTION, *, order_ends: bool = False
) -> GroundTruth:
    """Read an annotation file, or its parsed content, in any form of `amsx.annotations`.

    selection: which of its videos are scored, and further ambiguous spans. order_ends: exchange the ends of an instance
    or a span that ends before it starts, and count it; else that is an error. Raises FileNotFoundError, or ValueError
    naming file, video and annotation, or what cannot be selected.
    """
    content, name = load_json(source, "ground truth")
    # Records may have a label and no segment, which is all that training videos need; not so in videos that are scored.
    annotation = parse_annotation(content, name, labels_alone=True, any_order=order_ends)
    database = annotation.videos
    kept, subset, notes = chosen_videos(selection, database, name)
    if any(database[video].labels for video in kept if video in database):
        entries = content.get("database", content)
        parse_annotation({"database": {v: entries[v] for v in kept if v in database}}, name, any_order=order_ends)

    columns, n_reversed = ordered_ends(_columns(kept, database))
    if n_reversed:
        notes.append(f"{n_reversed} annotated segments end before they start; their two ends were exchanged")
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
    marked = replace(columns, labels=(AMBIGUOUS,), label=np.zeros_like(label)).rows(np.flatnonzero(label < 0))
    ambiguous, elsewhere, on_spans = read_spans(selection.ambiguous, marked, set(database), order_ends=order_ends)
    excluded, on_excluded = spelt_as(list(selection.exclude), database, "the ids to exclude")
    return GroundTruth(
        name=name,
        subset=subset,
        videos=columns.videos,
        left_out=frozenset(set(database) - set(kept) | set(excluded.values())),
        unknown_exclusions=frozenset(set(excluded.values()) - set(database) - set(kept)),
        only_listed=selection.videos is not None,
        classes=tuple(classes),
        known_labels=frozenset(_labels(database)),
        label_ids=annotation.label_ids,
        instances=instances,
        ambiguous=ambiguous,
        ambiguous_elsewhere=elsewhere,
        durations=np.array([database.get(video, VideoAnnotation()).duration or np.nan for video in kept]),
        notes=(*annotation.notes, *notes, *on_spans, *on_excluded),
    )


def _columns(kept: Sequence[str], database: Database) -> Columns:
    """The instances of the videos `kept`, those labelled Ambiguous too; an end may come before its start."""
    rows = [(v, one) for v, video in enumerate(kept) if video in database for one in database[video].instances]
    labels = tuple(dict.fromkeys(one.label for _, one in rows))
    code = {label: i for i, label in enumerate(labels)}
    return Columns(
        videos=tuple(kept),
        labels=labels,
        video=np.array([v for v, _ in rows], dtype=np.int64),
        label=np.array([code[one.label] for _, one in rows], dtype=np.int64),
        start=np.array([one.start for _, one in rows], dtype=np.float64),
        end=np.array([one.end for _, one in rows], dtype=np.float64),
        score=np.zeros(len(rows)),
    )


def _labels(database: Database) -> set[str]:
    """Every label in a file, of videos that are not scored, too."""
    return {label for entry in database.values() for label in (*entry.labels, *(one.label for one in entry.instances))}


def _by_value(label: str) -> tuple[bool, int, str]:
    return (not label.isdecimal(), int(label) if label.isdecimal() else 0, label)
