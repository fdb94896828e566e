"""BaS-Net's layout; see its reader. It has one time per snippet for all videos, and no offset."""

from pathlib import Path
from typing import Any

from amsx.data.videos import Dataset
from amsx.data.writers.arrays import save
from amsx.data.writers.splits import write_splits


def write(dataset: Dataset, root: Path) -> dict[str, Any]:
    """Write the layout; the reader's options."""
    for video in dataset.videos:
        for name, stream in video.streams.items():
            save(root / "features" / video.subset / name / f"{video.id}.npy", stream.load())
    return write_splits(dataset, root)
