"""Annotation files in the ActivityNet form: {"database": {id: {"subset", "duration", "annotations"}}}."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from amsx.data.videos import Dataset, Subset, Video

Subsets = Mapping[Subset, str]  # how a layout spells "train" and "test"
PLAIN: Subsets = {"train": "train", "test": "test"}
ACTIVITY_NET: Subsets = {"train": "training", "test": "validation"}  # its test videos' annotation is not public


def database(dataset: Dataset, subsets: Subsets = PLAIN) -> dict[str, dict[str, Any]]:
    """Video id -> its annotation; a label without a segment gets an empty one, which says the label and no place."""
    ids = {label: i for i, label in enumerate(dataset.classes)}
    return {video.id: _entry(video, ids, subsets[video.subset]) for video in dataset.videos}


def write_json(path: Path, database: Mapping[str, Any], **more: Any) -> None:
    """The file, with `more` beside the database."""
    text = json.dumps({"version": "amsx", **more, "database": database})
    path.write_text(text + "\n", encoding="utf-8")


def all_labels(dataset: Dataset) -> list[str]:
    """Every label of a video or a segment, sorted: also those that only test videos have, which are no class."""
    labels = {label for video in dataset.videos for label in video.labels}
    return sorted(labels | {segment.label for video in dataset.videos for segment in video.segments})


def subsets_option(dataset: Dataset, subsets: Subsets) -> dict[str, Any]:
    """The reader's option that is needed where validation is the test set and there is no training set to say so."""
    return {} if dataset.subset("train") else {"subsets": {subsets["test"]: "test"}}


def _entry(video: Video, ids: Mapping[str, int], subset: str) -> dict[str, Any]:
    spans = [(segment.label, segment.start, segment.end) for segment in video.segments]
    spans += [(label, 0.0, 0.0) for label in video.labels if label not in {s.label for s in video.segments}]
    annotations = [
        {"label": label, "segment": [start, end], **({"label_id": ids[label]} if label in ids else {})}
        for label, start, end in spans
    ]
    known = {} if video.duration is None else {"duration": video.duration}
    return {"subset": subset, **known, "annotations": annotations}
