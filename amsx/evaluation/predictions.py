"""Predictions in all their forms: recognized and read as columns, written in the full ActivityNet form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amsx.evaluation.columns import Columns, Source, listing, ordered_ends, read_columns
from amsx.evaluation.containers import Contents, read_contents
from amsx.evaluation.detection_table import NAMES, columns_of_table, columns_wanted, table_of_records
from amsx.files import collection_paused, write_json

# What is scored: a file; its parsed content, or a list of records; or columns. A data frame is taken, too.
Detections = Source | Sequence[Mapping[str, Any]] | Columns

_EXPECTED = 'expected {"results": {video id: [{"label", "score", "segment"}]}}, or the columns ' + ", ".join(NAMES)
_ACTIVITYNET = ("version", "results", "external_data")


@dataclass(frozen=True)
class Predictions:
    """Detections, and how they were read."""

    name: str  # what to call the file in messages
    form: str  # of the file, in words
    detections: Columns  # labels as in the file, numbers as their decimals
    numbered: bool  # the form says that labels are class numbers
    n_reversed: int = 0  # detections that ended before they started and had their ends exchanged


def read_predictions(source: Detections, *, order_ends: bool = False) -> Predictions:
    """The detections of a prediction file, of its parsed content, or columns as they are.

    source: a path; a mapping, a list of records or a data frame; or `Columns`, which are read as they are. A file is
    JSON (also one object a line), a pickle of plain values, a NumPy file of one object, a CSV or TSV with a header, or
    lines "video start end class score" of the THUMOS14 challenge, and may be packed by gzip.

    The forms known are the same in each of them: ActivityNet's {"version", "results", "external_data"}, of which only
    "results" has to be there; ActionFormer's {"database": {video id: [{"label_id", "scores", "segment"}]}}; and a table
    of the columns "video-id", "t-start", "t-end", "label" and "score" in their usual spellings (see `columns_wanted`),
    by columns or by records. `Columns` count as ActivityNet's form, in which they are written. Detections are in the
    order of the file. order_ends: exchange the ends of a detection that ends before it starts, and count it.

    Raises FileNotFoundError, or ValueError that says what is wrong: a file of no known form, or (naming file, video and
    index) a detection with a missing key, a NaN or infinite score or time, or an end before its start
    (unless order_ends).
    """
    if isinstance(source, Columns):
        return Predictions("predictions", "ActivityNet form", source, numbered=False)
    with collection_paused():
        if isinstance(source, str | Path):
            contents, name = read_contents(source), str(source)
        else:
            contents, name = Contents(source, ""), "predictions"
        detections, form, numbered = _read(contents.content, name, order_ends)
    if contents.lines:
        form, numbered = "THUMOS14 challenge lines", True
    elif contents.kind:
        form += f" ({contents.kind})"
    detections, n_reversed = ordered_ends(detections)
    return Predictions(name, form, detections, numbered, n_reversed)


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


def _read(content: Any, name: str, order_ends: bool) -> tuple[Columns, str, bool]:
    """The detections in parsed content, its form in words, and whether labels are class numbers by that form."""
    if hasattr(content, "to_dict") and hasattr(content, "columns"):  # a data frame
        content = {str(column): content[column].tolist() for column in content.columns}
    if isinstance(content, list | tuple) and content and isinstance(content[0], Mapping):
        content = table_of_records(content, name)
    if not isinstance(content, Mapping):
        raise ValueError(f"{name}: holds a {type(content).__name__}; expected a JSON object or the like: {_EXPECTED}")
    if isinstance(content.get("columns"), list) and isinstance(content.get("data"), list):  # as pandas splits a frame
        content = dict(zip(content["columns"], map(list, zip(*content["data"], strict=True)), strict=True))
    results, database = content.get("results"), content.get("database")
    if isinstance(results, Mapping) and isinstance(database, Mapping):
        raise ValueError(f"{name}: holds both 'results' and 'database', either of which may be meant; keep one of them")
    if isinstance(results, Mapping):
        return _by_video(results, name, order_ends), _activitynet(content), False
    if isinstance(database, Mapping):
        _refuse_annotation(database, name)
        keys = ("label_id", "segment", "scores")
        return _by_video(database, name, order_ends, keys), "ActionFormer form (database)", True
    wanted = columns_wanted(content, name)
    if wanted is not None:
        form = " ".join(filter(None, ["table of columns", wanted.words]))
        return columns_of_table(content, wanted, name, any_order=order_ends), form, wanted.numbered
    _refuse_annotation(content, name)
    raise ValueError(
        f"{name}: no object under 'results' (keys: {listing(list(map(str, content))) or 'none'}); expected {_EXPECTED}"
    )


def _by_video(
    entries: Mapping[str, Any], name: str, order_ends: bool, keys: Sequence[str] = ("label", "segment", "score")
) -> Columns:
    return read_columns(entries, name, "detection", scored=True, keys=keys, any_order=order_ends)


def _refuse_annotation(entries: Mapping[str, Any], name: str) -> None:
    """ValueError where an entry is that of an annotated video: somebody gave the files in the other order."""
    if any(isinstance(entry, Mapping) and {"annotations", "actions"} & set(entry) for entry in entries.values()):
        raise ValueError(
            f"{name}: no object under 'results', and it holds annotated videos: this is a ground truth "
            "(predictions come first, then the ground truth)"
        )


def _activitynet(content: Mapping[str, Any]) -> str:
    lacking = [key for key in _ACTIVITYNET if key not in content]
    added = [repr(str(key)) for key in content if key not in _ACTIVITYNET]
    differs = [f"without {' and '.join(lacking)}"] if lacking else []
    differs += [f"with {' and '.join(added)}"] if added else []
    return "ActivityNet form" + (" " if differs else "") + ", ".join(differs)
