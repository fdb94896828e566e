"""OpenTAD's layout.

    <name>.json                             in the folder or its annotations/: {"database": {id: {"subset", "duration",
                                            "frame", "annotations": [{"label", "segment"}]}}}
    <features>/<id>.{npy,npz,pt,csv,pkl}    (n, D), in one folder below, or beside the JSON

Snippet i is centred at (i * stride + offset) / fps seconds; for THUMOS14, stride is 4 and offset 8. The frame rate is
written nowhere: OpenTAD takes it as frame / duration, so the `frame` that is written is what brings out the rate, a
whole number where the video's duration was one of frames. OpenTAD cuts offsets to whole frames. Those of clips of 16
frames, overlapping or side by side, are whole; rows of one frame each come half a frame early there.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amsx.data.arrays import write_array
from amsx.data.layouts.shared.annotation_json import ACTIVITY_NET, annotation, subsets_option, write_database
from amsx.data.layouts.shared.frame_grid import frame_grid
from amsx.data.layouts.shared.layout import Layout
from amsx.data.layouts.shared.per_video import (
    PerVideoOptions,
    counts_frames,
    has_json_and_features,
    read_per_video,
)
from amsx.data.layouts.shared.stream_options import PerStream, scaled
from amsx.data.layouts.shared.two_streams import joined, split_option
from amsx.data.videos import Dataset
from amsx.file_names import video_file

KINDS = (".npy", ".npz", ".h5", ".hdf5", ".pt", ".pth", ".csv", ".pkl", ".pickle")


@dataclass(frozen=True, kw_only=True)
class Options(PerVideoOptions):
    """What can be said to the reader."""

    key: str | None = None  # names the array in files that hold several
    offset: PerStream = None  # frames from the video's start to the first snippet's centre; None: derived


def detect(root: Path) -> bool:
    """Whether `root` looks like this layout."""
    return has_json_and_features(root, KINDS) and counts_frames(root)


def read(root: Path, options: Options) -> Dataset:
    """Read the layout."""
    for offset in options.offset.values() if isinstance(options.offset, Mapping) else [options.offset]:
        if offset is not None and not offset > 0:
            raise ValueError(f"{root}: offset must be positive, got {offset}")
    num_frames = scaled(options.offset, 2)
    return read_per_video(
        root, LAYOUT.name, KINDS, options, key=options.key, num_frames=num_frames, window_option="offset"
    )


def write(dataset: Dataset, root: Path) -> Options:
    """Write the layout, with one .npy file per video."""
    grid = frame_grid(dataset)
    for video in dataset.videos:
        write_array(video_file(root / "features", video.id, ".npy"), joined(dataset, video))
    write_database(root / "annotation.json", database(dataset))
    return Options(
        stride=grid.stride,
        offset=grid.num_frames / 2,
        split=split_option(dataset),
        subsets=subsets_option(dataset, ACTIVITY_NET),
    )


def database(dataset: Dataset) -> dict[str, dict[str, Any]]:
    """The "database" of the annotation that the layout has of a data set."""
    grid, entries = frame_grid(dataset), annotation(dataset, ACTIVITY_NET)
    for video in dataset.videos:
        duration = grid.duration(video)
        entries[video.id] |= {"duration": duration, "frame": _whole(grid.rate(video) * duration)}
    return entries


def _whole(frames: float) -> float:
    """A whole number where `frames` is one but for rounding."""
    return round(frames) if math.isclose(frames, round(frames), rel_tol=1e-12) else frames


LAYOUT = Layout(
    name="opentad",
    holds="a JSON annotation with frame counts, and <id>.{npy,npz,pt,csv,pkl} beside it or in one folder",
    options=Options,
    detect=detect,
    read=read,
    write=write,
    needs_duration=True,
)
