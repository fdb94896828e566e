"""From one video file to the features of every stream, without ever holding the video in memory."""

import dataclasses
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from amsx.data.extraction_record import ExtractedVideoRecord, ExtractionRecord, ExtractorIdentity
from amsx.video.decode import Video
from amsx.video.extractors import Extractor, FrameSize
from amsx.video.flow import FlowSettings, OpticalFlow
from amsx.video.snippets import FPS, STRIDE, Clips

BATCH_BYTES = 1 << 26  # of the clips that an extractor gets at once


@dataclass(frozen=True)
class ExtractedVideo:
    """The features of one video."""

    streams: dict[str, NDArray[np.float32]]  # stream -> (n, D)
    snippet_seconds: float  # from the centre of a snippet to that of the next; snippet 0 begins at second 0
    duration: float  # seconds from the first frame to the end of the last
    notes: tuple[str, ...]  # what was odd about the file, in sentences
    stage_seconds: dict[str, float] = field(
        default_factory=dict
    )  # stage -> time it took: decode, optical flow, each stream

    def record(self, path: Path) -> ExtractedVideoRecord:
        """What stands of the video beside the features."""
        snippets = len(next(iter(self.streams.values())))
        return ExtractedVideoRecord(str(path), round(self.duration, 3), snippets, self.notes)


def describe(
    extractors: Mapping[str, Extractor], fps: float = FPS, stride: int = STRIDE, flow: FlowSettings | None = None
) -> ExtractionRecord:
    """The record of an extraction with these settings, without videos."""
    return ExtractionRecord(
        float(fps), stride, {name: _identity(each, flow or FlowSettings()) for name, each in extractors.items()}
    )


def extract_video(
    path: Path | str,
    extractors: Mapping[str, Extractor],
    *,
    fps: float = FPS,
    stride: int = STRIDE,
    flow: FlowSettings | None = None,
) -> ExtractedVideo:
    """The features of the video file `path`: stream -> (n, D) by the extractor of that stream.

    The video is resampled to `fps` frames a second and has a snippet every `stride` frames. `flow` says how the optical
    flow for extractors of kind "flow" is computed. VideoError (a ValueError) where the file holds no usable frame.
    """
    if not extractors:
        raise ValueError("no extractor was given")
    if not fps > 0 or stride < 1:
        raise ValueError(f"fps must be positive and stride at least 1, got {fps} and {stride}")
    video = Video(Path(path))
    sizes = list(dict.fromkeys(each.frame_size for each in extractors.values()))
    clock = _Clock()
    streams = {name: _Stream(name, each, stride, clock) for name, each in extractors.items()}
    motion = {size: _Flow(flow or FlowSettings()) for size in sizes if _wants(extractors, "flow", size)}
    for pictures in clock.timed_each("decode", video.frames(fps, sizes)):
        for size, picture in zip(sizes, pictures, strict=True):
            field_before = None
            if size in motion:
                with clock.timed("optical flow"):
                    field_before = motion[size].add(picture)
            for stream in streams.values():
                if stream.extractor.frame_size != size:
                    continue
                if stream.extractor.kind == "rgb":
                    stream.add(picture)
                elif field_before is not None:
                    stream.add(field_before)
    for stream in streams.values():
        if stream.extractor.kind == "flow":
            stream.add(motion[stream.extractor.frame_size].last())
    return ExtractedVideo(
        {name: stream.finished() for name, stream in streams.items()},
        stride / fps,
        video.duration,
        tuple(video.notes),
        clock.seconds,
    )


def _identity(extractor: Extractor, flow: FlowSettings) -> ExtractorIdentity:
    identity = extractor.identity()
    if extractor.kind == "rgb":
        return identity
    return dataclasses.replace(identity, settings={**identity.settings, "flow": flow.used})


def _wants(extractors: Mapping[str, Extractor], kind: str, size: FrameSize) -> bool:
    return any(each.kind == kind and each.frame_size == size for each in extractors.values())


class _Flow:
    """The flow from each frame to the next, known one frame later; the last frame has that of the one before."""

    def __init__(self, settings: FlowSettings) -> None:
        self.algorithm = OpticalFlow(settings)
        self.frame: NDArray[np.uint8] | None = None
        self.grey: NDArray[np.uint8] | None = None
        self.field: NDArray[np.float32] | None = None

    def add(self, frame: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """Take the next frame; the flow from the frame before it, None for the first."""
        if frame is self.frame and self.grey is not None:  # a repeated frame, which does not move
            self.field = np.zeros((*self.grey.shape, 2), np.float32)
            return self.field
        grey, before = self.algorithm.grey(frame), self.grey
        self.frame, self.grey = frame, grey
        if before is None:
            return None
        self.field = self.algorithm.between(before, grey)
        return self.field

    def last(self) -> NDArray[np.float32]:
        """The flow of the last frame; of a video of one frame it is zero."""
        if self.field is not None:
            return self.field
        if self.grey is None:
            raise ValueError("no frame was given")  # `Video.frames` raises before that
        return np.zeros((*self.grey.shape, 2), np.float32)


class _Stream:
    """Collects clips, and passes them to the extractor a batch at a time."""

    def __init__(self, name: str, extractor: Extractor, stride: int, clock: "_Clock") -> None:
        self.name, self.extractor, self.clock = name, extractor, clock
        self.clips = Clips(stride, extractor.snippet_frames)
        self.waiting: list[NDArray[Any]] = []
        self.rows: list[NDArray[np.float32]] = []

    def add(self, frame: NDArray[Any]) -> None:
        for clip in self.clips.add(frame):
            self._take(clip)

    def finished(self) -> NDArray[np.float32]:
        for clip in self.clips.rest():
            self._take(clip)
        self._extract()
        return np.concatenate(self.rows)

    def _take(self, clip: NDArray[Any]) -> None:
        self.waiting.append(clip)
        if (len(self.waiting) + 1) * clip.nbytes > BATCH_BYTES:
            self._extract()

    def _extract(self) -> None:
        if not self.waiting:
            return
        with self.clock.timed(self.name):
            vectors = self.extractor(torch.from_numpy(np.stack(self.waiting)))
        self.rows.append(vectors.cpu().float().numpy())
        self.waiting.clear()


class _Clock:
    """How long each stage took, in seconds."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def timed(self, stage: str) -> "_Timing":
        return _Timing(self.seconds, stage)

    def timed_each(self, stage: str, items: Iterator[Any]) -> Iterator[Any]:
        """The items, with the time that each takes to come."""
        while True:
            with self.timed(stage):
                item = next(items, None)
            if item is None:
                return
            yield item


class _Timing:
    def __init__(self, seconds: dict[str, float], stage: str) -> None:
        self.seconds, self.stage = seconds, stage

    def __enter__(self) -> None:
        self.began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.seconds[self.stage] = self.seconds.get(self.stage, 0.0) + time.perf_counter() - self.began
