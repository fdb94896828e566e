"""Snippets counted in frames, for layouts that place them so: the inverse of `layouts.frames`."""

from dataclasses import dataclass
from typing import Any

from amsx.data.layouts.timing import CLIP
from amsx.data.videos import Dataset, Timebase, Video
from amsx.data.writers.arrays import median_snippet

EXACT = 1e-9  # relative; times that differ by less are the same
FASTEST = 120.0  # frames per second; rows that would need more of a video in clips of 16 are a row per frame


@dataclass(frozen=True)
class FrameGrid:
    """The centre of snippet i is at frame i * stride + span / 2, in all videos of a set."""

    stride: int
    span: float  # frames; may not be positive, where snippets begin long before the video
    sliding: bool  # clips of 16 frames that overlap, so that the last passes the last stride's end

    def rate(self, video: Video) -> float:
        """Frames per second: what brings the stride to the video's seconds per snippet."""
        return self.stride / video.timebase.snippet_seconds

    def frames(self, video: Video) -> int:
        """As many frames as the snippets cover."""
        return (video.length - 1) * self.stride + CLIP if self.sliding else video.length * self.stride

    def duration(self, video: Video) -> float:
        """Seconds; that of the frames where the video's own is not known, for these layouts' projects need one."""
        return self.frames(video) / self.rate(video) if video.duration is None else video.duration

    def entry(self, video: Video) -> dict[str, Any]:
        """What an annotation says of it."""
        return {"duration": self.duration(video), "fps": self.rate(video), "frames": self.frames(video)}

    def options(self) -> dict[str, Any]:
        """Those of the readers of `layouts.frames`."""
        return {"stride": self.stride, **({"num_frames": self.span} if self.span > 0 else {})}


def frame_grid(dataset: Dataset) -> FrameGrid:
    """Clips of 16 frames at a whole stride where the timebases say so; else 16 frames, or one, from row to row."""
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
