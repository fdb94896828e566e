"""A detection evaluator built like the common ActivityNet one, from data frames and Python loops over their rows.

It is written for comparison. For each class it loops over the detections in order of score, fetches the ground truth of
the detection's video from a `groupby`, and for each threshold loops over that ground truth in order of falling tIoU.
"""

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import UnavailableError


def load_pandas() -> ModuleType:
    """pandas, which only this benchmark needs. UnavailableError where it is not installed."""
    try:
        import pandas
    except ImportError:
        raise UnavailableError("pandas is not here; to compare with it: pip install pandas") from None
    return pandas


def mean_ap(pandas: ModuleType, predictions: dict[str, Any], truth: dict[str, Any], tiou: list[float]) -> list[float]:
    """mAP in percent at each threshold under the ActivityNet rules, from the parsed ActivityNet form."""
    annotations = {video: entry["annotations"] for video, entry in truth["database"].items()}
    instances = _frame(pandas, annotations)
    detections = _frame(pandas, predictions["results"])
    detections_of, instances_of = detections.groupby("label"), instances.groupby("label")
    per_class = []
    for label in sorted(instances["label"].unique()):
        if label not in detections_of.groups:
            per_class.append(np.zeros(len(tiou)))
            continue
        of_class = [groups.get_group(label).reset_index(drop=True) for groups in (detections_of, instances_of)]
        per_class.append(_class_ap(of_class[0], of_class[1], tiou))
    return list(100 * np.mean(per_class, axis=0))


def _frame(pandas: ModuleType, entries: dict[str, Any]) -> Any:
    rows = [
        (video, record["label"], float(record["segment"][0]), float(record["segment"][1]), record.get("score", 0.0))
        for video, records in entries.items()
        for record in records
    ]
    return pandas.DataFrame(rows, columns=["video", "label", "start", "end", "score"])


def _class_ap(detections: Any, instances: Any, tiou: list[float]) -> NDArray[np.float64]:
    """(K,) average precision of one class."""
    order = detections["score"].values.argsort(kind="stable")[::-1]
    detections = detections.loc[order].reset_index(drop=True)
    correct = np.zeros((len(tiou), len(detections)))
    wrong = np.zeros((len(tiou), len(detections)))
    taken = np.zeros((len(tiou), len(instances)), dtype=bool)
    by_video = instances.groupby("video")
    for rank, detection in detections.iterrows():
        try:
            of_video = by_video.get_group(detection["video"])
        except KeyError:
            wrong[:, rank] = 1
            continue
        candidates = of_video.reset_index()
        overlap = _tiou(detection[["start", "end"]].values, candidates[["start", "end"]].values)
        for k, threshold in enumerate(tiou):
            for place in overlap.argsort()[::-1]:
                if overlap[place] < threshold:
                    break
                instance = candidates.loc[place]["index"]
                if not taken[k, instance]:
                    taken[k, instance] = True
                    correct[k, rank] = 1
                    break
            wrong[k, rank] = 1 - correct[k, rank]
    hits, misses = np.cumsum(correct, axis=1), np.cumsum(wrong, axis=1)
    recall, precision = hits / len(instances), hits / (hits + misses)
    return np.array([_area(precision[k], recall[k]) for k in range(len(tiou))])


def _tiou(segment: NDArray[Any], others: NDArray[Any]) -> NDArray[np.float64]:
    """(n,) tIoU of one segment (2,) with each of the others (n, 2)."""
    shared = np.minimum(segment[1], others[:, 1]) - np.maximum(segment[0], others[:, 0])
    shared = shared.clip(0).astype(float)
    return shared / ((others[:, 1] - others[:, 0]) + (segment[1] - segment[0]) - shared).astype(float)


def _area(precision: NDArray[np.float64], recall: NDArray[np.float64]) -> float:
    """The area under the envelope of the precision-recall curve, from its points in order of rank."""
    precision = np.concatenate([[0], precision, [0]])
    recall = np.concatenate([[0], recall, [1]])
    for i in range(len(precision) - 1, 0, -1):
        precision[i - 1] = max(precision[i - 1], precision[i])
    steps = np.flatnonzero(recall[1:] != recall[:-1]) + 1
    return float(((recall[steps] - recall[steps - 1]) * precision[steps]).sum())
