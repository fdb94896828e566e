"""Reading all features once, to refuse what cannot be used before hours are spent on the rest.

Files are read by several threads, one video at a time in each, so the time grows with the bytes and the memory does
not. What was found good is remembered in a file of its own for each data set, in the folder that the environment
variable AMSX_CACHE names (default: `amsx` in the user's folder for caches, XDG_CACHE_HOME or ~/.cache; empty: nothing
is remembered). A file is read again where its path, size, time of change or inode is another, or the part of it that is
used. One that was written less than `FRESH` seconds before it was read is not remembered, because a second change could
leave the same time. A memory that cannot be read or written is left alone. It can only save time: every feature is
checked again when it is loaded.
"""

import hashlib
import os
import time
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from amsx.data.features import FeatureArray, FeatureFile
from amsx.data.videos import Dataset
from amsx.files import read_json, write_json

RULES = 1  # which version of the checks the memory is about; another one is not believed
FRESH = 2.0  # seconds: the coarsest step of a file system's times
AT_ONCE = 256  # files that wait for a thread, so that what waits does not grow with the data set
THREADS = 8  # at most: what reads from a disk gains little beyond
BY_THREADS = (".npy", ".h5", ".hdf5")  # formats whose readers share no state among threads
Stamp = list[int | str]


def broken_values(
    dataset: Dataset, streams: Collection[str] | None = None, *, remembered: bool = False, progress: bool = False
) -> dict[str, str]:
    """Read all features (of `streams` alone, if given); "<video>, <stream>" -> what is wrong, for those at fault.

    With `remembered`, files that were found good before, and have not changed since, are not read. `progress` shows a
    bar on a terminal where this takes seconds.
    """
    memory = _memory(dataset) if remembered else None
    known = {} if memory is None else _recall(memory)
    good: dict[str, Stamp] = {}
    todo: list[tuple[str, FeatureFile | FeatureArray, str, Stamp | None]] = []
    for video in dataset.videos:
        for name, stream in video.streams.items():
            if streams is not None and name not in streams:
                continue
            key, stamp = _stamp(stream) if memory is not None else ("", None)
            if stamp is not None and known.get(key) == stamp:
                good[key] = stamp
            else:
                todo.append((f"{video.id}, {name}", stream, key, stamp))
    broken = {}
    hidden = None if progress else True  # None: shown on a terminal alone
    with tqdm(total=len(todo), desc="checking features", unit="file", delay=2, disable=hidden) as bar:
        for (where, _, key, stamp), fault in zip(todo, _faults([item[1] for item in todo]), strict=True):
            bar.update()
            if fault is not None:
                broken[where] = fault
            elif stamp is not None and time.time() - int(stamp[1]) / 1e9 > FRESH:
                good[key] = stamp
    if memory is not None and good != known:
        _remember(memory, {**known, **good})
    return broken


def _faults(streams: Sequence[FeatureFile | FeatureArray]) -> Iterator[str | None]:
    """What is wrong with each of the features, in their order; None where nothing is."""
    with ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1), thread_name_prefix="value-check") as pool:
        for start in range(0, len(streams), AT_ONCE):
            some = streams[start : start + AT_ONCE]
            shared = [isinstance(stream, FeatureFile) and stream.path.suffix in BY_THREADS for stream in some]
            started = [pool.submit(_fault, stream) if own else None for stream, own in zip(some, shared, strict=True)]
            try:
                faults = [
                    _fault(stream) if future is None else future.result()
                    for stream, future in zip(some, started, strict=True)
                ]
            finally:
                for future in started:
                    if future is not None:
                        future.cancel()
            # A fault is believed where it is found again while nothing else is read, whatever libraries do in threads.
            yield from (fault and _fault(stream) for stream, fault in zip(some, faults, strict=True))


def _fault(stream: FeatureFile | FeatureArray) -> str | None:
    try:
        stream.load()
    except (ValueError, OSError) as error:
        return str(error)
    return None


def _stamp(stream: FeatureFile | FeatureArray) -> tuple[str, Stamp | None]:
    """What the memory calls features in a file, and what they must still be to be believed; None: not remembered."""
    if not isinstance(stream, FeatureFile):
        return "", None
    try:
        status = stream.path.stat()
    except OSError:
        return "", None
    part = f"{stream.key} {stream.columns} {stream.crops} {stream.turned} {stream.shape}"
    return f"{stream.path.absolute()} {part}", [status.st_size, status.st_mtime_ns, status.st_ino, status.st_dev]


def _memory(dataset: Dataset) -> Path | None:
    """The file of what is remembered of a data set; None where nothing is."""
    folder = os.environ.get("AMSX_CACHE")
    if dataset.root is None or folder == "":
        return None
    caches = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    name = hashlib.sha256(str(dataset.root.absolute()).encode()).hexdigest()[:16]
    return (caches / "amsx" if folder is None else Path(folder)) / "checked-features" / f"{name}.json"


def _recall(memory: Path) -> dict[str, Stamp]:
    try:
        values = read_json(memory)
    except (OSError, ValueError):
        return {}
    if not isinstance(values, dict) or values.get("rules") != RULES or not isinstance(values.get("good"), dict):
        return {}
    good: dict[str, Stamp] = values["good"]
    return good


def _remember(memory: Path, good: dict[str, Stamp]) -> None:
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        write_json(memory, {"rules": RULES, "good": good})
    except OSError:  # a folder that is read-only or full: the next run reads again
        pass
