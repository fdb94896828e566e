"""What a data set holds, in numbers and in words: counts, lengths, labels, and features that cannot be used."""

from collections import Counter
from collections.abc import Collection
from typing import Any, get_args

import numpy as np

from amsx.data.videos import Dataset, Segment, Subset, Video

BARS = 10  # of a histogram
WIDTH = 40  # characters of its longest bar


def summarize(dataset: Dataset, *, values: bool = True) -> dict[str, Any]:
    """The data set as plain JSON values.

    Keys: root, layout, streams (name -> width), notes, classes (name -> videos and instances per subset), subsets
    (name -> videos, snippets, lengths in snippets, seconds, instances, instances past the features' end, videos whose
    labels are not those of their segments), and with `values` broken_values (video and stream -> what is wrong), for
    which all features are read.
    """
    subsets = [name for name in get_args(Subset) if dataset.subset(name)]
    labels = sorted({label for video in dataset.videos for label in video.labels} | set(dataset.classes))
    summary: dict[str, Any] = {
        "root": str(dataset.root) if dataset.root is not None else None,
        "layout": dataset.layout,
        "streams": dataset.dims,
        "notes": list(dataset.notes),
        "subsets": {name: _subset(dataset.subset(name)) for name in subsets},
        "classes": {label: {} for label in labels},
    }
    for name in subsets:
        videos = dataset.subset(name)
        having = Counter(label for video in videos for label in video.labels)
        instances = Counter(segment.label for video in videos for segment in video.segments)
        for label in labels:
            summary["classes"][label][name] = {"videos": having[label], "instances": instances[label]}
    if values:
        summary["broken_values"] = broken_values(dataset)
    return summary


def broken_values(dataset: Dataset, streams: Collection[str] | None = None) -> dict[str, str]:
    """What is wrong with the values of features, per "<video>, <stream>"; all of them (or of `streams`) are read."""
    found = {}
    for video in dataset.videos:
        for name, stream in video.streams.items():
            if streams is not None and name not in streams:
                continue
            try:
                stream.load()
            except (ValueError, OSError) as error:
                found[f"{video.id}, {name}"] = str(error)
    return found


def _subset(videos: tuple[Video, ...]) -> dict[str, Any]:
    lengths = [video.length for video in videos]
    segments = [(video, segment) for video in videos for segment in video.segments]
    return {
        "videos": len(videos),
        "snippets": sum(lengths),
        "lengths": lengths,
        "seconds": float(sum(video.end for video in videos)),
        "instances": len(segments),
        "instances_past_the_end": sum(_passes_the_end(video, segment) for video, segment in segments),
        "labels_unlike_segments": sum(
            bool(video.segments) and {s.label for s in video.segments} != set(video.labels) for video in videos
        ),
        "snippet_seconds": sorted({round(video.timebase.snippet_seconds, 6) for video in videos}),
    }


def _passes_the_end(video: Video, segment: Segment) -> bool:
    """By half a snippet or more: annotated times are rounded, to a tenth of a second at times."""
    slack = 0.5 * video.timebase.snippet_seconds
    return segment.end > video.end + slack or segment.start < -slack


def format_summary(summary: dict[str, Any]) -> str:
    """A `summarize` for people."""
    streams = ", ".join(f"{name} ({width} channels)" for name, width in summary["streams"].items())
    root, classes = summary["root"] or "in memory", len(summary["classes"])
    lines = [f"{root}: layout {summary['layout']}, {classes} classes, streams {streams}"]
    lines += [f"  {note}" for note in summary["notes"]]
    for name, subset in summary["subsets"].items():
        seconds = subset["snippet_seconds"]
        rate = f"{seconds[0]:g} s" if len(seconds) == 1 else f"{seconds[0]:g} to {seconds[-1]:g} s"
        lines += [
            "",
            f"{name}: {subset['videos']} videos, {subset['snippets']} snippets of {rate}, "
            f"{subset['seconds'] / 3600:.2f} hours, {subset['instances']} labelled instances",
        ]
        if subset["instances_past_the_end"]:
            lines.append(f"  {subset['instances_past_the_end']} instances pass the features' end")
        if subset["labels_unlike_segments"]:
            lines.append(f"  in {subset['labels_unlike_segments']} videos the labels are not those of the segments")
        lines += [f"  {line}" for line in histogram(subset["lengths"])]
    lines += ["", *_class_table(summary)]
    if "broken_values" in summary:
        broken = summary["broken_values"]
        lines += ["", f"features with broken values: {len(broken) or 'none'}"]
        lines += [f"  {where}: {what}" for where, what in broken.items()]
    return "\n".join(lines)


def histogram(lengths: list[int]) -> list[str]:
    """Lines of a histogram of lengths in snippets, in up to 10 bars of equal width."""
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


def _class_table(summary: dict[str, Any]) -> list[str]:
    names = list(summary["subsets"])
    width = max([len("class"), *map(len, summary["classes"])])
    lines = [f"{'class':<{width}}" + "".join(f"{f'{name} videos':>14}{'instances':>11}" for name in names)]
    for label, counts in summary["classes"].items():
        cells = "".join(f"{counts[name]['videos']:>14}{counts[name]['instances']:>11}" for name in names)
        lines.append(f"{label:<{width}}{cells}")
    return lines
