"""How the features of many videos are held: in memory as float32 or float16, or in a memory-mapped file."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from amsx.choices import Storage
from amsx.data.videos import Video

SHARE = 0.5  # the share of the available memory that one set of features may take
CGROUP = Path("/sys/fs/cgroup")


def choose_storage(values: int, available: int | None) -> tuple[Literal["float32", "float16", "mapped"], str | None]:
    """How to hold `values` feature values with `available` bytes of memory (None: unknown), and a note on the decision.

    The answer is float32 where that takes at most half of the memory, else float16 (relative error 2^-11) where that
    does, else a file that is mapped to memory. The note is None for float32.
    """
    if available is None or values * 4 <= SHARE * available:
        return "float32", None
    reason = (
        f"features of {values * 4 / 2**30:.1f} GiB do not fit {SHARE:.0%} of the {available / 2**30:.1f} GiB available"
    )
    if values * 2 <= SHARE * available:
        return "float16", f"{reason}: held as float16"
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


def load_rows(
    videos: Sequence[Video], stream: str, edges: NDArray[np.int64], storage: Storage, folder: Path | None = None
) -> tuple[Tensor, str | None]:
    """Read the `stream` of V `videos` into one tensor (N, D), float32 or float16; also return `FeatureSet.note`.

    The rows of video i are `edges`[i] to `edges`[i + 1]; `edges` is (V + 1,). A "mapped" tensor is float32 and lies in
    an unnamed file in `folder` (default: the system's folder for temporary files) that disappears with the tensor.
    ValueError where a value is NaN, infinite, or too large for the float16 storage; OSError where the disk lacks room.
    """
    if storage not in ("auto", "float32", "float16", "mapped"):
        raise ValueError(f"storage must be 'auto', 'float32', 'float16' or 'mapped', got {storage!r}")
    shape, note = (int(edges[-1]), videos[0].streams[stream].shape[1]), None
    if storage == "auto":
        storage, note = choose_storage(shape[0] * shape[1], available_memory())
    if storage == "mapped":
        rows = _mapped(shape, folder)
    else:
        rows = np.empty(shape, dtype=storage)
    for video, start, stop in zip(videos, edges[:-1], edges[1:], strict=True):
        features = video.streams[stream].load()
        if storage == "float16" and np.abs(features).max() > np.finfo(np.float16).max:
            raise ValueError(f"video {video.id!r}, {stream}: values beyond float16; give storage='float32' or 'mapped'")
        rows[start:stop] = features
    return torch.from_numpy(rows), note


def _mapped(shape: tuple[int, int], folder: Path | None) -> NDArray[np.float32]:
    place = Path(tempfile.gettempdir()) if folder is None else folder
    needed, free = shape[0] * shape[1] * 4, shutil.disk_usage(place).free
    if needed > free:
        raise OSError(f"{place}: {free / 2**30:.1f} GiB free, the features need {needed / 2**30:.1f} GiB; set TMPDIR")
    with tempfile.TemporaryFile(dir=place) as file:
        return np.memmap(file, dtype=np.float32, mode="w+", shape=shape)
