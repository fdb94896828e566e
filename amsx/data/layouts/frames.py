"""Timebases of features that are so many frames apart: from frames, fps and rows to seconds."""

from collections.abc import Sequence

import numpy as np

from amsx.data.layouts.assembly import Opened, some
from amsx.data.layouts.timing import CLIP, frame_stride, spanned_frames
from amsx.data.videos import Timebase


def timebases_from_frames(
    opened: Sequence[Opened], stride: float | None, num_frames: float | None, fps: float | None
) -> tuple[dict[str, Timebase], list[str]]:
    """The timebase of every video, and notes.

    The centre of snippet i is at frame i * `stride` + `num_frames` / 2. Both are in frames and by default derived (see
    `timing.frame_stride`); `fps` serves entries that have none, and where no entry has, and none is given, each video's
    snippets share its duration. ValueError where that does not suffice.
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
        raise ValueError(f"no fps in the annotation of {len(lacking)} videos; give fps: {some(lacking)}")
    rate = np.array([rates[v.id] for v in opened], dtype=np.float64)
    frames = np.array([v.entry.frames or (v.entry.duration or np.nan) * r for v, r in zip(opened, rate, strict=True)])
    rows = np.array([v.length for v in opened], dtype=np.float64)
    known = np.isfinite(frames)
    strides: np.ndarray
    span: float | None
    if stride is not None:
        strides = np.full(len(rows), float(stride))
        if known.any():
            span = spanned_frames(frames[known], rows[known], stride, num_frames)
        else:
            span = float(num_frames or CLIP)
        how = "given"
    else:
        lacking = [v.id for v, there in zip(opened, known, strict=True) if not there]
        if lacking:
            raise ValueError(f"neither duration nor frames of {len(lacking)} videos; give stride: {some(lacking)}")
        strides, span = frame_stride(frames, rows, num_frames)
        how = "derived from frames and rows"
    if span is None:
        note = f"features rescaled to {int(rows[0])} rows in every video; each has a stride of its own"
        offsets = np.zeros(len(rows))
    else:
        note = f"stride = {strides[0]:g}, num_frames = {span:g}, {how} (snippet_seconds = "
        seconds = np.unique(strides / rate)
        note += f"{seconds[0]:.4g})" if len(seconds) == 1 else f"{seconds[0]:.4g} to {seconds[-1]:.4g})"
        offsets = (span - strides) / 2 / rate
    values = zip(opened, strides / rate, offsets, strict=True)
    return {v.id: Timebase(float(d), float(offset)) for v, d, offset in values}, [note]


def _frames_per_second(video: Opened) -> float | None:
    """What the annotation's own count of frames and duration give."""
    frames, duration = video.entry.frames, video.entry.duration
    return None if frames is None or duration is None else frames / duration
