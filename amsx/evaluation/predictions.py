"""Prediction files: read in any dialect, written in the full ActivityNet form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amsx.evaluation.dialects import recognize
from amsx.evaluation.records import Columns, Source, read_columns
from amsx.files import write_json


@dataclass(frozen=True)
class Predictions:
    """What a prediction file holds."""

    name: str  # what to call the file in messages
    dialect: str  # the form it has, in words
    found: Columns  # labels as in the file, numbers as their decimals
    numbered: bool  # the form says that labels are class numbers


def read_predictions(source: Source) -> Predictions:
    """The detections of a prediction file, or of its parsed content, in any form that `dialects` knows.

    Raises FileNotFoundError, or ValueError that says what is wrong: not a known form, or (naming file, video and index)
    a detection with a missing key, a NaN or infinite score or time, or an end before its start.
    """
    form, name = recognize(source)
    found = read_columns(form.entries, name, "detection", scored=True, keys=form.keys)
    return Predictions(name, form.name, found, form.numbered)


def full_form(
    results: Mapping[str, Sequence[Mapping[str, Any]]],
    version: str = "amsx",
    external_data: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """`results`, video id -> [{"label", "score", "segment": [start, end]}], as the ActivityNet form has them.

    Scores and times may be NumPy scalars. external_data: {"used", "details"}; by default it names pre-extracted
    features. Raises ValueError for what `read_predictions` would refuse.
    """
    read_columns(results, "results to write", "detection", scored=True)
    return {
        "version": version,
        "results": {str(video): [_plain(record) for record in records] for video, records in results.items()},
        "external_data": dict(external_data or {"used": True, "details": "pre-extracted snippet features"}),
    }


def write_predictions(
    path: str | Path,
    results: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    version: str = "amsx",
    external_data: Mapping[str, Any] | None = None,
) -> None:
    """Write `results` in the `full_form`, which documents the arguments.

    The file appears whole or not at all: it is written beside its place, then moved there. Raises ValueError, before
    anything is written, as `full_form` does.
    """
    content = full_form(results, version, external_data)
    write_json(path, content, indent=None)


def _plain(record: Mapping[str, Any]) -> dict[str, Any]:
    start, end = record["segment"]
    return {
        "label": str(record["label"]),
        "score": float(record["score"]),
        "segment": [float(start), float(end)],
    }
