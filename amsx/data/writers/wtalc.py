"""The W-TALC bundle, as it is published for THUMOS14; see its reader. One time per snippet for all videos, no offset.

Of its two flavours this one keeps ids, where ActivityNet's has numbers instead of names. Names are bytes and labels
text: W-TALC and its heirs decode the ones and compare the others as they are. The video-level labels are labels_all,
which these projects train on; `labels` has one for each segment. A bundle called amsx is read with
`--dataset-name amsx`.
"""

from pathlib import Path
from typing import Any

import numpy as np

from amsx.data.videos import Dataset
from amsx.data.writers.annotation import Subsets, all_labels
from amsx.data.writers.arrays import as_bytes, joined, median_snippet, save, save_list, split_option

NAME = "amsx"
WRITTEN: Subsets = {"train": "validation", "test": "test"}


def write(dataset: Dataset, root: Path) -> dict[str, Any]:
    """Write the layout; the reader's options."""
    videos, folder = dataset.videos, root / f"{NAME}-Annotations"
    save(folder / "videoname.npy", as_bytes(video.id for video in videos))
    save(folder / "subset.npy", as_bytes(WRITTEN[video.subset] for video in videos))
    save(folder / "classlist.npy", as_bytes(all_labels(dataset)))
    durations = [video.end if video.duration is None else video.duration for video in videos]
    save(folder / "duration.npy", np.array(durations, dtype=np.float64)[:, np.newaxis])
    save_list(folder / "segments.npy", [[[s.start, s.end] for s in video.segments] for video in videos])
    save_list(folder / "labels.npy", [[segment.label for segment in video.segments] for video in videos])
    save_list(folder / "labels_all.npy", [list(video.labels) for video in videos])
    (folder / "Ambiguous_test.txt").touch()  # W-TALC's evaluation opens it
    save_list(root / f"{NAME}-I3D-JOINTFeatures.npy", [joined(dataset, video) for video in videos])
    stated = all({segment.label for segment in video.segments} == set(video.labels) for video in videos)
    labels = {} if stated else {"labels": "all"}
    return {"snippet_seconds": median_snippet(dataset), **labels, **split_option(dataset)}
