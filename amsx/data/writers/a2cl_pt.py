"""A2CL-PT's layout; see its reader. It has one time per snippet for all videos, and no offset.

Videos without an action are written, and left out by whoever reads them, as by A2CL-PT.
"""

from pathlib import Path
from typing import Any

from amsx.data.layouts.a2cl_pt import ANNOTATION
from amsx.data.layouts.timing import CLIP
from amsx.data.videos import Dataset
from amsx.data.writers.annotation import Subsets, all_labels, database, subsets_option, write_json
from amsx.data.writers.arrays import joined, median_snippet, save_dict, split_option

WRITTEN: Subsets = {"train": "train", "test": "val"}


def write(dataset: Dataset, root: Path) -> dict[str, Any]:
    """Write the layout; the reader's options."""
    for subset, name in WRITTEN.items():
        features = {video.id: joined(dataset, video) for video in dataset.subset(subset)}
        if features:
            save_dict(root / f"feature_{name}.npy", features)
    seconds = median_snippet(dataset)
    write_json(
        root / ANNOTATION,
        database(dataset, WRITTEN),
        list_classes=all_labels(dataset),
        miscellany={"fps_extracted": CLIP / seconds, "len_feature_chunk": CLIP},
        set_ambiguous={},
    )
    return {"snippet_seconds": seconds, **split_option(dataset), **subsets_option(dataset, WRITTEN)}
