"""What a video is: id, feature streams, labels, segments, and the conversion between snippets and seconds."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from amsx.data.extraction_record import ExtractionRecord
from amsx.data.features import FeatureArray, FeatureFile

Subset = Literal["train", "test"]

SHORT = 2  # snippets of the coarser stream by which the streams of a video may end apart: the last clip is often cut


@dataclass(frozen=True)
class Segment:
    """One annotated action instance."""

    start: float  # seconds
    end: float  # seconds, greater than start
    label: str

    def __post_init__(self) -> None:
        if not (np.isfinite(self.start) and np.isfinite(self.end) and self.start < self.end):
            raise ValueError(f"a segment must start before it ends, got [{self.start}, {self.end}] of {self.label!r}")


@dataclass(frozen=True)
class Timebase:
    """Where snippets lie in time: snippet i (from 0) covers [offset + i * d, offset + (i + 1) * d) seconds.

    Positions are on the snippet-edge axis: snippet i covers [i, i + 1), and its centre is i + 0.5. The timestamps of
    `amsx.adaptive_sample` are on the snippet-centre axis; add 0.5 to convert one to the snippet-edge axis.
    """

    snippet_seconds: float  # d, the distance between the centres of neighbouring snippets
    offset: float = 0.0  # seconds, the start of snippet 0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.snippet_seconds) and self.snippet_seconds > 0):
            raise ValueError(f"snippet_seconds must be a positive number of seconds, got {self.snippet_seconds}")
        if not np.isfinite(self.offset):
            raise ValueError(f"offset must be a finite number of seconds, got {self.offset}")

    def to_seconds(self, edge: ArrayLike) -> NDArray[np.float64]:
        """Convert positions on the snippet-edge axis to seconds, in an array of the same shape."""
        return np.asarray(self.offset + np.asarray(edge, dtype=np.float64) * self.snippet_seconds)

    def to_snippets(self, seconds: ArrayLike) -> NDArray[np.float64]:
        """Convert seconds to positions on the snippet-edge axis; the inverse of `to_seconds`."""
        return np.asarray((np.asarray(seconds, dtype=np.float64) - self.offset) / self.snippet_seconds)


@dataclass(frozen=True)
class Video:
    """One untrimmed video as the method sees it."""

    id: str
    subset: Subset
    streams: Mapping[str, FeatureFile | FeatureArray]  # name -> (n, D) features
    labels: tuple[str, ...]  # the video-level labels, sorted, each once
    segments: tuple[Segment, ...]  # ground truth for evaluation; training does not read it
    timebase: Timebase
    duration: float | None = None  # seconds; None: the annotation does not say
    # Timebases of streams whose snippets do not lie in time as `timebase` says, which is that of the other streams
    own_timebases: Mapping[str, Timebase] = field(default_factory=dict)
    fps: float | None = None  # frames per second of the video, as the annotation states them; None: it does not

    def __post_init__(self) -> None:
        if self.subset not in ("train", "test"):
            raise ValueError(f"video {self.id!r}: subset must be 'train' or 'test', got {self.subset!r}")
        if not self.streams:
            raise ValueError(f"video {self.id!r} has no feature stream")
        if not set(self.own_timebases) < set(self.streams):
            raise ValueError(
                f"video {self.id!r}: own timebases for {sorted(self.own_timebases)}, but its streams are "
                f"{sorted(self.streams)}, of which one at least must have the timebase of the video"
            )
        shared = {name: stream.shape[0] for name, stream in self.streams.items() if name not in self.own_timebases}
        if len(set(shared.values())) != 1:
            raise ValueError(f"video {self.id!r}: its streams have different numbers of snippets, {shared}")
        self._check_ends()
        if tuple(sorted(set(self.labels))) != tuple(self.labels):
            raise ValueError(f"video {self.id!r}: labels must be sorted and unique, got {self.labels}")

    @property
    def length(self) -> int:
        """n, the number of snippets of the streams without a timebase of their own."""
        return next(stream.shape[0] for name, stream in self.streams.items() if name not in self.own_timebases)

    @property
    def end(self) -> float:
        """Seconds at which the last of these snippets ends."""
        return float(self.timebase.to_seconds(self.length))

    def length_of(self, stream: str) -> int:
        """The number of snippets of a stream."""
        return self.streams[stream].shape[0]

    def timebase_of(self, stream: str) -> Timebase:
        """Where the snippets of a stream lie in time."""
        return self.own_timebases.get(stream, self.timebase)

    def alone(self, stream: str) -> "Video":
        """The video with one stream, whose timebase is the video's."""
        return replace(
            self, streams={stream: self.streams[stream]}, timebase=self.timebase_of(stream), own_timebases={}
        )

    def _check_ends(self) -> None:
        """ValueError where a stream ends earlier or later than the others, by more than 2 of the longer snippets.

        What both leave out at the start, which windows of unlike lengths leave out at the end as well, is allowed, too.
        """
        for name, own in self.own_timebases.items():
            end = float(own.to_seconds(self.length_of(name)))
            allowed = SHORT * max(own.snippet_seconds, self.timebase.snippet_seconds)
            if abs(end - self.end) > allowed + abs(own.offset - self.timebase.offset) + 1e-6:
                raise ValueError(
                    f"video {self.id!r}: the stream {name!r} ends at {end:.4g} s, the others at {self.end:.4g} s; "
                    f"expected ends within {allowed:.3g} s, {SHORT} of the longer snippets"
                )


@dataclass(frozen=True)
class HeldOut:
    """The share of the training videos that `amsx.data.validation.hold_out` made test videos."""

    share: float
    seed: int


@dataclass(frozen=True)
class Dataset:
    """The videos of a folder in some layout, or made in memory."""

    root: Path | None  # None: made in memory
    layout: str  # the name of the reader
    classes: tuple[str, ...]  # sorted; the labels of the training videos (of all videos where there are none)
    videos: tuple[Video, ...]
    notes: tuple[str, ...] = ()  # what the reader derived, decided or left out; shown to the user
    extraction: ExtractionRecord | None = None  # what made the features, where a record lies beside them
    options: Mapping[str, Any] | None = None  # the options that the reader was given; None: not known
    held_out: "HeldOut | None" = None  # the training videos that became its test videos; None: there are none

    def __post_init__(self) -> None:
        if not self.videos:
            raise ValueError(f"no videos in {self.origin}")
        first = self.videos[0]
        widths = {name: stream.shape[1] for name, stream in first.streams.items()}
        seen: set[str] = set()
        for video in self.videos:
            if video.id in seen:
                raise ValueError(f"video id {video.id!r} occurs twice in {self.origin}")
            seen.add(video.id)
            own = {name: stream.shape[1] for name, stream in video.streams.items()}
            if own != widths:
                raise ValueError(
                    f"video {video.id!r} has streams of widths {own}, but {first.id!r} has {widths}; "
                    "expected the same streams and widths in every video"
                )

    def subset(self, name: Subset) -> tuple[Video, ...]:
        """The videos of "train" or "test", in the order of the data set."""
        if name not in ("train", "test"):
            raise ValueError(f"expected the subset 'train' or 'test', got {name!r}")
        return tuple(video for video in self.videos if video.subset == name)

    @property
    def origin(self) -> str:
        """What to call the data set in messages: its folder, or its layout where it was made in memory."""
        return f"the {self.layout} set in memory" if self.root is None else str(self.root)

    @property
    def stream_names(self) -> tuple[str, ...]:
        """The names of the feature streams, in their customary order (rgb, flow, then others by name)."""
        return stream_order(self.videos[0].streams)

    @property
    def dims(self) -> dict[str, int]:
        """D of every stream."""
        return {name: self.videos[0].streams[name].shape[1] for name in self.stream_names}


def stream_order(names: Mapping[str, object] | set[str]) -> tuple[str, ...]:
    """Stream names in their customary order: rgb, flow, then others by name."""
    first = {"rgb": 0, "flow": 1}
    return tuple(sorted(names, key=lambda name: (first.get(name, 2), name)))
