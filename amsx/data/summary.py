"""The summary of a data set: counts, lengths, labels, and the features that cannot be used."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, get_args

import numpy as np

from amsx.data.value_check import broken_values
from amsx.data.videos import Dataset, Segment, Subset, Video
from amsx.text_columns import columns, left

BARS = 10  # the largest number of bars in a histogram
WIDTH = 40  # characters of the longest bar


@dataclass(frozen=True)
class ClassCounts:
    """How often a class occurs in a subset."""

    videos: int  # videos that have it as a label
    instances: int  # annotated segments


@dataclass(frozen=True)
class SubsetSummary:
    """The contents of a subset in numbers."""

    videos: int
    snippets: int  # in all videos
    lengths: list[int]  # snippets of every video
    seconds: float  # in all videos
    instances: int  # annotated segments
    instances_past_the_end: int  # instances that reach beyond the features by half a snippet or more
    labels_unlike_segments: int  # videos whose segments have other labels than the video
    snippet_seconds: list[float]  # the distances between neighbouring snippets, every value once


@dataclass(frozen=True)
class DatasetSummary:
    """The contents of a data set in numbers."""

    root: str | None  # the folder; None: made in memory
    layout: str  # its name
    streams: dict[str, int]  # name -> channels
    notes: list[str]  # those of the reader
    subsets: dict[Subset, SubsetSummary]  # those that have videos
    classes: dict[str, dict[Subset, ClassCounts]]  # every label, also those that only test videos have
    broken_values: dict[str, str] | None  # "<video>, <stream>" -> what is wrong; None: the values were not read

    def to_json(self) -> dict[str, Any]:
        """The summary as plain JSON values; without the key `broken_values` where the values were not read."""
        values = asdict(self)
        if self.broken_values is None:
            del values["broken_values"]
        return values


def summarize(dataset: Dataset, *, values: bool = True) -> DatasetSummary:
    """Count what the data set holds. With `values`, all features are read, and those that cannot be used are listed."""
    subsets: list[Subset] = [name for name in get_args(Subset) if dataset.subset(name)]
    labels = sorted({label for video in dataset.videos for label in video.labels} | set(dataset.classes))
    classes: dict[str, dict[Subset, ClassCounts]] = {label: {} for label in labels}
    for name in subsets:
        videos = dataset.subset(name)
        having = Counter(label for video in videos for label in video.labels)
        instances = Counter(segment.label for video in videos for segment in video.segments)
        for label in labels:
            classes[label][name] = ClassCounts(having[label], instances[label])
    return DatasetSummary(
        root=str(dataset.root) if dataset.root is not None else None,
        layout=dataset.layout,
        streams=dataset.dims,
        notes=list(dataset.notes),
        subsets={name: _subset_summary(dataset.subset(name)) for name in subsets},
        classes=classes,
        broken_values=broken_values(dataset) if values else None,
    )


def _subset_summary(videos: tuple[Video, ...]) -> SubsetSummary:
    lengths = [video.length for video in videos]
    segments = [(video, segment) for video in videos for segment in video.segments]
    return SubsetSummary(
        videos=len(videos),
        snippets=sum(lengths),
        lengths=lengths,
        seconds=float(sum(video.end for video in videos)),
        instances=len(segments),
        instances_past_the_end=sum(_passes_the_end(video, segment) for video, segment in segments),
        labels_unlike_segments=sum(
            bool(video.segments) and {s.label for s in video.segments} != set(video.labels) for video in videos
        ),
        snippet_seconds=sorted({round(video.timebase.snippet_seconds, 6) for video in videos}),
    )


def _passes_the_end(video: Video, segment: Segment) -> bool:
    """Whether the segment reaches beyond the features by half a snippet or more: annotated times are often rounded."""
    slack = 0.5 * video.timebase.snippet_seconds
    return segment.end > video.end + slack or segment.start < -slack


def format_summary(summary: DatasetSummary) -> str:
    """The summary as text."""
    streams = ", ".join(f"{name} ({width} channels)" for name, width in summary.streams.items())
    root, classes = summary.root or "in memory", len(summary.classes)
    lines = [f"{root}: layout {summary.layout}, {classes} classes, streams {streams}"]
    lines += [f"  {note}" for note in summary.notes]
    for name, subset in summary.subsets.items():
        seconds = subset.snippet_seconds
        rate = f"{seconds[0]:g} s" if len(seconds) == 1 else f"{seconds[0]:g} to {seconds[-1]:g} s"
        lines += [
            "",
            f"{name}: {subset.videos} videos, {subset.snippets} snippets of {rate}, "
            f"{subset.seconds / 3600:.2f} hours, {subset.instances} labelled instances",
        ]
        if subset.instances_past_the_end:
            lines.append(f"  {subset.instances_past_the_end} instances pass the features' end")
        if subset.labels_unlike_segments:
            lines.append(f"  in {subset.labels_unlike_segments} videos the labels are not those of the segments")
        lines += [f"  {line}" for line in histogram(subset.lengths)]
    lines += ["", *_class_table(summary.classes, list(summary.subsets))]
    if summary.broken_values is not None:
        lines += ["", f"features with broken values: {len(summary.broken_values) or 'none'}"]
        lines += [f"  {where}: {what}" for where, what in summary.broken_values.items()]
    return "\n".join(lines)


def histogram(lengths: list[int]) -> list[str]:
    """The lines of a histogram of lengths in snippets, with up to `BARS` bars of equal width."""
    n = np.asarray(lengths)
    low, high = int(n.min()), int(n.max())
    lines = [f"snippets per video: {low} to {high}, median {np.median(n):g}, mean {n.mean():.1f}"]
    step = max(-(-(high - low + 1) // BARS), 1)
    counts = np.bincount((n - low) // step)
    digits, places = len(str(high)), len(str(counts.max()))
    for i, count in enumerate(counts.tolist()):
        first, last = low + i * step, min(low + (i + 1) * step - 1, high)
        bar = "#" * -(-count * WIDTH // int(counts.max()))
        lines.append(f"{first:>{digits}}-{last:<{digits}} {count:>{places}} {bar}".rstrip())
    return lines


def _class_table(classes: Mapping[str, Mapping[Subset, ClassCounts]], subsets: list[Subset]) -> list[str]:
    width = max([len("class"), *map(columns, classes)])
    lines = [f"{'class':<{width}}" + "".join(f"{f'{name} videos':>14}{'instances':>11}" for name in subsets)]
    for label, counts in classes.items():
        cells = "".join(f"{counts[name].videos:>14}{counts[name].instances:>11}" for name in subsets)
        lines.append(f"{left(label, width)}{cells}")
    return lines
