"""THUMOS14's own annotation: one text file per class and subset, as CMCS reads it.

    **/<class>_{val,test}.txt    one line per instance: "<video id>  <start> <end>", seconds
    **/*-meta.mat                the videos' durations and frame rates, where it is there (thumos14-val-meta.mat)

Ambiguous_{val,test}.txt lists spans of which nobody can say whether they show the action; they are left out.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from amsx.data.layouts.shared.annotation_json import Entry
from amsx.data.layouts.shared.assembly import shortened
from amsx.data.videos import Segment
from amsx.files import read_text, visible
from amsx.records import AMBIGUOUS

NAME = re.compile(r"(.+)_(val|test)")


def class_files(root: Path) -> list[Path]:
    """The files whose names are those of a class and a subset, anywhere below `root`."""
    return [path for path in visible(root, "**/*.txt") if NAME.fullmatch(path.stem)]


def read_class_files(files: Sequence[Path]) -> tuple[dict[str, Entry], list[str]]:
    """The videos that have an instance, in the order of their ids, and notes. The subsets are val and test.

    ValueError, naming the file and the line, where a line is not a video id, a start and an end, or ends before it
    starts; where a class occurs twice in a subset; and where a video is in both subsets.
    """
    entries: dict[str, Entry] = {}
    seen: dict[str, Path] = {}
    ambiguous = 0
    for path in files:
        if seen.setdefault(path.stem, path) != path:
            raise ValueError(f"{path}: the instances of {path.stem} are also in {seen[path.stem]}")
        label, subset = NAME.fullmatch(path.stem).groups()  # type: ignore[union-attr]
        for number, line in enumerate(read_text(path).split("\n"), start=1):
            if not line.strip():
                continue
            name, start, end = _instance(line, f"{path}, line {number}")
            if label == AMBIGUOUS:
                ambiguous += 1
                continue
            entry = entries.setdefault(name, Entry(subset, (), ()))
            if entry.subset != subset:
                raise ValueError(f"{path}, line {number}: video {name!r} is also annotated in {entry.subset}")
            entries[name] = _with_instance(entry, label, start, end)
    notes = [f"left out: {ambiguous} segments labelled {AMBIGUOUS}"] if ambiguous else []
    return dict(sorted(entries.items())), notes


def with_meta(entries: dict[str, Entry], files: Sequence[Path]) -> tuple[dict[str, Entry], list[str]]:
    """The entries with durations and frame rates from THUMOS14's meta files, and notes.

    ValueError where the package scipy is absent, or a file is not such a meta file.
    """
    known: dict[str, tuple[float, float]] = {}
    for path in files:
        known |= _meta(path)
    lacking = [name for name in entries if name not in known]
    notes = [f"{len(lacking)} videos are in no meta file: {shortened(lacking)}"] if lacking else []
    rated = {
        name: replace(entry, duration=known[name][0], fps=known[name][1]) if name in known else entry
        for name, entry in entries.items()
    }
    return rated, notes


def _instance(line: str, where: str) -> tuple[str, float, float]:
    fields = line.split()
    try:
        name, start, end = fields[0], float(fields[1]), float(fields[2])
    except (IndexError, ValueError):
        name, start, end = "", math.nan, math.nan
    if len(fields) != 3 or not (math.isfinite(start) and math.isfinite(end)):
        raise ValueError(f"{where}: {line!r}; expected a video id, a start and an end in seconds")
    if start > end:
        raise ValueError(f"{where}: {line!r} does not start before it ends")
    return name, start, end


def _with_instance(entry: Entry, label: str, start: float, end: float) -> Entry:
    labels = tuple(sorted({*entry.labels, label}))
    if start == end:
        return replace(entry, labels=labels, empty_segments=entry.empty_segments + 1)
    return replace(entry, labels=labels, segments=(*entry.segments, Segment(start, end, label)))


def _meta(path: Path) -> dict[str, tuple[float, float]]:
    """Video id -> seconds, frames per second."""
    try:
        scipy_io = import_module("scipy.io")
    except ImportError as error:
        raise ValueError(f"{path}: reading it needs the package scipy (pip install scipy); or give fps") from error
    try:
        content = scipy_io.loadmat(path, squeeze_me=True)
        videos = next(value for name, value in content.items() if "videos" in name).reshape(-1)
        columns = [videos[name].tolist() for name in ("video_name", "video_duration_seconds", "frame_rate_FPS")]
        rates = {str(name): (float(seconds), float(fps)) for name, seconds, fps in zip(*columns, strict=True)}
    except Exception as error:  # scipy raises nearly anything at bytes that are no MATLAB file
        raise ValueError(f"{path}: no readable list of videos ({type(error).__name__}: {error})") from error
    bad = [name for name, numbers in rates.items() if not all(math.isfinite(x) and x > 0 for x in numbers)]
    if bad:
        raise ValueError(f"{path}: durations or frame rates that are not positive: {shortened(bad)}")
    return rates
