"""All features are read before a training, several files at a time, and those that were found good only once."""

import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from amsx.data.features import FeatureArray, FeatureFile
from amsx.data.value_check import broken_values
from amsx.data.videos import Dataset, Timebase, Video

LONG_AGO = 1_600_000_000


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AMSX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def reads(monkeypatch):
    """The names of the files that are read."""
    names: list[str] = []
    load = FeatureFile.load

    def counted(self):
        names.append(self.path.name)
        return load(self)

    monkeypatch.setattr(FeatureFile, "load", counted)
    return names


def save(path: Path, value: float = 1.0, when: float = LONG_AGO, rows: int = 3) -> None:
    np.save(path, np.full((rows, 2), value, np.float32))
    os.utime(path, (when, when))


def dataset(root: Path, count: int = 4) -> Dataset:
    videos = []
    for i in range(count):
        path = root / f"{i}.npy"
        if not path.exists():
            save(path)
        videos.append(Video(str(i), "train", {"rgb": FeatureFile.inspect(path)}, ("a",), (), Timebase(1.0)))
    return Dataset(root, "made", ("a",), tuple(videos))


def test_good_files_are_read_once(tmp_path, cache, reads):
    assert broken_values(dataset(tmp_path), remembered=True) == {}
    assert sorted(reads) == ["0.npy", "1.npy", "2.npy", "3.npy"]
    reads.clear()
    assert broken_values(dataset(tmp_path), remembered=True) == {}
    assert reads == []
    assert broken_values(dataset(tmp_path)) == {}  # as `amsx data` asks
    assert len(reads) == 4


@pytest.mark.parametrize("change", ["time", "size", "inode", "part"])
def test_a_file_that_changed_is_read_again(tmp_path, cache, reads, change):
    data = dataset(tmp_path)
    broken_values(data, remembered=True)
    reads.clear()
    path = tmp_path / "2.npy"
    if change == "time":
        save(path, np.nan, LONG_AGO + 1)
    elif change == "size":
        save(path, np.nan, rows=4)
    elif change == "inode":
        save(tmp_path / "other.npy", np.nan)
        os.replace(tmp_path / "other.npy", path)
    else:
        videos = [data.videos[0], data.videos[1], data.videos[3]]
        shorter = data.videos[2].streams["rgb"].cut(2)
        videos.append(Video("2", "train", {"rgb": shorter}, ("a",), (), Timebase(1.0)))
        assert broken_values(Dataset(tmp_path, "made", ("a",), tuple(videos)), remembered=True) == {}
        assert reads == ["2.npy"]
        return
    assert list(broken_values(dataset(tmp_path), remembered=True)) == ["2, rgb"]
    assert reads == ["2.npy", "2.npy"]  # a fault is looked at twice
    reads.clear()
    assert list(broken_values(dataset(tmp_path), remembered=True)) == ["2, rgb"]  # a fault is not remembered
    assert reads == ["2.npy", "2.npy"]


@pytest.mark.parametrize("ahead", [0, 86400])  # seconds; a clock that was set back leaves files of the future
def test_what_was_written_just_now_or_later_is_not_remembered(tmp_path, cache, reads, ahead):
    data = dataset(tmp_path, 1)
    when = time.time() + ahead
    os.utime(tmp_path / "0.npy", (when, when))
    for _ in range(2):
        broken_values(data, remembered=True)
    assert reads == ["0.npy", "0.npy"]


@pytest.mark.parametrize("content", ["", "[]", '{"rules": 0, "good": {}}', '{"rules": 1, "good": []}'])
def test_a_memory_that_cannot_be_read_is_not_believed(tmp_path, cache, reads, content):
    broken_values(dataset(tmp_path), remembered=True)
    (memory,) = cache.rglob("*.json")
    memory.write_text(content)
    reads.clear()
    assert broken_values(dataset(tmp_path), remembered=True) == {}
    assert len(reads) == 4


def test_nothing_is_remembered_where_that_cannot_be_or_is_not_wanted(tmp_path, monkeypatch, reads):
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder should be")
    for folder in (str(blocked), ""):
        monkeypatch.setenv("AMSX_CACHE", folder)
        for _ in range(2):
            assert broken_values(dataset(tmp_path), remembered=True) == {}
    assert len(reads) == 16


def test_faults_come_in_the_order_of_the_videos_whoever_reads(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    for i in (1, 3):
        save(tmp_path / f"{i}.npy", np.inf)
    data = dataset(tmp_path)
    array = FeatureArray(np.full((2, 2), np.nan, np.float32))
    video = Video("in memory", "train", {"rgb": array}, ("a",), (), Timebase(1.0))
    mixed = Dataset(None, "made", ("a",), (video, *data.videos))
    assert list(broken_values(mixed, remembered=True)) == ["in memory, rgb", "1, rgb", "3, rgb"]


def test_a_fault_is_not_believed_where_only_threads_find_it(tmp_path, monkeypatch):
    data, load = dataset(tmp_path), FeatureFile.load

    def disturbed(self):
        if threading.current_thread() is not threading.main_thread():
            raise ValueError("two threads at once")
        return load(self)

    monkeypatch.setattr(FeatureFile, "load", disturbed)
    assert broken_values(data) == {}
