"""ActionFormer's layout; see its reader."""

from pathlib import Path
from typing import Any

from amsx.data.videos import Dataset
from amsx.data.writers.annotation import database, write_json
from amsx.data.writers.arrays import joined, save, split_option
from amsx.data.writers.frames import frame_grid


def write(dataset: Dataset, root: Path) -> dict[str, Any]:
    """Write the layout; the reader's options."""
    grid, entries = frame_grid(dataset), database(dataset)
    for video in dataset.videos:
        save(root / "features" / f"{video.id}.npy", joined(dataset, video))
        entries[video.id] |= grid.entry(video)
    write_json(root / "annotation.json", entries)
    return {**grid.options(), **split_option(dataset)}
