"""Features and lists as the files hold them."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amsx.data.layouts.streams import TWO_STREAM
from amsx.data.videos import Dataset, Video


def joined(dataset: Dataset, video: Video) -> NDArray[np.float32]:
    """(n, D) all streams side by side, rgb first."""
    return np.concatenate([video.streams[name].load() for name in dataset.stream_names], axis=1)


def split_option(dataset: Dataset) -> dict[str, Any]:
    """The reader's option that tells streams side by side apart again, where it is needed and there is one."""
    halves = dataset.stream_names == ("rgb", "flow") and len(set(dataset.dims.values())) == 1
    if halves == (sum(dataset.dims.values()) == TWO_STREAM):
        return {}
    return {"split": halves}


def median_snippet(dataset: Dataset) -> float:
    """Seconds per snippet, for layouts that have one number for all videos."""
    return float(np.median([video.timebase.snippet_seconds for video in dataset.videos]))


def save(path: Path, array: NDArray) -> None:
    """A .npy file of numbers or bytes, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array, allow_pickle=False)


def save_list(path: Path, values: Sequence[Any]) -> None:
    """A .npy file of a list: an object array with an element for each value, of whatever shape that is.

    Pickled, in the dialect of the NumPy that writes it: NumPy before 1.26 cannot read what NumPy 2 pickles.
    """
    array = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):
        array[i] = value
    np.save(path, array, allow_pickle=True)


def save_dict(path: Path, values: Mapping[str, Any]) -> None:
    """A .npy file of a dict, an object array without an axis; as `save_list`."""
    np.save(path, np.array(values, dtype=object), allow_pickle=True)


def as_bytes(names: Iterable[str]) -> NDArray[np.bytes_]:
    """Text as the arrays of Python 2 had it: the projects that read such a file decode every name."""
    return np.array([name.encode("utf-8") for name in names], dtype="S")
