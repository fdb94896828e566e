"""When snippets are, by the files <id>_timestamps_ms.npy that v-iashin's video_features writes beside features.

Extractors of single frames (CLIP, ResNet, timm) write when each frame begins; the first begins at 0. I3D writes when
the last frame of each stack of frames begins, and the first stack begins at 0, so its centre is at half of that time.
"""

from pathlib import Path

import numpy as np

from amsx.data.arrays import read_array
from amsx.data.videos import SHORT, Timebase

AT_ONCE = 0.001  # seconds; a first timestamp below it is the beginning of the video
UNEVEN = 1.0  # snippets by which a timestamp may be off its place between the first and the last


def timestamps_file(place: Path, stream: str) -> Path:
    """The file of timestamps that belongs to the features of a stream at `place`."""
    return place.with_name(f"{place.stem.removesuffix(f'_{stream}')}_timestamps_ms.npy")


def timebase_of(file: Path, rows: int) -> Timebase:
    """The timebase of `rows` snippets whose timestamps are in `file`, in milliseconds.

    ValueError, beginning with the path, where there are fewer timestamps than rows or over 2 more, where they do not
    grow or are not evenly spread, and where there are fewer than two, which do not say how long a snippet is.
    """
    stamps = np.asarray(read_array(file), dtype=np.float64).reshape(-1) / 1000
    if not rows <= len(stamps) <= rows + SHORT:
        raise ValueError(f"{file}: {len(stamps)} timestamps for {rows} rows of features, expected one a row")
    if len(stamps) < 2:
        raise ValueError(f"{file}: a single timestamp does not say how long a snippet is; give stride and num_frames")
    if not np.isfinite(stamps).all() or not (np.diff(stamps) > 0).all() or stamps[0] < 0:
        raise ValueError(f"{file}: expected timestamps in milliseconds that grow from row to row")
    seconds = float(stamps[-1] - stamps[0]) / (len(stamps) - 1)
    off = float(np.abs(stamps - (stamps[0] + np.arange(len(stamps)) * seconds)).max())
    if off > UNEVEN * seconds:
        raise ValueError(
            f"{file}: the timestamps are not evenly spread, one is {off:.3g} s off its place; give stride, num_frames "
            "and fps for snippets that are"
        )
    first = float(stamps[0])
    return Timebase(seconds) if first < AT_ONCE else Timebase(seconds, (first - seconds) / 2)
