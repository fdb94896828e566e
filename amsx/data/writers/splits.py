"""What the layouts with gt.json and split_{train,test}.txt have in common."""

from pathlib import Path
from typing import Any

from amsx.data.layouts.splits import SUBSETS
from amsx.data.videos import Dataset
from amsx.data.writers.annotation import database, write_json
from amsx.data.writers.arrays import median_snippet


def write_splits(dataset: Dataset, root: Path) -> dict[str, Any]:
    """These files, and the reader's option."""
    for subset in SUBSETS:
        lines = "".join(f"{video.id}\n" for video in dataset.subset(subset))
        (root / f"split_{subset}.txt").write_text(lines, encoding="utf-8")
    write_json(root / "gt.json", database(dataset))
    return {"snippet_seconds": median_snippet(dataset)}
