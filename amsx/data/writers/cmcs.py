"""CMCS's layout; see its reader.

The annotation is written as JSON, as CMCS reads ActivityNet's, which has durations and labels that THUMOS14's text
files do not; file names begin with v_, as there. CMCS takes ActivityNet's videos to have 25 frames per second: snippets
of 0.64 s are written so. A file has one view, the features themselves.
"""

from pathlib import Path
from typing import Any

import numpy as np

from amsx.data.layouts.cmcs import USUAL_PREFIX
from amsx.data.videos import Dataset
from amsx.data.writers.annotation import ACTIVITY_NET, database, subsets_option, write_json
from amsx.data.writers.frames import frame_grid


def write(dataset: Dataset, root: Path) -> dict[str, Any]:
    """Write the layout; the reader's options."""
    grid, entries = frame_grid(dataset), database(dataset, ACTIVITY_NET)
    # v_a and a would be hard to tell apart among prefixed names
    prefix = "" if any(video.id.startswith(USUAL_PREFIX) for video in dataset.videos) else USUAL_PREFIX
    for video in dataset.videos:
        folder = root / video.subset
        folder.mkdir(exist_ok=True)
        for name, stream in video.streams.items():
            path = folder / f"{prefix}{video.id}-{name}.npz"
            np.savez(path, feature=stream.load()[np.newaxis], frame_cnt=grid.frames(video))
        entries[video.id] |= {"duration": grid.duration(video), "fps": grid.rate(video)}
    write_json(root / "annotation.json", entries, taxonomy=[])
    return {**grid.options(), **subsets_option(dataset, ACTIVITY_NET)}
