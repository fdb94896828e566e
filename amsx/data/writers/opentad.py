"""OpenTAD's layout; see its reader.

The frame rate is nowhere written: OpenTAD takes it as frame / duration, so `frame` is what brings out the rate, a whole
number where the video's duration was one of frames. It cuts offsets to whole frames: those of clips of 16 frames,
overlapping or side by side, are whole; rows of one frame each come half a frame early there.
"""

import math
from pathlib import Path
from typing import Any

from amsx.data.videos import Dataset
from amsx.data.writers.annotation import ACTIVITY_NET, database, subsets_option, write_json
from amsx.data.writers.arrays import joined, save, split_option
from amsx.data.writers.frames import frame_grid


def write(dataset: Dataset, root: Path) -> dict[str, Any]:
    """Write the layout; the reader's options."""
    grid, entries = frame_grid(dataset), database(dataset, ACTIVITY_NET)
    for video in dataset.videos:
        save(root / "features" / f"{video.id}.npy", joined(dataset, video))
        duration = grid.duration(video)
        entries[video.id] |= {"duration": duration, "frame": _whole(grid.rate(video) * duration)}
    write_json(root / "annotation.json", entries)
    offset = {"offset": grid.span / 2} if grid.span > 0 else {}
    return {"stride": grid.stride, **offset, **split_option(dataset), **subsets_option(dataset, ACTIVITY_NET)}


def _whole(frames: float) -> float:
    return round(frames) if math.isclose(frames, round(frames), rel_tol=1e-12) else frames
