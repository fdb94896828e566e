"""ActivityNet's own annotation and one file of features per video; see the reader.

Where every video's snippets share its duration, as those of features rescaled to one length do, that is all the
annotation says; else it says fps and frames, too.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np

from amsx.data.videos import Dataset, Video
from amsx.data.writers.annotation import ACTIVITY_NET, database, subsets_option, write_json
from amsx.data.writers.arrays import joined, split_option
from amsx.data.writers.frames import EXACT, frame_grid


def write(dataset: Dataset, root: Path) -> dict[str, Any]:
    """Write the layout; the reader's options."""
    grid, entries = frame_grid(dataset), database(dataset, ACTIVITY_NET)
    shared = all(_shares_its_duration(video) for video in dataset.videos)
    (root / "features").mkdir()
    for video in dataset.videos:
        np.savez(root / "features" / f"{video.id}.npz", feats=joined(dataset, video))
        entries[video.id] |= {} if shared else grid.entry(video)
    write_json(root / "annotation.json", entries, taxonomy=[])
    timing = {} if shared else grid.options()
    return {**timing, **split_option(dataset), **subsets_option(dataset, ACTIVITY_NET)}


def _shares_its_duration(video: Video) -> bool:
    timebase, duration = video.timebase, video.duration
    return (
        duration is not None
        and timebase.offset == 0
        and math.isclose(timebase.snippet_seconds * video.length, duration, rel_tol=EXACT)
    )
