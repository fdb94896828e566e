"""The timelines as still pictures for papers: one file for every video and class of its ground truth."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from amsx.figures.canvas import PictureFormat
from amsx.figures.strips import Intervals, Kind, Strip, density_strip, draw_strips, intervals_above, truth_strip
from amsx.file_names import picture_names
from amsx.report.run_groups import Group
from amsx.report.timelines import Timelines, unpack


def draw_timelines(folder: Path, groups: Sequence[Group], chosen: Sequence[int], kind: PictureFormat) -> list[Path]:
    """Draw the test videos with indices `chosen` into `folder`; the first seed of each group, all streams fused.

    Under each other stand the sampling density of every stream (its bars: where it slows down), the branches' CASs
    (their bars: the pseudo-labels of Eq. 8) and the fused CAS with the proposals.
    """
    timelines = [Timelines(group.runs[0]) for group in groups]
    first = timelines[0]
    names = picture_names((name, label) for i, name in enumerate(first.ids) for label in first.truth(i))
    drawn = []
    for video in chosen:
        for label, segments in first.truth(video).items():
            strips = []
            for group, timeline in zip(groups, timelines, strict=True):
                prefix = f"{group.name}:\n" if len(groups) > 1 else ""
                strips += timeline_strips(timeline, video, label, prefix)
            if strips:
                path = folder / names[first.ids[video], label]
                title, timebase = f"{first.ids[video]}: {label}", first.timebases[video]
                truth = [(start, end) for start, end in segments]
                drawn += draw_strips(path, title, [*strips, truth_strip(truth)], truth, timebase, formats=[kind])
    return drawn


def timeline_strips(timeline: Timelines, video: int, label: str, prefix: str = "") -> list[Strip]:
    """The strips of one run, video and class; `prefix` stands before their names."""
    timebase = timeline.timebases[video]
    outcome = timeline.outcome(video, [label])
    strips = []
    for stream, packed in outcome["density"].items():
        strips.append(density_strip(f"{prefix}sampling, {stream}", unpack(packed), timebase))
    view = outcome["views"][timeline.views[0]]
    branches: dict[Kind, Sequence[Any]] = view["cas"].get(label, {})
    if "supplementary" not in branches:
        branches.pop("base", None)  # alone it is the fused CAS
    for branch, (*packed, (threshold, *_)) in branches.items():
        cas = unpack(packed)
        bars: dict[Kind, Intervals]
        if branch == "fused":
            bars = {"proposal": [(start, end) for start, end, _ in view["proposals"].get(label, [])]}
        else:
            bars = {branch: intervals_above(cas, threshold, timebase)}
        strips.append(Strip(f"{prefix}{branch} CAS", cas, threshold, bars, kind=branch))
    return strips
