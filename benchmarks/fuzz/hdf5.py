"""HDF5 files: made anew with other contents, or changed byte by byte."""

import random
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from benchmarks.fuzz.mutations import INTEGERS, NAMES, SECRET, SECRET_FILE, change_bytes


def seeds(folder: Path, array: NDArray[np.float32]) -> tuple[bytes, ...]:
    """One plain file, one in chunks and compressed, one with groups."""
    contents = []
    kinds: tuple[dict[str, Any], ...] = (
        {},
        {"chunks": (2, 2), "compression": "gzip", "shuffle": True},
        {"dtype": ">f8"},
    )
    for number, options in enumerate(kinds):
        path = folder / f"seed{number}.h5"
        with h5py.File(path, "w", libver=("earliest", "latest")[number % 2]) as file:
            file.create_dataset("video/feats" if number == 2 else "feats", data=array, **options)
            file.attrs["fps"] = 25.0
        contents.append(path.read_bytes())
    return tuple(contents)


def change(chance: random.Random, content: bytes) -> bytes:
    """Changed bytes, or a new file that refers to others, holds other types, or promises much."""
    if chance.random() < 0.7:
        return change_bytes(chance, content)
    with h5py.File(f"{chance.random()}.h5", "w", driver="core", backing_store=False) as file:
        _fill(chance, file)
        file.flush()
        image: bytes = file.id.get_file_image()
    return image if chance.random() < 0.8 else change_bytes(chance, image)


def _fill(chance: random.Random, file: Any) -> None:
    name = chance.choice(
        ("feats", "a", "rgb", *(n for n in NAMES if n not in ("", ".", "..") and "\0" not in n and "\ud800" not in n))
    )
    kind = chance.randrange(12)
    outside = chance.choice((f"../{SECRET_FILE}", SECRET_FILE, "/etc/hostname", "../outside.h5"))
    if kind == 0:
        file["feats"] = h5py.ExternalLink("../outside.h5", "feats")
    elif kind == 1:
        file["feats"] = h5py.SoftLink(chance.choice(("/feats", "/none", "/a/../feats")))
    elif kind == 2:
        file.create_dataset("feats", (4, 2), "f4", external=[(outside, chance.choice((0, 128)), 32)])
    elif kind == 3:
        layout = h5py.VirtualLayout((5, 4), "f4")
        layout[:] = h5py.VirtualSource("../outside.h5", "feats", (5, 4))
        file.create_virtual_dataset("feats", layout)
    elif kind == 4:  # a file of a few hundred bytes that promises terabytes
        rows = chance.choice((1 << 20, 1 << 34, 1 << 40))
        file.create_dataset("feats", (rows, 64), "f4", chunks=(1024, 64), compression="gzip", fillvalue=1.0)
    elif kind == 5:
        file.create_dataset(
            "feats", data=np.zeros((1 << 14, 64), "f4"), chunks=True, compression="gzip", compression_opts=9
        )
    elif kind == 6:
        file["feats"] = chance.choice((np.float32(1), np.zeros((0, 4)), np.zeros((2, 3, 4)), h5py.Empty("f4"), "text"))
    elif kind == 7:
        file["feats"] = np.zeros(
            (5, 4), chance.choice(("c8", "S4", "?", [("a", "f4"), ("b", "i4")], "f2", "i8", ">u2"))
        )
    elif kind == 8:
        file.create_dataset("feats", (3,), h5py.vlen_dtype(np.float32))
    elif kind == 9:
        file["feats"] = np.full((5, 4), chance.choice((np.nan, np.inf, SECRET + 1)), "f8")
    elif kind == 10:
        file.create_group(name)["x"] = h5py.SoftLink(f"/{name}")
        file[f"{name}/loop"] = file["/"]
    else:
        file[name] = np.arange(20, dtype=chance.choice(("f4", "i8"))).reshape(5, 4) + chance.choice(
            (0, 1, INTEGERS[12])
        )
