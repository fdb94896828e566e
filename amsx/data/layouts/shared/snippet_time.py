"""Seconds per snippet in layouts whose files do not say it: the usual value, or what the annotation shows.

The rule looks at no ground truth but that of the training videos.
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from amsx.data.layouts.shared.assembly import OpenedVideo
from amsx.data.layouts.shared.stream_options import PerStream, for_streams
from amsx.data.layouts.shared.windows import CLIP
from amsx.data.videos import Dataset, Timebase, stream_order

SNIPPET_SECONDS = CLIP / 25  # side by side, at 25 frames per second

# The rule of `seconds_per_snippet`
ENOUGH_VIDEOS = 10  # videos below which nothing is concluded
ENOUGH_SNIPPETS = 20  # snippets below which a video's end is too coarse to count
OUTLIERS = 0.02  # share of videos whose annotation may be wrong; in 1 % of THUMOS14 it passes the video's end
OVERRUN = 0.05  # share of videos with a segment past the features' end that contradicts the assumed value
OVERRUN_LEAST = 3  # number of such videos below which nothing is contradicted
SHORTFALL = 0.9  # of the assumed length; a data set whose best video reaches less contradicts it
DIFFERING = 0.1  # share by which stated durations may differ from the length of the snippets, in the median video
WALL = 0.25  # share of videos whose last segment ends within a snippet of the derived end, to believe it
WALL_LEAST = 7  # number of such videos below which it is not believed: some of a few short videos end alike by chance


def seconds_per_snippet(lengths: Sequence[int], last_ends: Sequence[float], assumed: float) -> tuple[float, str | None]:
    """Seconds per snippet for features without a stated rate, and a note where there is something to say.

    `lengths` (V,) are in snippets and `last_ends` (V,), the ends of the last segments, in seconds, both of the training
    videos. The `assumed` value holds unless the annotation blatantly contradicts it: more than 5 % of the videos (and
    at least 3) have a segment that passes the features' end by over two snippets, or, with the highest 2 % set
    aside, no video's last segment reaches 90 % of its features' length. Then the highest remaining ratio of last
    end to length is taken, but only where it is a wall: a quarter of the videos, and at least seven, end within one
    snippet of it. Windows cut from longer videos do that; action instances scattered over whole videos do not (in
    THUMOS14, under a tenth).
    Without that wall, features that are too short for the annotation are a ValueError, and annotation that stays far
    from the end is left alone and noted.
    """
    n, end = np.asarray(lengths, dtype=np.float64), np.asarray(last_ends, dtype=np.float64)
    long = n >= ENOUGH_SNIPPETS
    n, end = n[long], end[long]
    if len(n) < ENOUGH_VIDEOS:
        return assumed, None
    reached = np.sort(end / n)[len(n) - 1 - int(OUTLIERS * len(n))]
    overrun = int((end > (n + 2) * assumed).sum())
    too_short = overrun > OVERRUN * len(n) and overrun >= OVERRUN_LEAST
    if not too_short and reached >= SHORTFALL * assumed:
        return assumed, None
    rounded = _fewest_digits(reached, tolerance=0.1 * reached / n.max())
    wall = int((np.abs(end - n * reached) <= reached).sum())
    if wall >= max(WALL * len(n), WALL_LEAST):
        return rounded, (
            f"snippet_seconds = {rounded:g}, derived: at that rate the last segment ends with the features "
            f"in {wall} of {len(n)} training videos, which contradicts the usual {assumed:g} "
            "(snippet_seconds overrides it)"
        )
    if too_short:
        raise ValueError(
            f"at {assumed:g} s per snippet, segments pass the features' end by more than two snippets "
            f"in {overrun} of {len(n)} training videos; give snippet_seconds "
            f"(the annotation suggests at least {rounded:g})"
        )
    return assumed, (
        f"snippet_seconds = {assumed:g}, the usual value, although the last segments of the training videos "
        f"reach at most {reached / assumed:.0%} of their features; give snippet_seconds if it is another"
    )


def usual_timebase(
    root: Path, opened: Sequence[OpenedVideo], snippet_seconds: PerStream
) -> tuple[Timebase | Mapping[str, Timebase], list[str]]:
    """The timebase of all videos, and notes: snippets of the given length, or else of the usual 0.64 s.

    Where a length is given for each stream, it is the timebase of each stream. Where none is given and the training
    videos' annotation contradicts the usual length, it is what they force, and a note says so.
    ValueError where the durations, as far as there are any, contradict it.
    """
    if isinstance(snippet_seconds, Mapping):
        return timebases_by_stream(root, opened, snippet_seconds), []
    if snippet_seconds is not None:
        return Timebase(snippet_seconds), []
    train = [video for video in opened if video.subset == "train" and video.entry.segments]
    last_ends = [max(segment.end for segment in video.entry.segments) for video in train]
    try:
        derived, note = seconds_per_snippet([video.length for video in train], last_ends, SNIPPET_SECONDS)
    except ValueError as error:
        raise ValueError(f"{root}: {error}") from error
    return stated_timebase(root, opened, None, derived), [note] if note else []


def timebases_by_stream(
    root: Path, opened: Sequence[OpenedVideo], snippet_seconds: Mapping[str, float]
) -> dict[str, Timebase]:
    """The timebase of every stream; ValueError unless `snippet_seconds` has one number for each stream."""
    streams = stream_order({name for video in opened for name in video.streams})
    given = for_streams(snippet_seconds, streams, "snippet_seconds")
    lacking = [name for name, seconds in given.items() if seconds is None]
    if lacking:
        raise ValueError(f"{root}: snippet_seconds={dict(snippet_seconds)} lacks the stream {lacking[0]!r}")
    return {name: Timebase(seconds) for name, seconds in given.items() if seconds is not None}


def stated_timebase(root: Path, opened: Sequence[OpenedVideo], given: float | None, otherwise: float) -> Timebase:
    """The timebase of snippets of the `given` length, or else of `otherwise`, which the durations must not contradict.

    ValueError where the median video that states its duration, and has more than 10 snippets, differs by over a tenth.
    """
    if given is not None:
        return Timebase(given)
    ratios = [v.entry.duration / v.length for v in opened if v.entry.duration is not None and v.length > 1 / DIFFERING]
    if ratios and abs(float(np.median(ratios)) / otherwise - 1) > DIFFERING:
        raise ValueError(
            f"{root}: the durations suggest {np.median(ratios):.3g} s per snippet, not {otherwise:g}; "
            "give snippet_seconds"
        )
    return Timebase(otherwise)


def written_seconds(dataset: Dataset) -> float | dict[str, float]:
    """What `stated_seconds` reads: the median seconds per snippet, by stream where streams have rates of their own."""
    if not any(video.own_timebases for video in dataset.videos):
        return median_snippet(dataset)
    return {name: median_snippet(dataset, name) for name in dataset.stream_names}


def stated_seconds(given: PerStream, beside: Mapping[str, Any], path: Path) -> tuple[PerStream, list[str]]:
    """The seconds per snippet: those `given`, else those that an annotation states beside its videos, and notes.

    No project's own files state them; those that amsx writes do. ValueError, naming the file, for a broken statement.
    """
    stated = beside.get("snippet_seconds")
    if given is not None or stated is None:
        return given, []
    numbers = list(stated.values()) if isinstance(stated, Mapping) else [stated]
    for number in numbers:
        if not isinstance(number, int | float) or isinstance(number, bool) or not 0 < number < math.inf:
            raise ValueError(
                f"{path}: snippet_seconds is {stated!r}, expected a positive number, or one for each stream"
            )
    return stated, [f"snippet_seconds = {json.dumps(stated)}, as {path.name} says"]


def median_snippet(dataset: Dataset, stream: str | None = None) -> float:
    """Seconds per snippet (of a stream) in the median video, for layouts that have one number for all videos."""
    timebases = [video.timebase if stream is None else video.timebase_of(stream) for video in dataset.videos]
    return float(np.median([timebase.snippet_seconds for timebase in timebases]))


def _fewest_digits(value: float, tolerance: float) -> float:
    """`value` rounded to the fewest significant digits that keep it within `tolerance`."""
    magnitude = math.floor(math.log10(value))
    for digits in range(1, 16):
        rounded = round(value, digits - 1 - magnitude)
        if rounded > 0 and abs(rounded - value) <= tolerance:
            return float(rounded)
    return float(value)
