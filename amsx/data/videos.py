"""What a video is: id, feature streams, labels, segments, and the conversion between snippets and seconds."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from amsx.data.extraction_record import ExtractionRecord
from amsx.data.features import FeatureArray, FeatureFile

Subset = Literal["train", "test"]


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
    streams: Mapping[str, FeatureFile | FeatureArray]  # name -> (n, D) features, n the same for all
    labels: tuple[str, ...]  # the video-level labels, sorted, each once
    segments: tuple[Segment, ...]  # ground truth for evaluation; training does not read it
    timebase: Timebase
    duration: float | None = None  # seconds; None: the annotation does not say

    def __post_init__(self) -> None:
        if self.subset not in ("train", "test"):
            raise ValueError(f"video {self.id!r}: subset must be 'train' or 'test', got {self.subset!r}")
        if not self.streams:
            raise ValueError(f"video {self.id!r} has no feature stream")
        lengths = {name: stream.shape[0] for name, stream in self.streams.items()}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"video {self.id!r}: its streams have different numbers of snippets, {lengths}")
        if tuple(sorted(set(self.labels))) != tuple(self.labels):
            raise ValueError(f"video {self.id!r}: labels must be sorted and unique, got {self.labels}")

    @property
    def length(self) -> int:
        """n, the number of snippets."""
        return next(iter(self.streams.values())).shape[0]

    @property
    def end(self) -> float:
        """Seconds at which the last snippet ends."""
        return float(self.timebase.to_seconds(self.length))


@dataclass(frozen=True)
class Dataset:
    """The videos of a folder in some layout, or made in memory."""

    root: Path | None  # None: made in memory
    layout: str  # the name of the reader
    classes: tuple[str, ...]  # sorted; the labels of the training videos (of all videos where there are none)
    videos: tuple[Video, ...]
    notes: tuple[str, ...] = ()  # what the reader derived, decided or left out; shown to the user
    extraction: ExtractionRecord | None = None  # what made the features, where a record lies beside them

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
