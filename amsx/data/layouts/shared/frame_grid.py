"""Snippets counted in frames: timebases from frames, fps and rows when read, and the inverse when written."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amsx.data.layouts.shared.annotation_json import Entry
from amsx.data.layouts.shared.assembly import OpenedVideo, shortened
from amsx.data.layouts.shared.orientation import FASTEST
from amsx.data.layouts.shared.snippet_time import median_snippet
from amsx.data.layouts.shared.windows import CLIP, FITTING, Windows, are_whole, explains, fitting_windows, leaves
from amsx.data.videos import Dataset, Timebase, Video

CONTRADICTION = (
    0.01  # of the frames, and a second of them, by which an annotation's fps, frames and duration may differ
)
EVEN = 0.02  # of the rows, and two of them, by which rows and durations that go together may differ
EXACT = 1e-9  # relative; times that differ by less are the same


def timebases_from_frames(
    opened: Sequence[OpenedVideo],
    stride: float | None,
    num_frames: float | None,
    fps: float | None,
    window_option: str = "num_frames",
) -> tuple[dict[str, Timebase], list[str]]:
    """The timebase of every video, and notes.

    The centre of snippet i is at frame i * `stride` + `num_frames` / 2. Both are in frames; what is not given is found
    by `fitting_windows`, which tests it against the videos' frames and rows. `fps`, where given, holds for every video
    in place of what the annotation says. Where neither it nor `stride` nor `num_frames` is given and no entry states a
    rate, each video's snippets share its duration evenly, if rows and durations go together.

    ValueError, which names the options to give, where that does not suffice, where the annotation's frames, fps and
    durations contradict each other, and where no windows or several explain the rows. `window_option` is what the
    layout calls num_frames there: "offset" is half of it.
    """
    for name, value in (("stride", stride), (window_option, num_frames), ("fps", fps)):
        if value is not None and not value > 0:
            raise ValueError(f"{name} must be positive, got {value}")
    if not opened:
        return {}, []
    rates, notes = _rates(opened, fps, must_agree=stride is None or num_frames is None)
    if all(rate is None for rate in rates) and all(v.entry.duration is not None for v in opened):
        if stride is None and num_frames is None:
            return _shared_durations(opened)
        raise ValueError(f"{'stride' if stride is not None else window_option} is in frames; give fps, too")
    lacking = [v.id for v, rate in zip(opened, rates, strict=True) if rate is None]
    if lacking:
        raise ValueError(f"no fps in the annotation of {len(lacking)} videos; give fps: {shortened(lacking)}")
    rate = np.array(rates, dtype=np.float64)
    frames = np.array([v.entry.frames or (v.entry.duration or np.nan) * r for v, r in zip(opened, rate, strict=True)])
    rows = np.array([v.length for v in opened], dtype=np.float64)
    known = np.isfinite(frames)
    if stride is None and not known.all():
        lacking = [v.id for v, is_known in zip(opened, known, strict=True) if not is_known]
        raise ValueError(f"neither duration nor frames of {len(lacking)} videos; give stride: {shortened(lacking)}")
    counted = all(v.entry.frames is not None for v in opened)
    origins = _Origins(stride, num_frames, window_option)
    windows = origins.windows(frames[known], rows[known], counted)
    if windows is None:
        covered = np.array([v.entry.feature_frames or f for v, f in zip(opened, frames, strict=True)])
        notes.append(f"features rescaled to {int(rows[0])} rows in every video; each has a stride of its own")
        own = covered / rows / rate
        return {v.id: Timebase(float(d)) for v, d in zip(opened, own, strict=True)}, notes
    seconds = np.unique(windows.stride / rate)
    span = f"{seconds[0]:.4g}" if len(seconds) == 1 else f"{seconds[0]:.4g} to {seconds[-1]:.4g}"
    notes.append(f"{origins.note(windows, frames[known], rows[known])} (snippet_seconds = {span})")
    offsets = (windows.frames - windows.stride) / 2 / rate
    values = zip(opened, windows.stride / rate, offsets, strict=True)
    return {v.id: Timebase(float(d), float(offset)) for v, d, offset in values}, notes


@dataclass(frozen=True)
class _Origins:
    """What was given of stride and window, and so what is to be found in the data."""

    stride: float | None
    num_frames: float | None
    window_option: str  # what the layout calls num_frames; "offset" is half of it

    def windows(self, frames: NDArray[np.float64], rows: NDArray[np.float64], counted: bool) -> Windows | None:
        """The windows given or found; None for features that were rescaled to one number of rows.

        frames, rows: (V,) of the videos whose frames are known. ValueError where none explain the rows, or several do.
        """
        if self.stride is not None and self.num_frames is not None:
            return Windows(self.stride, self.num_frames)
        if self.stride is not None and not len(frames):
            return Windows(self.stride, CLIP)
        found = fitting_windows(frames, rows, stride=self.stride, window=self.num_frames, counted=counted)
        if len(found) == 1:
            return found[0]
        rescaled = self.stride is None and len(rows) > 1 and bool((rows == rows[0]).all())
        if found:
            raise ValueError(self._several(found, len(frames)))
        if not rescaled:
            raise ValueError(self._none(frames, rows))
        if self.num_frames is not None:
            raise ValueError(
                f"every video has {int(rows[0])} rows, as features that were rescaled have, which have no windows of "
                f"{self.num_frames:g} frames; leave {self.window_option} out, or give stride, too"
            )
        return None

    def note(self, windows: Windows, frames: NDArray[np.float64], rows: NDArray[np.float64]) -> str:
        """Where stride and window come from, in words."""
        derived = "derived from frames and rows"
        if windows == Windows(CLIP, CLIP) and not are_whole(frames):
            derived = "the usual value, which frames and rows fit"
        origin = "given" if self.stride is not None else derived
        window_origin = "given" if self.num_frames is not None else derived
        if not len(frames) and self.num_frames is None:
            window_origin = "the usual value, which nothing tests"
        elif window_origin == "given" == origin and len(frames) and not explains(frames, rows, windows):
            window_origin = origin = "given, although frames and rows do not fit them"
        stride, window = f"stride = {windows.stride:g}", self._window(windows.frames)
        return (
            f"{stride}, {window}, {origin}"
            if origin == window_origin
            else f"{stride}, {origin}; {window}, {window_origin}"
        )

    def _window(self, frames: float) -> str:
        return f"offset = {frames / 2:g}" if self.window_option == "offset" else f"{self.window_option} = {frames:g}"

    def _several(self, found: Sequence[Windows], videos: int) -> str:
        options = [
            name for name, value in (("stride", self.stride), (self.window_option, self.num_frames)) if value is None
        ]
        if len({fit.stride for fit in found}) == 1 and self.num_frames is None:
            options = [self.window_option]
        if len({fit.frames for fit in found}) == 1 and self.stride is None:
            options = ["stride"]
        readings = [f"{fit.frames:g} frames every {fit.stride:g} ({self._window(fit.frames)})" for fit in found]
        which = f"windows of {' and of '.join(readings[:4])}" + (
            f" and {len(found) - 4} more" if len(found) > 4 else ""
        )
        return f"the frames and rows of {videos} videos fit {which}; give {' and '.join(options)}"

    def _none(self, frames: NDArray[np.float64], rows: NDArray[np.float64]) -> str:
        low, high = np.percentile(frames / rows, [10, 90])
        ratio = f"{low:.4g}" if high - low < 1e-3 * high else f"from {low:.4g} to {high:.4g}"
        if self.stride is not None:
            left = leaves(frames, rows, self.stride)
            return (
                f"no usual window explains how many rows the features have at stride = {self.stride:g}: the last one "
                f"begins {left.min():.4g} to {left.max():.4g} frames before the end; give {self.window_option}"
            )
        return (
            f"no one stride explains how many rows the features have (frames per row: {ratio}); give stride and "
            f"{self.window_option}, and fps if the features were made at another rate than the annotation's"
        )


def _rates(opened: Sequence[OpenedVideo], fps: float | None, must_agree: bool) -> tuple[list[float | None], list[str]]:
    """Frames per second of every video, None where nothing says it, and notes.

    Where it `must_agree`, because stride or window are to be found, what an entry states has to agree with its frames
    and duration in nine videos of ten; else that is noted. `fps`, given, replaces it.
    """
    implied = [_implied_rate(v.entry) for v in opened]
    stated = [v.entry.fps for v in opened]
    if fps is not None:
        other = [
            v.id
            for v, a, b in zip(opened, stated, implied, strict=True)
            if not math.isclose(a or b or fps, fps, rel_tol=EXACT)
        ]
        said = f"fps = {fps:g}, given; the annotation of {len(other)} videos says otherwise: {shortened(other)}"
        return [fps] * len(opened), [said] if other else []
    odd = [v for v in opened if _contradicts(v)]
    if not odd:
        return [a or b for a, b in zip(stated, implied, strict=True)], []
    entry = odd[0].entry
    said = (
        f"fps, frames and duration of {len(odd)} of {len(opened)} videos contradict each other: {odd[0].id} has "
        f"{entry.frames:g} frames in {entry.duration:g} s, and fps {entry.fps:g}"
    )
    if must_agree and len(odd) > (1 - FITTING) * len(opened):
        raise ValueError(f"{said}; give fps")
    return [a or b for a, b in zip(stated, implied, strict=True)], [f"{said}; fps counts"]


def _implied_rate(entry: Entry) -> float | None:
    return None if entry.frames is None or entry.duration is None else entry.frames / entry.duration


def _contradicts(video: OpenedVideo) -> bool:
    entry = video.entry
    if entry.fps is None or entry.frames is None or entry.duration is None:
        return False
    return abs(entry.frames - entry.fps * entry.duration) > entry.fps + CONTRADICTION * entry.frames


def _shared_durations(opened: Sequence[OpenedVideo]) -> tuple[dict[str, Timebase], list[str]]:
    """Timebases in which the rows of each video share its duration, and a note.

    ValueError where neither all videos have one number of rows nor rows grow with the durations.
    """
    rows = np.array([v.length for v in opened], dtype=np.float64)
    seconds = np.array([v.entry.duration for v in opened], dtype=np.float64)
    timebases = {v.id: Timebase(float(s) / v.length) for v, s in zip(opened, seconds, strict=True)}
    several = rows > 1  # a single row stands for its whole video
    lasting = seconds[several] / rows[several]  # seconds of a row
    if len(set(rows[several])) > 1:
        grown = np.abs(seconds[several] / np.median(lasting) - rows[several]) <= 2 + EVEN * rows[several]
        if grown.mean() < FITTING:
            low, high = np.percentile(lasting, [10, 90])
            raise ValueError(
                f"no fps in the annotation, and rows and durations do not go together (a row lasts from {low:.4g} to "
                f"{high:.4g} s); give fps and stride"
            )
    return timebases, [
        "no fps in the annotation, nor frames that would give it; each video's snippets share its duration evenly"
    ]


@dataclass(frozen=True)
class FrameGrid:
    """Snippets counted in frames: in all videos of a set, the centre of snippet i is at frame i * stride + span / 2."""

    stride: int  # frames from one snippet's centre to the next
    span: float  # frames of a snippet; not positive where snippets begin long before the video
    sliding: bool  # clips that overlap, so that the last passes the last stride's end

    def rate(self, video: Video) -> float:
        """The frames per second at which the stride lasts the video's seconds per snippet."""
        rate = self.stride / video.timebase.snippet_seconds
        return video.fps if video.fps is not None and math.isclose(rate, video.fps, rel_tol=EXACT) else rate

    def frames(self, video: Video) -> int:
        """The number of frames that the snippets cover."""
        return (video.length - 1) * self.stride + round(self.span) if self.sliding else video.length * self.stride

    def duration(self, video: Video) -> float:
        """Seconds: the video's own, or where that is unknown that of the frames, because these layouts need one."""
        return self.frames(video) / self.rate(video) if video.duration is None else video.duration

    @property
    def num_frames(self) -> float:
        """The reader's option `num_frames`: the span, or a stride where the reader cannot be told it."""
        return self.span if self.span > 0 else float(self.stride)

    def entry(self, video: Video) -> dict[str, Any]:
        """What an annotation says of the video's time."""
        return {"duration": self.duration(video), "fps": self.rate(video), "frames": self.frames(video)}


def frame_grid(dataset: Dataset) -> FrameGrid:
    """The frames of the videos' own rates, where these are known and snippets are whole frames apart.

    Else clips of 16 frames at a whole stride where all timebases fit that; else 16 frames, or one, from row to row.
    """
    stated = _stated_grid(dataset)
    if stated is not None:
        return stated
    strides = {_sliding_stride(video.timebase) for video in dataset.videos}
    sliding = strides.pop() if len(strides) == 1 else None
    if sliding is not None:
        return FrameGrid(sliding, float(CLIP), True)
    stride = CLIP if CLIP / median_snippet(dataset) <= FASTEST else 1
    first = dataset.videos[0].timebase
    return FrameGrid(stride, stride * (1 + 2 * first.offset / first.snippet_seconds), False)


def _stated_grid(dataset: Dataset) -> FrameGrid | None:
    """The grid that the frame rates of all videos give, where it is one, and whole frames."""
    grids = set()
    for video in dataset.videos:
        if video.fps is None:
            return None
        stride = video.fps * video.timebase.snippet_seconds
        span = stride + 2 * video.fps * video.timebase.offset
        if min(stride, span) < 1 - EXACT or not all(abs(x - round(x)) < EXACT * CLIP for x in (stride, span)):
            return None
        grids.add((round(stride), round(span)))
    if len(grids) != 1:
        return None
    stride, span = grids.pop()
    return FrameGrid(stride, float(span), span > stride)


def _sliding_stride(timebase: Timebase) -> int | None:
    """The whole stride at which clips of 16 frames have this timebase at some frame rate, if there is one."""
    stride = CLIP / (1 + 2 * timebase.offset / timebase.snippet_seconds) if timebase.offset > 0 else 0.0
    return round(stride) if stride >= 1 and abs(stride - round(stride)) < EXACT * CLIP else None
