"""Prediction files: read leniently, written in the full ActivityNet form."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from amsx.evaluation.records import Columns, Source, load_json, read_columns


def read_predictions(source: Source) -> tuple[Columns, str]:
    """The detections of a prediction file (or of its parsed content), and the name to call it by in messages.

    Expected is {"results": {video id: [{"label", "score", "segment": [start, end]}]}}, with or without
    "version", "external_data" or other keys. Integer labels count as their decimal strings.
    Raises FileNotFoundError, or ValueError that names file, video and index of a detection with a missing
    key, a NaN or infinite score or time, or an end before its start.
    """
    content, name = load_json(source, "predictions")
    results = content.get("results")
    if not isinstance(results, Mapping):
        raise ValueError(
            f"{name}: no object under 'results' (keys: {', '.join(map(repr, content)) or 'none'}); "
            'expected {"results": {video id: [{"label", "score", "segment"}]}}'
        )
    return read_columns(results, name, "detection", scored=True), name


def write_predictions(
    path: str | Path,
    results: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    version: str = "amsx",
    external_data: Mapping[str, Any] | None = None,
) -> None:
    """Write `results`, video id -> [{"label", "score", "segment": [start, end]}], in the ActivityNet form.

    Scores and times may be NumPy scalars. The file appears whole or not at all: it is written beside its
    place, then moved there. external_data: {"used", "details"}; by default it names pre-extracted features.
    Raises ValueError, before anything is written, for what `read_predictions` would refuse.
    """
    read_columns(results, "results to write", "detection", scored=True)
    content = {
        "version": version,
        "results": {str(video): [_plain(record) for record in records] for video, records in results.items()},
        "external_data": dict(external_data or {"used": True, "details": "pre-extracted snippet features"}),
    }
    path = Path(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        beside.write_text(json.dumps(content) + "\n", encoding="utf-8")
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _plain(record: Mapping[str, Any]) -> dict[str, Any]:
    start, end = record["segment"]
    return {
        "label": str(record["label"]),
        "score": float(record["score"]),
        "segment": [float(start), float(end)],
    }
