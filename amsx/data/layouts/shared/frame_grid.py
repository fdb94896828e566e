"""Snippets counted in frames: timebases from frames, fps and rows when read, and the inverse when written."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amsx.data.layouts.shared.assembly import OpenedVideo, shortened
from amsx.data.layouts.shared.snippet_time import CLIP, median_snippet
from amsx.data.videos import Dataset, Timebase, Video

FITTING = 0.9  # share of videos that a stride must explain
ROUNDING = 0.005  # of the frames; fps are written rounded (30 for 29.97)
DRIFT = 0.0015  # of the frames; what 30 written for 29.97 makes of them, and a little more
ENOUGH_LENGTHS = 5  # different numbers of rows that show a window
EXACT = 1e-9  # relative; times that differ by less are the same
FASTEST = 120.0  # frames per second; rows that would need more of a video in clips of 16 are a row per frame


def timebases_from_frames(
    opened: Sequence[OpenedVideo], stride: float | None, num_frames: float | None, fps: float | None
) -> tuple[dict[str, Timebase], list[str]]:
    """The timebase of every video, and notes.

    The centre of snippet i is at frame i * `stride` + `num_frames` / 2. Both are in frames and by default derived (see
    `frame_stride`). `fps` serves entries that have none; where no entry has one and none is given, each video's
    snippets share its duration evenly. ValueError where that does not suffice.
    """
    for name, value in (("stride", stride), ("num_frames", num_frames), ("fps", fps)):
        if value is not None and not value > 0:
            raise ValueError(f"{name} must be positive, got {value}")
    rates = {v.id: v.entry.fps or _frames_per_second(v) or fps for v in opened}
    if stride is None and all(v.entry.duration is not None and rates[v.id] is None for v in opened):
        note = "no fps in the annotation; each video's snippets share its duration evenly"
        return {v.id: Timebase((v.entry.duration or 0.0) / v.length) for v in opened}, [note]
    lacking = [name for name, rate in rates.items() if rate is None]
    if lacking:
        raise ValueError(f"no fps in the annotation of {len(lacking)} videos; give fps: {shortened(lacking)}")
    rate = np.array([rates[v.id] for v in opened], dtype=np.float64)
    frames = np.array([v.entry.frames or (v.entry.duration or np.nan) * r for v, r in zip(opened, rate, strict=True)])
    rows = np.array([v.length for v in opened], dtype=np.float64)
    known = np.isfinite(frames)
    strides: NDArray[np.float64]
    span: float | None
    if stride is not None:
        strides = np.full(len(rows), float(stride))
        if known.any():
            span = spanned_frames(frames[known], rows[known], stride, num_frames)
        else:
            span = float(num_frames or CLIP)
        span_origin = "derived from frames and rows" if known.any() else "the usual value, which nothing tests"
    else:
        lacking = [v.id for v, is_known in zip(opened, known, strict=True) if not is_known]
        if lacking:
            raise ValueError(f"neither duration nor frames of {len(lacking)} videos; give stride: {shortened(lacking)}")
        strides, span = frame_stride(frames, rows, num_frames)
        span_origin = "derived from frames and rows"
    if span is None:
        note = f"features rescaled to {int(rows[0])} rows in every video; each has a stride of its own"
        offsets = np.zeros(len(rows))
    else:
        stride_origin = "derived from frames and rows" if stride is None else "given"
        span_origin = span_origin if num_frames is None else "given"
        stride_text = f"stride = {strides[0]:g}" + ("" if stride_origin == span_origin else f", {stride_origin};")
        separator = "," if stride_origin == span_origin else ""
        note = f"{stride_text}{separator} num_frames = {span:g}, {span_origin} (snippet_seconds = "
        seconds = np.unique(strides / rate)
        note += f"{seconds[0]:.4g})" if len(seconds) == 1 else f"{seconds[0]:.4g} to {seconds[-1]:.4g})"
        offsets = (span - strides) / 2 / rate
    values = zip(opened, strides / rate, offsets, strict=True)
    return {v.id: Timebase(float(d), float(offset)) for v, d, offset in values}, [note]


def _frames_per_second(video: OpenedVideo) -> float | None:
    """The rate that follows from the annotation's own count of frames and duration."""
    frames, duration = video.entry.frames, video.entry.duration
    return None if frames is None or duration is None else frames / duration


def frame_stride(
    frames: NDArray[np.float64], rows: NDArray[np.float64], num_frames: float | None
) -> tuple[NDArray[np.float64], float | None]:
    """Frames from one snippet's centre to the next, per video (V,), and the frames that a snippet spans.

    `frames` (V,) counts the videos' frames and `rows` (V,) those of their features. One whole stride must explain nine
    videos in ten, either as rows = frames / stride (padded) or as rows = (frames - num_frames) / stride + 1 (sliding
    windows, of 16 frames unless `num_frames` is given). Otherwise, where every video has the same number of rows, the
    features were rescaled to it: each video has a stride of its own, and the span is None. Else ValueError.
    """
    window = num_frames or CLIP
    candidates = {
        max(round(float(np.median(ratio))), 1) for ratio in (frames / rows, (frames - window) / np.maximum(rows - 1, 1))
    }
    if len(np.unique(rows)) >= ENOUGH_LENGTHS:
        candidates.add(max(round(float(np.polyfit(rows, frames, 1)[0])), 1))  # whatever the window is
    stride = max(sorted(candidates), key=lambda s: _fit(frames, rows, s, window))
    if num_frames is None and not _usual_window_fits(frames, rows, stride):
        for other in sorted(candidates, key=lambda s: -_fit(frames, rows, s, window)):
            found = even_window(frames, rows, other)
            if found is not None:
                return np.full(len(frames), float(other)), found
    if _fit(frames, rows, stride, window) >= FITTING:
        return np.full(len(frames), float(stride)), spanned_frames(frames, rows, float(stride), num_frames)
    if len(rows) > 1 and (rows == rows[0]).all():
        return frames / rows, None
    low, high = np.percentile(frames / rows, [10, 90])
    raise ValueError(
        "no one stride explains how many rows the features have "
        f"(frames per row vary from {low:.4g} to {high:.4g}); give stride"
    )


def spanned_frames(
    frames: NDArray[np.float64], rows: NDArray[np.float64], stride: float, num_frames: float | None
) -> float:
    """Frames that a snippet spans: `num_frames`, or the stride (padded features) or 16, whichever fits."""
    if num_frames is not None:
        return float(num_frames)
    if not _usual_window_fits(frames, rows, stride):
        found = even_window(frames, rows, stride)
        if found is not None:
            return found
    short = frames <= np.percentile(frames, 25)  # where rounded fps do least
    left_over = float(np.median((frames - stride * rows)[short]))  # padded: at most 0; sliding: 16 - stride / 2
    return float(CLIP) if abs(left_over - (CLIP - stride / 2)) < abs(left_over) else float(stride)


def _usual_window_fits(frames: NDArray[np.float64], rows: NDArray[np.float64], stride: float) -> bool:
    """Whether windows of 16 frames or a stride, or rows that pad the end, leave what nine videos in ten have left."""
    left = frames - stride * (rows - 1)  # of windows w: at least w, less than w + stride
    slack = 2 + DRIFT * frames
    lows = (CLIP, stride, 0.0, stride / 2)  # windows of 16; of a stride; rows rounded up; rounded
    return max(float(((left > low - slack) & (left < low + stride + slack)).mean()) for low in lows) >= FITTING


def even_window(frames: NDArray[np.float64], rows: NDArray[np.float64], stride: float) -> float | None:
    """The window that leaves from 0 to a stride of frames in every video; None where the data do not show one.

    Windows of w frames leave frames - stride * (rows - 1) in [w, w + stride). Of the w that fit, two strides and then
    multiples of 16 are preferred, because networks have such windows; else it is the largest that fits.
    """
    left = frames - stride * (rows - 1)
    low, high = float(left.max() - stride), float(left.min())
    if len(np.unique(rows)) < ENOUGH_LENGTHS or high - low < 0 or high < 1 or stride < 2:
        return None
    usual = [2 * stride, *range(CLIP, math.ceil(high) + CLIP + 1, CLIP)]
    fitting = [float(w) for w in usual if low - 1 < w <= high + 0.5]
    return fitting[0] if fitting else float(max(math.floor(high + 0.5), 1))


def _fit(frames: NDArray[np.float64], rows: NDArray[np.float64], stride: int, window: float) -> float:
    """The share of videos whose rows the stride explains, padded or as sliding windows, whichever is more."""
    slack = 2 + ROUNDING * frames
    padded = np.abs(frames - stride * rows) < stride + slack
    left_over = frames - window - stride * (rows - 1)
    sliding = (left_over > -slack) & (left_over < stride + slack)
    return float(max(padded.mean(), sliding.mean()))


@dataclass(frozen=True)
class FrameGrid:
    """Snippets counted in frames: in all videos of a set, the centre of snippet i is at frame i * stride + span / 2."""

    stride: int  # frames from one snippet's centre to the next
    span: float  # frames of a snippet; not positive where snippets begin long before the video
    sliding: bool  # clips of 16 frames that overlap, so that the last passes the last stride's end

    def rate(self, video: Video) -> float:
        """The frames per second at which the stride lasts the video's seconds per snippet."""
        return self.stride / video.timebase.snippet_seconds

    def frames(self, video: Video) -> int:
        """The number of frames that the snippets cover."""
        return (video.length - 1) * self.stride + CLIP if self.sliding else video.length * self.stride

    def duration(self, video: Video) -> float:
        """Seconds: the video's own, or where that is unknown that of the frames, because these layouts need one."""
        return self.frames(video) / self.rate(video) if video.duration is None else video.duration

    @property
    def num_frames(self) -> float | None:
        """The reader's option `num_frames`: the span, where the reader can be told it."""
        return self.span if self.span > 0 else None

    def entry(self, video: Video) -> dict[str, Any]:
        """What an annotation says of the video's time."""
        return {"duration": self.duration(video), "fps": self.rate(video), "frames": self.frames(video)}


def frame_grid(dataset: Dataset) -> FrameGrid:
    """Clips of 16 frames at a whole stride where all timebases fit that; else 16 frames, or one, from row to row."""
    strides = {_sliding_stride(video.timebase) for video in dataset.videos}
    sliding = strides.pop() if len(strides) == 1 else None
    if sliding is not None:
        return FrameGrid(sliding, float(CLIP), True)
    stride = CLIP if CLIP / median_snippet(dataset) <= FASTEST else 1
    first = dataset.videos[0].timebase
    return FrameGrid(stride, stride * (1 + 2 * first.offset / first.snippet_seconds), False)


def _sliding_stride(timebase: Timebase) -> int | None:
    """The whole stride at which clips of 16 frames have this timebase at some frame rate, if there is one."""
    stride = CLIP / (1 + 2 * timebase.offset / timebase.snippet_seconds) if timebase.offset > 0 else 0.0
    return round(stride) if stride >= 1 and abs(stride - round(stride)) < EXACT * CLIP else None
