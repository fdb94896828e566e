"""Prints the time and memory that the features of up to 100,000 videos take, from the first check to a batch.

    python -m benchmarks.reading
    python -m benchmarks.reading --videos 1000 2000 4000 --snippets 300 --width 1024

The videos are simulated: each has a file of its own, which is one of a few by another name. For each number of
videos a process of its own reads all features once to check them, does so again with what it remembers, copies them
into the mapped file of `optimization.storage=mapped`, and makes the batches of an epoch. Each stage has its seconds,
and in brackets the seconds of processors that all its threads and processes took, which other work on the machine
changes little. Memory is what the process has of its own at most, beyond what it had at the start: pages of a mapped
file are the system's to take back.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

FILES = 64  # that the videos have between them, each under many names
CLASSES = 20
STAGES = ("check", "check again", "copy to the mapped file", "an epoch of batches")


def own_memory() -> int:
    """The bytes of memory that are this process's own, without pages of files."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status does not say RssAnon; expected Linux")


@contextmanager
def peak_memory() -> Iterator[list[int]]:
    """Within the context the memory is looked at a hundred times a second; the list then holds the most there was."""
    peak, over = [own_memory()], threading.Event()

    def watch() -> None:
        while not over.wait(0.01):
            peak[0] = max(peak[0], own_memory())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()


class Taken(NamedTuple):
    """The time of a stage, in seconds."""

    wall: float
    processor: float  # of the process and of its workers, user and system


@contextmanager
def stage(taken: list[Taken]) -> Iterator[None]:
    """Append the time that the context takes."""
    wall, before = time.perf_counter(), os.times()
    yield
    taken.append(Taken(time.perf_counter() - wall, sum(os.times()[:4]) - sum(before[:4])))


def measure(folder: Path, videos: int, snippets: int, width: int) -> None:
    """Print a line for one number of videos: seconds of every stage, and the most memory."""
    from amsx.data.batching import FeatureSet, train_batches
    from amsx.data.features import FeatureFile
    from amsx.data.value_check import broken_values
    from amsx.data.videos import Dataset, Timebase, Video

    names = folder / str(videos)
    names.mkdir()
    for i in range(videos):
        (names / f"{i:07d}.npy").hardlink_to(folder / f"{i % FILES:02d}.npy")
    list(train_batches(_few(), batch_size=2, max_snippets=4, seed=0, epoch=0))  # imports what batches need
    start, taken = own_memory(), list[Taken]()
    with peak_memory() as peak:
        made = tuple(
            Video(
                f"{i:07d}",
                "train",
                {"rgb": FeatureFile(names / f"{i:07d}.npy", (snippets, width))},
                (f"{i % CLASSES:02d}",),
                (),
                Timebase(0.64),
            )
            for i in range(videos)
        )
        data = Dataset(folder, "made", tuple(f"{c:02d}" for c in range(CLASSES)), made)
        listed = own_memory()
        for _ in range(2):
            with stage(taken):
                assert broken_values(data, remembered=True) == {}
        with stage(taken):
            features = FeatureSet.load(data.videos, "rgb", data.classes, storage="mapped")
        with stage(taken):
            for _ in train_batches(features, batch_size=16, max_snippets=1000, seed=0, epoch=0):
                pass
    size = videos * snippets * width * 4
    times = "".join(f"{f'{wall:.2f} ({processor:.2f}) s':>20}" for wall, processor in taken)
    print(
        f"{videos:>8}{size / 2**30:>10.2f} GiB{times}{(listed - start) / 2**20:>12.0f} MiB"
        f"{(peak[0] - start) / 2**20:>12.0f} MiB",
        flush=True,
    )


def _few() -> "FeatureSet":  # type: ignore[name-defined]  # noqa: F821
    import torch

    from amsx.data.batching import FeatureSet

    return FeatureSet(("a", "b"), torch.zeros(8, 2), np.array([0, 4, 8]), torch.ones(2, 1))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.reading", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--videos", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--snippets", type=int, default=50, help="snippets of every video (default: 50)")
    parser.add_argument("--width", type=int, default=64, help="D, channels of the features (default: 64)")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)  # of the files, in a process for one number
    options = parser.parse_args(arguments)
    if options.folder is not None:
        measure(options.folder, options.videos[0], options.snippets, options.width)
        return
    print(f"{'videos':>8}{'features':>14}" + "".join(f"{name[:19]:>20}" for name in STAGES), end="")
    print(f"{'the list':>16}{'at most':>16}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        generator = np.random.default_rng(0)
        for i in range(FILES):
            path = folder / f"{i:02d}.npy"
            np.save(path, generator.standard_normal((options.snippets, options.width), dtype=np.float32))
            os.utime(path, (1_600_000_000, 1_600_000_000))
        for videos in options.videos:
            command = [sys.executable, "-m", "benchmarks.reading", "--folder", name, "--videos", str(videos)]
            command += ["--snippets", str(options.snippets), "--width", str(options.width)]
            environment = {**os.environ, "AMSX_CACHE": str(folder / f"cache-{videos}")}
            subprocess.run(command, check=True, env=environment)


if __name__ == "__main__":
    main()
