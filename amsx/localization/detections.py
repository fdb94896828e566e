"""From the saved activations of all streams to detections in seconds."""

from collections.abc import Sequence
from typing import Any

from amsx.data.videos import Timebase
from amsx.localization.fusion import Activations
from amsx.localization.proposals import propose


def detect(
    activations: Activations,
    ids: Sequence[str],
    classes: Sequence[str],
    timebases: Sequence[Timebase],
    *,
    class_threshold: float,
    threshold: float,
) -> dict[str, list[dict[str, Any]]]:
    """id -> [{"label", "score", "segment": [start, end] in seconds}] for every video, best first."""
    found = propose(activations, class_threshold=class_threshold, threshold=threshold)
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in ids}
    for video, label, start, end, score in zip(*(column.tolist() for column in found), strict=True):
        timebase = timebases[video]
        segment = [float(timebase.to_seconds(start)), float(timebase.to_seconds(end))]
        results[ids[video]].append({"label": classes[label], "score": score, "segment": segment})
    for detections in results.values():
        detections.sort(key=lambda d: -d["score"])
    return results
