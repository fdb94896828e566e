"""ACM-Net's layout; see its reader. It has one time per snippet for all videos, and no offset."""

from pathlib import Path
from typing import Any

from amsx.data.videos import Dataset
from amsx.data.writers.arrays import joined, save, split_option
from amsx.data.writers.splits import write_splits


def write(dataset: Dataset, root: Path) -> dict[str, Any]:
    """Write the layout; the reader's options."""
    for video in dataset.videos:
        save(root / video.subset / f"{video.id}.npy", joined(dataset, video))
    return {**write_splits(dataset, root), **split_option(dataset)}
