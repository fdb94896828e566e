"""The timelines as still pictures for papers: one file for every video and class of its ground truth."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from amsx.data.videos import Segment, Timebase
from amsx.figures.localization import Strip, draw_localization
from amsx.localization.proposals import true_runs
from amsx.report.run_groups import Group
from amsx.report.timelines import Timelines, unpack


def draw_videos(
    folder: Path, groups: Sequence[Group], chosen: Sequence[int], kind: Literal["png", "svg"]
) -> list[Path]:
    """Draw the test videos with indices `chosen` into `folder`; the first seed of each group, all streams fused.

    Under each other stand the sampling density of every stream (its bars: where there is more than one sample a
    snippet), the branches' CASs (their bars: what Eq. 8 would teach) and the fused CAS with the proposals.
    """
    timelines = [Timelines(group.runs[0]) for group in groups]
    first = timelines[0]
    drawn = []
    for video in chosen:
        for label, segments in first.truth(video).items():
            strips = []
            for group, timeline in zip(groups, timelines, strict=True):
                prefix = f"{group.name}:\n" if len(groups) > 1 else ""
                strips += _strips(timeline, video, label, prefix)
            if strips:
                path = folder / f"{_file_name(first.ids[video])}-{_file_name(label)}.{kind}"
                truth = [Segment(start, end, label) for start, end in segments]
                drawn.append(
                    draw_localization(path, f"{first.ids[video]}: {label}", strips, truth, first.timebases[video])
                )
    return drawn


def _strips(timeline: Timelines, video: int, label: str, prefix: str) -> list[Strip]:
    timebase = timeline.timebases[video]
    outcome = timeline.outcome(video, [label])
    strips = []
    for stream, packed in outcome["density"].items():
        density = unpack(packed).astype(np.float32)
        strips.append(Strip(f"{prefix}sampling, {stream}", density, 1.0, _above(density, 1.0, timebase)))
    view = outcome["views"][timeline.views[0]]
    branches = view["cas"].get(label, {})
    if "supplementary" not in branches:
        branches.pop("base", None)  # alone it is the fused CAS
    for branch, (*packed, (threshold, *_)) in branches.items():
        cas = unpack(packed).astype(np.float32)
        intervals = _above(cas, threshold, timebase)
        if branch == "fused":
            intervals = [(start, end) for start, end, _ in view["proposals"].get(label, [])]
        strips.append(Strip(f"{prefix}{branch} CAS", cas, threshold, intervals))
    return strips


def _above(values: NDArray[np.float32], threshold: float, timebase: Timebase) -> list[tuple[float, float]]:
    return [(start, end) for start, end in timebase.to_seconds(true_runs(values > threshold)).tolist()]


def _file_name(text: str) -> str:
    return re.sub(r"[^\w.-]+", "_", text) or "_"
