"""Writing a data set in another layout, whole or not at all, and listing what that layout could not hold."""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from glob import escape
from math import isclose
from pathlib import Path
from typing import Any, get_args

import numpy as np

from amsx.data.layouts import named_layout, read_dataset
from amsx.data.layouts.shared.frame_grid import EXACT
from amsx.data.layouts.shared.layout import BundlePolicies
from amsx.data.layouts.shared.two_streams import joined
from amsx.data.videos import Dataset, Subset, Timebase, Video
from amsx.locks import hold


@dataclass(frozen=True)
class Conversion:
    """A data set that was written in another layout, and what was lost."""

    out: Path  # the folder
    layout: str  # the layout's name
    options: Mapping[str, Any]  # the options of the layout's reader with which the folder must be read, as JSON values
    lost: tuple[str, ...]  # what is not the same when the folder is read again with these options


def convert(dataset: Dataset, out: Path | str, to: str) -> Conversion:
    """Write `dataset` into the new or empty folder `out` in the layout `to`, features as float32.

    The folder appears when it is complete: it is written under another name beside `out`, read again and compared,
    then renamed. ValueError where there is no such layout, where the layout cannot hold the data set at all (an id
    cannot be a file name, a stream or a label is missing), and where features cannot be used; FileExistsError where
    `out` holds something; FolderInUse where another process writes it.
    """
    out, layout = Path(out), named_layout(to)
    layout.check(dataset)
    with hold(out, "amsx convert", beside=True):
        if out.exists() and not out.is_dir():
            raise FileExistsError(f"{out} is a file; expected a new or an empty folder")
        if out.exists() and any(out.iterdir()):
            raise FileExistsError(f"{out} exists and is not empty")
        for abandoned in out.parent.glob(f".{escape(out.name)}.*.partial"):  # by a process that was killed
            shutil.rmtree(abandoned)
        temporary = out.parent / f".{out.name}.{os.getpid()}.partial"
        temporary.mkdir(parents=True)
        try:
            options, again, lost = _read_again(dataset, temporary, to, _given(layout.write(dataset, temporary)))
            lost += _features_lost(dataset, again)
            if out.exists():
                out.rmdir()
            temporary.rename(out)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    return Conversion(out, to, options, tuple(lost))


def _given(options: BundlePolicies) -> dict[str, Any]:
    """The options that are not left at their defaults."""
    values = {field.name: getattr(options, field.name) for field in fields(options)}
    return {field.name: values[field.name] for field in fields(options) if values[field.name] != field.default}


def _read_again(
    dataset: Dataset, root: Path, to: str, options: dict[str, Any]
) -> tuple[dict[str, Any], Dataset, list[str]]:
    """The options that are needed to read the written folder, the data set read with them, and what is lost.

    Whoever writes a folder knows how its arrays lie, so a reader that asks about `transpose` is told.
    """
    try:
        again = read_dataset(root, to, **options, unlabelled="skip")
    except ValueError:
        if "transpose" in options:
            raise
        options = {**options, "transpose": False}
        again = read_dataset(root, to, **options, unlabelled="skip")
    lost = _differences(dataset, again)
    try:
        plain = read_dataset(root, to, unlabelled="skip")
    except ValueError:  # the folder cannot be read without the options
        return options, again, lost
    plainly_lost = _differences(dataset, plain)
    worse = len(plainly_lost) > len(lost) or (len(plainly_lost) == len(lost) and plainly_lost != lost)
    return (options, again, lost) if worse else ({}, plain, plainly_lost)


_COMPARISONS: dict[str, Callable[[Video, Video], bool]] = {  # whether a video and what was read of it differ
    "the subset": lambda a, b: a.subset != b.subset,
    "the video-level labels": lambda a, b: a.labels != b.labels,
    "the segments": lambda a, b: sorted(a.segments, key=str) != sorted(b.segments, key=str),
    "the absence of a duration": lambda a, b: a.duration is None and b.duration is not None,
    "the frame rate": lambda a, b: a.fps is not None and (b.fps is None or not isclose(a.fps, b.fps, rel_tol=EXACT)),
    "the duration": lambda a, b: a.duration is not None and a.duration != b.duration,
}


def _differences(dataset: Dataset, again: Dataset) -> list[str]:
    """What differs between a data set and the one that was read again."""
    lost = []
    by_id = {video.id: video for video in again.videos}
    for subset in get_args(Subset):
        missing = sum(video.id not in by_id for video in dataset.subset(subset))
        if missing:
            what = {"train": "training", "test": "test"}[subset]
            lost.append(f"{missing} {what} videos without a label")
    if again.dims != dataset.dims:
        lost.append(f"the streams {dataset.dims}: they are {again.dims}")
    pairs = [(video, by_id[video.id]) for video in dataset.videos if video.id in by_id]
    for what, differs in _COMPARISONS.items():
        count = sum(differs(a, b) for a, b in pairs)
        if count:
            lost.append(f"{what} of {count} videos")
    shifts = [shift for a, b in pairs if (shift := _shift(a, b)) > EXACT * max(1.0, abs(a.end))]
    if shifts:
        lost.append(f"the times of snippets of {len(shifts)} videos, by up to {max(shifts):.3g} s")
    return lost


def _features_lost(dataset: Dataset, again: Dataset) -> list[str]:
    """A line on the videos whose features differ, all streams side by side; empty where none do."""
    by_id = {video.id: video for video in again.videos}
    pairs = [(video, by_id[video.id]) for video in dataset.videos if video.id in by_id]
    differing = [a.id for a, b in pairs if not _same_features(dataset, a, again, b)]
    return [f"the features of {len(differing)} videos"] if differing else []


def _same_features(dataset: Dataset, a: Video, again: Dataset, b: Video) -> bool:
    if a.own_timebases:
        return all(np.array_equal(stream.load(), b.streams[name].load()) for name, stream in a.streams.items())
    return np.array_equal(joined(dataset, a), joined(again, b))


def _shift(a: Video, b: Video) -> float:
    """The largest difference, in seconds, between the times of two videos' snippets."""
    if not a.own_timebases:
        return _shift_of(a.timebase, b.timebase, a.length)
    return max(_shift_of(a.timebase_of(name), b.timebase_of(name), a.length_of(name)) for name in a.streams)


def _shift_of(a: Timebase, b: Timebase, snippets: int) -> float:
    edges = [0, snippets]
    return float(np.abs(a.to_seconds(edges) - b.to_seconds(edges)).max())
