"""Class numbers to class names: what a prediction file's integer labels mean."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from amsx.evaluation.columns import Columns, listing, read_bytes
from amsx.evaluation.ground_truth import GroundTruth
from amsx.evaluation.predictions import Predictions
from amsx.evaluation.selection import ClassList
from amsx.files import as_text

_ADVICE = "a class list (--labels FILE: one name a line, or lines 'number name') says which names they stand for"


def resolve_labels(predictions: Predictions, truth: GroundTruth, class_list: ClassList | None) -> tuple[Columns, str]:
    """The detections with labels as the ground truth spells them, and in words how integer labels were read.

    Labels that are not all integers stay as they are. Integers are looked up in `class_list` where there is one, else
    among the ground truth's own labels (which may be numbers) or its annotations' `label_id`, whichever fits. Raises
    ValueError where none fits, where both fit and disagree, or where a number stands for nothing.
    """
    detections, name = predictions.detections, predictions.name
    numbers = [_whole(label) for label in detections.labels]
    if not all(number is not None for number in numbers) or not numbers:
        if class_list is not None and numbers:
            raise ValueError(
                f"{name}: its labels are names ({listing(detections.labels)}), so there is no use for a class list"
            )
        return detections, ""
    if class_list is not None:
        names, origin = read_class_list(class_list)
        return _renamed(detections, names, name, origin), f"integer labels by {origin}"
    own = not predictions.numbered and bool(set(detections.labels) & truth.known_labels)
    ids = _by_id(truth)
    if not ids and (own or set(detections.labels) & truth.known_labels):
        return detections, f"integer labels as {truth.name} spells them"
    if not ids:
        raise ValueError(
            f"{name}: its labels are integers ({listing(detections.labels)}), but {truth.name} has names "
            f"({listing(truth.classes)}) and no label_id; {_ADVICE}"
        )
    if own:
        if any(ids.get(int(label), label) != label for label in detections.labels):
            raise ValueError(
                f"{name}: its labels are integers ({listing(detections.labels)}), and {truth.name} has such "
                f"labels as well as other numbers in label_id; {_ADVICE}"
            )
        return detections, f"integer labels as {truth.name} spells them"
    origin = f"the label_id of {truth.name}"
    return _renamed(detections, ids, name, origin), f"integer labels by {origin}"


def read_class_list(class_list: ClassList) -> tuple[dict[int, str], str]:
    """Class number -> name, and what to call the list; ValueError where a number or a name comes twice."""
    if isinstance(class_list, Mapping):
        return {int(number): str(name) for number, name in class_list.items()}, "the class list"
    if not isinstance(class_list, str | Path):
        return _numbered([str(name) for name in class_list], "the class list"), "the class list"
    origin = str(class_list)
    text = as_text(read_bytes(class_list, "class list"), origin)
    try:
        names = json.loads(text)
    except ValueError:
        names = [line.strip() for line in text.split("\n") if line.strip()]
        pairs = [line.split(maxsplit=1) for line in names]
        if pairs and all(len(pair) == 2 and _whole(pair[0]) is not None for pair in pairs):
            numbers = [int(number) for number, _ in pairs]
            if len(set(numbers)) < len(numbers):
                raise ValueError(f"{origin}: a class number comes twice") from None
            return dict(zip(numbers, _unique([label for _, label in pairs], origin), strict=True)), origin
    if not isinstance(names, list) or not all(isinstance(label, str) for label in names):
        raise ValueError(f"{origin}: expected class names, one a line, lines 'number name', or a JSON list of names")
    return _numbered(names, origin), origin


def _numbered(names: list[str], origin: str) -> dict[int, str]:
    if not names:
        raise ValueError(f"{origin} is empty; expected class names")
    return dict(enumerate(_unique(names, origin)))


def _unique(names: list[str], origin: str) -> list[str]:
    if len(set(names)) < len(names):
        raise ValueError(f"{origin}: a class name comes twice")
    return names


def _whole(label: str) -> int | None:
    return int(label) if label.strip().removeprefix("-").isdecimal() else None


def _by_id(truth: GroundTruth) -> dict[int, str]:
    """label_id -> label of the ground truth; ValueError where an id has two labels."""
    ids: dict[int, str] = {}
    for number, label in sorted(truth.label_ids):
        if ids.setdefault(number, label) != label:
            raise ValueError(f"{truth.name}: label_id {number} stands for {ids[number]!r} and for {label!r}; {_ADVICE}")
    return ids


def _renamed(detections: Columns, names: Mapping[int, str], name: str, origin: str) -> Columns:
    unknown = [label for label in detections.labels if int(label) not in names]
    if unknown:
        raise ValueError(
            f"{name}: label {listing(unknown)} stands for no class of {origin}, which has {len(names)} numbers, "
            f"{min(names)} to {max(names)}; {_ADVICE}"
        )
    labels = tuple(dict.fromkeys(names[int(label)] for label in detections.labels))
    code = np.array([labels.index(names[int(label)]) for label in detections.labels], dtype=np.int64)
    return replace(detections, labels=labels, label=code[detections.label])
