"""ActionFormer's layout.

    <name>.json            in the folder or its annotations/: {"database": {id: {"subset", "duration", "fps",
                           "annotations": [{"label", "segment", "label_id"}]}}}; "frames" where it is there
    <features>/<id>.npy    (n, D), in one folder below, or beside the JSON

The centre of snippet i is at (i * stride + num_frames / 2) / fps seconds; ActionFormer's THUMOS14 features
have stride 4 and num_frames 16.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amsx.data.arrays import write_array
from amsx.data.layouts.shared.annotation_json import annotation, write_database
from amsx.data.layouts.shared.frame_grid import frame_grid
from amsx.data.layouts.shared.layout import Layout
from amsx.data.layouts.shared.per_video import (
    PerVideoOptions,
    counts_frames,
    has_json_and_features,
    read_per_video,
)
from amsx.data.layouts.shared.stream_options import PerStream
from amsx.data.layouts.shared.two_streams import joined, split_option
from amsx.data.videos import Dataset
from amsx.file_names import video_file

KINDS = (".npy",)


@dataclass(frozen=True, kw_only=True)
class Options(PerVideoOptions):
    """What can be said to the reader."""

    num_frames: PerStream = None  # frames that a snippet spans; None: derived from frames and rows


def detect(root: Path) -> bool:
    """Whether `root` looks like this layout."""
    return has_json_and_features(root, KINDS) and not counts_frames(root)


def read(root: Path, options: Options) -> Dataset:
    """Read the layout."""
    return read_per_video(root, LAYOUT.name, KINDS, options, num_frames=options.num_frames)


def write(dataset: Dataset, root: Path) -> Options:
    """Write the layout."""
    grid = frame_grid(dataset)
    for video in dataset.videos:
        write_array(video_file(root / "features", video.id, ".npy"), joined(dataset, video))
    write_database(root / "annotation.json", database(dataset))
    return Options(stride=grid.stride, num_frames=grid.num_frames, split=split_option(dataset))


def database(dataset: Dataset) -> dict[str, dict[str, Any]]:
    """The "database" of the annotation that the layout has of a data set."""
    grid, entries = frame_grid(dataset), annotation(dataset)
    return {video.id: entries[video.id] | grid.entry(video) for video in dataset.videos}


LAYOUT = Layout(
    name="action_former",
    holds="a JSON annotation, and <id>.npy beside it or in one folder",
    options=Options,
    detect=detect,
    read=read,
    write=write,
    needs_duration=True,
)
