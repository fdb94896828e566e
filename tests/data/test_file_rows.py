"""Features that stay in their files give the batches that features in memory give, whatever the files are like."""

import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from amsx.data import storage
from amsx.data.batching import FeatureSet, full_batches, train_batches
from amsx.data.features import Crops, FeatureFile
from amsx.data.file_rows import FileRows
from amsx.data.videos import Timebase, Video

LENGTHS = (7, 30, 12, 1, 55)
WIDTH = 6


def arrays(lengths=LENGTHS):
    rng = np.random.default_rng(0)
    return [rng.standard_normal((n, WIDTH)) for n in lengths]


def video_of(name, file):
    return Video(name, "train", {"rgb": file}, ("a",), (), Timebase(1))


def npy(folder: Path, i: int, array):
    np.save(folder / f"{i}.npy", array)
    return FeatureFile.inspect(folder / f"{i}.npy")


def hdf5(folder: Path, i: int, array, **options):
    with h5py.File(folder / f"{i}.h5", "w") as file:
        file.create_dataset("features", data=array, **options)
    return FeatureFile.inspect(folder / f"{i}.h5")


def in_one_file(folder: Path, i: int, array):
    with h5py.File(folder / "all.h5", "a") as file:
        file[f"videos/v{i}/rgb"] = array
    return FeatureFile.inspect(folder / "all.h5", key=f"videos/v{i}/rgb")


KINDS = {
    "float32": lambda folder, i, a: npy(folder, i, a.astype("f4")),
    "float64": npy,
    "float16": lambda folder, i, a: npy(folder, i, a.astype("f2")),
    "integers": lambda folder, i, a: npy(folder, i, (10 * a).astype("i2")),
    "big-endian": lambda folder, i, a: npy(folder, i, a.astype(">f4")),
    "Fortran order": lambda folder, i, a: npy(folder, i, np.asfortranarray(a)),
    "turned": lambda folder, i, a: npy(folder, i, np.ascontiguousarray(a.T)).turn(),
    "columns": lambda folder, i, a: replace(npy(folder, i, np.hstack([a, a])), columns=(3, 9), shape=a.shape),
    "HDF5": hdf5,
    "HDF5, chunked": lambda folder, i, a: hdf5(folder, i, a, chunks=(1, 4)),
    "HDF5, compressed": lambda folder, i, a: hdf5(folder, i, a, compression="gzip"),
    "HDF5, turned": lambda folder, i, a: hdf5(folder, i, np.ascontiguousarray(a.T)).turn(),
    "HDF5, one file": in_one_file,
}


@pytest.mark.parametrize("kind", KINDS)
def test_batches_are_those_of_features_in_memory(tmp_path, kind):
    videos = [video_of(f"v{i}", KINDS[kind](tmp_path, i, array)) for i, array in enumerate(arrays())]
    memory = FeatureSet.load(videos, "rgb", ["a"], storage="float32")
    files = FeatureSet.load(videos, "rgb", ["a"], storage="files")
    assert files.rows.shape == memory.rows.shape and not isinstance(files.rows, torch.Tensor)
    arguments: dict[str, Any] = {"batch_size": 2, "max_snippets": 10, "seed": 0, "epoch": 3}
    for sampling in ("crop", "uniform", "jittered"):
        batches = train_batches(files, sampling=sampling, **arguments)
        for a, b in zip(train_batches(memory, sampling=sampling, **arguments), batches, strict=True):
            assert torch.equal(a.features, b.features) and torch.equal(a.labels, b.labels) and a.ids == b.ids
    for a, b in zip(full_batches(memory), full_batches(files), strict=True):
        assert torch.equal(a.features, b.features)


def test_no_file_is_copied_where_memory_is_short_but_those_that_would_be_unpacked_for_every_batch(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(storage, "available_memory", lambda: 10)
    for kind in ("float64", "columns", "HDF5", "HDF5, chunked"):
        file = KINDS[kind](tmp_path, 0, arrays()[0])
        features = FeatureSet.load([video_of("v", file)], "rgb", ["a"])
        assert isinstance(features.rows, FileRows) and "read from their files" in str(features.note)
    packed = [
        video_of(f"v{i}", KINDS[kind](tmp_path, i, arrays()[0])) for i, kind in enumerate(("HDF5", "HDF5, compressed"))
    ]
    features = FeatureSet.load(packed, "rgb", ["a"])
    assert isinstance(features.rows, torch.Tensor) and "memory-mapped" in str(features.note)


@pytest.mark.parametrize("kind", ["npy", "HDF5"])
def test_of_a_long_file_the_asked_rows_alone_are_read(tmp_path, kind):
    n = 100_000
    if kind == "npy":
        array = np.lib.format.open_memmap(tmp_path / "0.npy", "w+", "f4", (n, 64))
        array[500] = 3
        file = FeatureFile.inspect(tmp_path / "0.npy")
    else:
        with h5py.File(tmp_path / "0.h5", "w") as hdf:
            hdf.create_dataset("features", (n, 64), "f4", chunks=(100, 64))[500] = 3
            hdf["features"][-1] = 1
            hdf["features"][::2000] = 0  # parts that take room in the file, which no small file may ask for
        file = FeatureFile.inspect(tmp_path / "0.h5")
    features = FeatureSet.load([video_of("v", file)], "rgb", ["a"], storage="files")
    tracemalloc.start()
    try:
        rows = features.rows[500:510]
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert rows[0].eq(3).all() and rows[1:].eq(0).all()


def test_what_becomes_of_a_file_is_said_when_a_batch_needs_it(tmp_path):
    videos = [video_of(f"v{i}", KINDS["float32"](tmp_path, i, array)) for i, array in enumerate(arrays())]
    features = FeatureSet.load(videos, "rgb", ["a"], storage="files")
    np.save(tmp_path / "0.npy", np.full((7, WIDTH), np.nan, "f4"))
    with pytest.raises(ValueError, match=r"0\.npy: NaN or infinite values in 7 of 7 rows"):
        features.rows[0:7]
    np.save(tmp_path / "0.npy", np.zeros((5, WIDTH), "f4"))
    with pytest.raises(ValueError, match=r"0\.npy: shape \(5, 6\) is not what it was when the data set was read"):
        features.rows[0:2]
    (tmp_path / "0.npy").unlink()
    with pytest.raises(FileNotFoundError, match=r"no feature file .*0\.npy"):
        list(full_batches(features))
    assert features.rows[7:37].shape == (30, WIDTH)


def test_what_cannot_be_read_in_parts_is_refused_by_name(tmp_path):
    array = arrays()[0]
    np.savez(tmp_path / "a.npz", features=array)
    np.save(tmp_path / "b.npy", np.array({"features": array}, dtype=object), allow_pickle=True)
    np.save(tmp_path / "c.npy", np.stack([array, array]))
    good = npy(tmp_path, 0, array)
    for file in (
        FeatureFile.inspect(tmp_path / "a.npz"),
        FeatureFile.inspect(tmp_path / "b.npy"),
        FeatureFile.inspect(tmp_path / "c.npy", crops=Crops("mean", 0)),
    ):
        videos = [video_of("v", good), video_of("w", file)]
        with pytest.raises(ValueError, match=rf"video 'w', rgb: .*{file.path.name} cannot be read in parts; expected"):
            FeatureSet.load(videos, "rgb", ["a"], storage="files")
        assert isinstance(FeatureSet.load(videos, "rgb", ["a"]).rows, torch.Tensor)
