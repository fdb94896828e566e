"""From the saved activations of all streams to detections in seconds."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from amsx.data.videos import Timebase
from amsx.localization.fusion import Activations
from amsx.localization.options import PostProcessing
from amsx.localization.proposals import propose


def detect(
    activations: Activations,
    ids: Sequence[str],
    classes: Sequence[str],
    timebases: Sequence[Timebase],
    options: PostProcessing,
) -> dict[str, list[dict[str, Any]]]:
    """id -> [{"label", "score", "segment": [start, end] in seconds}] for every video, best first.

    Of equal scores, the class that comes first in `classes` is first, then the earlier start, then the earlier end.
    """
    found = propose(activations, options)
    edges = np.searchsorted(found.video, np.arange(len(ids) + 1))
    results = {}
    for video, name in enumerate(ids):
        own = np.arange(edges[video], edges[video + 1])
        own = own[np.argsort(-found.score[own], kind="stable")]
        timebase = timebases[video]
        columns = (found.label[own], found.score[own], timebase.to_seconds(found.start[own]))
        rows = zip(*(column.tolist() for column in (*columns, timebase.to_seconds(found.end[own]))), strict=True)
        results[name] = [
            {"label": classes[label], "score": score, "segment": [start, end]} for label, score, start, end in rows
        ]
    return results
