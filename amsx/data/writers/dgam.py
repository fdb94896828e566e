"""DGAM's layout; see its reader. It has one time per snippet for all videos, and no offset.

DGAM numbers videos and classes; the lists of names that its reader looks for are written, too.
"""

from pathlib import Path
from typing import Any

import numpy as np

from amsx.data.layouts.splits import SUBSETS
from amsx.data.videos import Dataset
from amsx.data.writers.annotation import all_labels, database, write_json
from amsx.data.writers.arrays import as_bytes, median_snippet, save


def write(dataset: Dataset, root: Path) -> dict[str, Any]:
    """Write the layout; the reader's options."""
    classes = all_labels(dataset)
    for subset in SUBSETS:
        videos = dataset.subset(subset)
        if not videos:
            continue
        folder = root / f"{subset}_data"
        for i, video in enumerate(videos, start=1):
            for name, stream in video.streams.items():
                save(folder / f"{name}_features" / f"{i}.npy", stream.load())
        labels = np.array([[label in video.labels for label in classes] for video in videos], dtype=np.float32)
        save(folder / f"{subset}_labels.npy", labels)  # (V, C)
        (root / f"{subset}_names.txt").write_text("".join(f"{video.id}\n" for video in videos), encoding="utf-8")
    save(root / "classlist.npy", as_bytes(classes))
    write_json(root / "gt.json", database(dataset))
    return {"snippet_seconds": median_snippet(dataset)}
