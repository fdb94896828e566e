"""From the saved activations of all streams to detections in seconds."""

from collections.abc import Sequence

import numpy as np

from amsx.data.videos import Timebase
from amsx.evaluation.columns import Columns
from amsx.localization.fusion import Activations
from amsx.localization.post_processing import PostProcessing
from amsx.localization.proposals import propose


def detect(
    activations: Activations,
    ids: Sequence[str],
    classes: Sequence[str],
    timebases: Sequence[Timebase],
    options: PostProcessing,
) -> Columns:
    """The detections of every video in seconds, video by video, best first.

    Of equal scores, the class that comes first in `classes` is first, then the earlier start, then the earlier end.
    Raises ValueError where activations are not finite.
    """
    proposals = propose(activations, options)
    edges = np.searchsorted(proposals.video, np.arange(len(ids) + 1))
    order = np.lexsort((-proposals.score, proposals.video))  # stable: equals stay in the order of the proposals
    start, end = np.empty(len(order)), np.empty(len(order))
    inward = 0.5 if options.ends == "centres" else 0.0  # snippets
    for video, timebase in enumerate(timebases):
        rows = slice(edges[video], edges[video + 1])
        start[rows] = timebase.to_seconds(proposals.start[rows] + inward)
        end[rows] = timebase.to_seconds(proposals.end[rows] - inward)
    return Columns.from_arrays(
        ids,
        classes,
        video=proposals.video[order],
        label=proposals.label[order],
        start=start[order],
        end=end[order],
        score=proposals.score[order],
    )
