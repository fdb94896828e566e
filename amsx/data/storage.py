"""How the features of many videos are held: in memory, in a memory-mapped file, or in the files where they lie."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from amsx.choices import Storage
from amsx.data.file_rows import FileRows
from amsx.data.videos import Video

BYTES = {"float32": (4, 0), "float16": (2, 0), "mapped": (0, 4), "files": (0, 0)}  # of a value: in memory, on disk
SHARE = 0.5  # the share of the available memory that one set of features may take
CGROUP = Path("/sys/fs/cgroup")


def choose_storage(
    values: int, available: int | None, *, in_place: bool = False
) -> tuple[Literal["float32", "float16", "mapped", "files"], str | None]:
    """How to hold `values` feature values with `available` bytes of memory (None: unknown), and a note on the decision.

    The answer is float32 where that takes at most half of the memory, else float16 (relative error 2^-11) where that
    does, else the files as they are, where batches can be read from them without unpacking (`in_place`), or a copy in a
    file that is mapped to memory. The note is None for float32.
    """
    if available is None or values * 4 <= SHARE * available:
        return "float32", None
    reason = (
        f"features of {values * 4 / 2**30:.1f} GiB do not fit {SHARE:.0%} of the {available / 2**30:.1f} GiB available"
    )
    if values * 2 <= SHARE * available:
        return "float16", f"{reason}: held as float16"
    if in_place:
        return "files", f"{reason}: read from their files for every batch"
    return "mapped", f"{reason}: held in a memory-mapped file"


def available_memory() -> int | None:
    """The bytes that the system and the control group still grant this process; None where neither is known.

    Processes that train together on this machine (`torchrun` says how many) have equal parts.
    """
    limits = []
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                limits.append(int(line.split()[1]) * 1024)
    except OSError:
        if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
            limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    try:
        limit, used = ((CGROUP / f"memory.{name}").read_text().strip() for name in ("max", "current"))
        if limit != "max":
            limits.append(max(int(limit) - int(used), 0))
    except OSError:
        pass
    return min(limits) // int(os.environ.get("LOCAL_WORLD_SIZE", 1)) if limits else None


def storage_of(
    videos: Sequence[Video], stream: str, storage: Storage, available: int | None
) -> tuple[Literal["float32", "float16", "mapped", "files"], str | None]:
    """How to hold the `stream` of `videos` where `storage` is asked for, and a note where `choose_storage` decided.

    ValueError where "files" is asked for and features cannot be read in parts.
    """
    if storage not in get_args(Storage):
        raise ValueError(f"storage must be one of {', '.join(map(repr, get_args(Storage)))}, got {storage!r}")
    files = [video.streams[stream] for video in videos]
    whole = next((i for i, file in enumerate(files) if file.parts == "no"), None)
    if storage == "auto":
        values = sum(file.shape[0] * file.shape[1] for file in files)
        return choose_storage(values, available, in_place=all(file.parts == "yes" for file in files))
    if storage == "files" and whole is not None:
        where = getattr(files[whole], "path", "features in memory")
        raise ValueError(
            f"video {videos[whole].id!r}, {stream}: {where} cannot be read in parts; expected an array of two axes in "
            "a .npy or HDF5 file for every video, or another optimization.storage than files"
        )
    return storage, None


def load_rows(
    videos: Sequence[Video], stream: str, edges: NDArray[np.int64], storage: Storage, folder: Path | None = None
) -> tuple[Tensor | FileRows, str | None]:
    """The rows (N, D) of the `stream` of V `videos`, float32 or float16; also return `FeatureSet.note`.

    The rows of video i are `edges`[i] to `edges`[i + 1]; `edges` is (V + 1,). All features are read into one tensor,
    but for the storage "files", which reads none yet. A "mapped" tensor is float32 and lies in an unnamed file in
    `folder` (default: the system's folder for temporary files) that disappears with the tensor. ValueError where a
    value is NaN, infinite, or too large for the float16 storage, and where `storage_of` raises it; OSError where the
    disk lacks room.
    """
    storage, note = storage_of(videos, stream, storage, available_memory())
    files = [video.streams[stream] for video in videos]
    if storage == "files":
        return FileRows(files, edges), note
    shape = int(edges[-1]), files[0].shape[1]
    rows = _mapped(shape, folder) if storage == "mapped" else np.empty(shape, dtype=storage)
    for video, file, start, stop in zip(videos, files, edges[:-1], edges[1:], strict=True):
        features = file.load()
        if storage == "float16" and np.abs(features).max() > np.finfo(np.float16).max:
            raise ValueError(f"video {video.id!r}, {stream}: values beyond float16; give storage='float32' or 'mapped'")
        rows[start:stop] = features
    return torch.from_numpy(rows), note


def _mapped(shape: tuple[int, int], folder: Path | None) -> NDArray[np.float32]:
    place = Path(tempfile.gettempdir()) if folder is None else folder
    needed, free = shape[0] * shape[1] * 4, shutil.disk_usage(place).free
    if needed > free:
        raise OSError(
            f"{place}: {free / 2**30:.1f} GiB free, a copy of the features needs {needed / 2**30:.1f} GiB; "
            "set TMPDIR to a larger disk, or optimization.storage to files, which copies none"
        )
    with tempfile.TemporaryFile(dir=place) as file:
        return np.memmap(file, dtype=np.float32, mode="w+", shape=shape)
