"""ActivityNet's own annotation and one file of features per video that is not .npy (those are ActionFormer's layout).

    <name>.json                        in the folder or its annotations/: {"database": {id: {"subset", "duration",
                                       "annotations": [{"label", "segment"}]}}}
    <features>/<id>.{npz,h5,pt,...}    (n, D), in one folder below, or beside the JSON; often <prefix> = v_
    <name>.hdf5                        or all videos in one file (ActivityNet's C3D): <prefix><id> is the array, or a
                                       group that has it

Without fps in the annotation, a video's snippets share its duration evenly. So where every video's snippets do share
its duration, as those of features rescaled to one length do, the duration is all that is written; else fps and frames
are written, too.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amsx.data.arrays import write_arrays
from amsx.data.layouts.shared.annotation_json import ACTIVITY_NET, annotation, subsets_option, write_database
from amsx.data.layouts.shared.frame_grid import EXACT, frame_grid
from amsx.data.layouts.shared.layout import Layout
from amsx.data.layouts.shared.per_video import (
    PerVideoOptions,
    counts_frames,
    has_json_and_features,
    read_per_video,
)
from amsx.data.layouts.shared.stream_options import PerStream
from amsx.data.layouts.shared.two_streams import joined, split_option
from amsx.data.videos import Dataset, Video
from amsx.file_names import video_file

KINDS = (".npz", ".h5", ".hdf5", ".pt", ".pth", ".csv", ".pkl", ".pickle")


@dataclass(frozen=True, kw_only=True)
class Options(PerVideoOptions):
    """What can be said to the reader."""

    key: str | None = None  # names the array in files, or groups, that hold several
    num_frames: PerStream = None  # frames that a snippet spans; None: derived from frames and rows


def detect(root: Path) -> bool:
    """Whether `root` looks like this layout."""
    return has_json_and_features(root, KINDS) and not counts_frames(root)


def read(root: Path, options: Options) -> Dataset:
    """Read the layout."""
    return read_per_video(root, LAYOUT.name, KINDS, options, key=options.key, num_frames=options.num_frames)


def write(dataset: Dataset, root: Path) -> Options:
    """Write the layout, with one .npz file per video."""
    grid = frame_grid(dataset)
    shared = all(_shares_its_duration(video) for video in dataset.videos)
    for video in dataset.videos:
        write_arrays(video_file(root / "features", video.id, ".npz"), feats=joined(dataset, video))
    write_database(root / "annotation.json", database(dataset), taxonomy=[])
    return Options(
        stride=None if shared else grid.stride,
        num_frames=None if shared else grid.num_frames,
        split=split_option(dataset),
        subsets=subsets_option(dataset, ACTIVITY_NET),
    )


def database(dataset: Dataset) -> dict[str, dict[str, Any]]:
    """The "database" of the annotation that the layout has of a data set."""
    grid, entries = frame_grid(dataset), annotation(dataset, ACTIVITY_NET)
    if not all(_shares_its_duration(video) for video in dataset.videos):
        for video in dataset.videos:
            entries[video.id] |= grid.entry(video)
    return entries


def _shares_its_duration(video: Video) -> bool:
    timebase, duration = video.timebase, video.duration
    return (
        duration is not None
        and video.fps is None  # where it is known, it is written, and snippets are counted in frames
        and timebase.offset == 0
        and math.isclose(timebase.snippet_seconds * video.length, duration, rel_tol=EXACT)
    )


LAYOUT = Layout(
    name="activity_net",
    holds="a JSON annotation, and <id>.{npz,h5,pt,pth,csv,pkl} or one HDF5 file of all, beside it or in one folder",
    options=Options,
    detect=detect,
    read=read,
    write=write,
    needs_duration=True,
)
