"""Prints what each way to hold features costs: the time to begin, an epoch of batches, and an epoch of training.

    python -m benchmarks.make_dataset thumos14 DATA
    python -m benchmarks.storages DATA
    python -m benchmarks.storages DATA --hdf5 gzip

The batches of an epoch are measured twice, with the files in the system's cache, and after it was asked to forget them,
as where they are larger than memory: then every batch comes from the disk. Training finds them there, too, and its time
holds that of its batches. Seconds in brackets are those of processors, which other
work on the machine changes little. With --hdf5 the features are first copied to HDF5 files, contiguous ("none") or
compressed, in the folder for temporary files.
"""

import argparse
import ctypes
import mmap
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.reading import Taken, stage

STORAGES = ("float32", "mapped", "files")
STAGES = ("load", "batches, cached", "batches, from disk", "epoch of phase zero")


def forget(descriptor: int) -> None:
    """Ask the system to take the pages of a file out of its cache; they are written first where they must be."""
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def unmap(rows: Any) -> None:
    """Let go of the pages of a mapped tensor, which the system's cache must keep while a process has them."""
    libc = ctypes.CDLL(None, use_errno=True)
    size = ctypes.c_size_t(rows.numel() * rows.element_size())
    if libc.madvise(ctypes.c_void_p(rows.data_ptr()), size, mmap.MADV_DONTNEED):
        raise OSError(ctypes.get_errno(), "the pages of a mapped file cannot be let go of")


@contextmanager
def temporary_files() -> Iterator[list[int]]:
    """Within the context, the list holds the descriptors of the unnamed files that are made."""
    made: list[int] = []
    make = tempfile.TemporaryFile

    def made_file(*arguments: Any, **options: Any) -> Any:
        file = make(*arguments, **options)
        made.append(os.dup(file.fileno()))
        return file

    with mock.patch("tempfile.TemporaryFile", made_file):
        yield made
    for descriptor in made:
        os.close(descriptor)


def measure(videos: Sequence[Any], stream: str, classes: Sequence[str], storage: Any, epochs: int) -> list[Taken]:
    """The times of the stages, of the batches those of the fastest epoch."""
    from amsx.data.batching import FeatureSet, train_batches
    from amsx.training.config import Config
    from amsx.training.trainer import Trainer

    def from_disk(features: FeatureSet) -> None:
        for descriptor in copies:
            unmap(features.rows)
            forget(descriptor)
        for path in {video.streams[stream].path for video in videos}:
            with path.open("rb") as file:
                forget(file.fileno())

    def epoch(taken: list[Taken], number: int) -> None:
        with stage(taken):
            for _ in train_batches(features, batch_size=16, max_snippets=1000, seed=0, epoch=number):
                pass

    loading, cached, cold, training = list[Taken](), list[Taken](), list[Taken](), list[Taken]()
    with temporary_files() as copies:
        with stage(loading):
            features = FeatureSet.load(videos, stream, classes, storage=storage)
        for number in range(epochs):
            epoch(cached, number)
        for number in range(epochs):
            from_disk(features)
            epoch(cold, number)
        trainer = Trainer(features, Config(), stream=stream, classes=classes, progress=False)
        from_disk(features)
        with stage(training):
            trainer.train(until=1)
    return [loading[0], min(cached), min(cold), training[0]]


def as_hdf5(videos: Sequence[Any], stream: str, folder: Path, compression: str | None) -> list[Any]:
    """The videos, with the features of a stream in an HDF5 file of their own."""
    import h5py

    from amsx.data.features import FeatureFile

    copies = []
    for video in videos:
        path = folder / f"{video.id}.h5"
        with h5py.File(path, "w") as file:
            file.create_dataset("features", data=video.streams[stream].load(), compression=compression)
        copies.append(replace(video, streams={stream: FeatureFile.inspect(path)}, own_timebases={}))
    return copies


def main(arguments: Sequence[str] | None = None) -> None:
    from amsx.data.layouts import read_dataset

    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.storages", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data", type=Path, metavar="DATA", help="a data set of .npy or HDF5 files")
    parser.add_argument("--stream", help="default: the first")
    parser.add_argument("--epochs", type=int, default=3, help="of which the fastest counts (default: 3)")
    parser.add_argument("--hdf5", choices=["none", "gzip", "lzf"], help="copy the features to HDF5 files first")
    options = parser.parse_args(arguments)
    data = read_dataset(options.data)
    videos: Sequence[Any] = data.subset("train")
    stream = options.stream or data.stream_names[0]
    values = sum(int(np.prod(video.streams[stream].shape)) for video in videos)
    print(f"{len(videos)} videos, {values * 4 / 2**30:.2f} GiB as float32, stream {stream}")
    print(f"{'storage':<10}" + "".join(f"{name:>20}" for name in STAGES))
    with tempfile.TemporaryDirectory() as folder:
        if options.hdf5 is not None:
            videos = as_hdf5(videos, stream, Path(folder), None if options.hdf5 == "none" else options.hdf5)
        for storage in STORAGES:
            taken = measure(videos, stream, data.classes, storage, options.epochs)
            print(f"{storage:<10}" + "".join(f"{f'{t.wall:.2f} ({t.processor:.2f}) s':>20}" for t in taken), flush=True)


if __name__ == "__main__":
    main()
