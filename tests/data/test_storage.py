"""How features are held changes nothing but precision, and is chosen by the memory there is."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from amsx.data import storage
from amsx.data.batching import FeatureSet, full_batches, train_batches
from amsx.data.features import FeatureArray
from amsx.data.layouts import read_dataset
from amsx.data.storage import available_memory, choose_storage
from amsx.data.videos import Timebase, Video


def videos(value=1.0):
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((n, 5)).astype("f4") * value for n in (7, 30, 12)]
    return [
        Video(f"v{i}", "train", {"rgb": FeatureArray(array)}, ("a",), (), Timebase(1)) for i, array in enumerate(arrays)
    ]


def tensor(features: FeatureSet) -> torch.Tensor:
    assert isinstance(features.rows, torch.Tensor)
    return features.rows


@pytest.mark.parametrize("kind", ["float32", "mapped", "auto"])
def test_exact_storage_gives_the_same_batches(kind):
    plain = FeatureSet.load(videos(), "rgb", ["a"], storage="float32")
    other = FeatureSet.load(videos(), "rgb", ["a"], storage=kind)
    arguments: dict[str, Any] = {"batch_size": 2, "max_snippets": 10, "seed": 0, "epoch": 0}
    for a, b in zip(train_batches(plain, **arguments), train_batches(other, **arguments), strict=True):
        assert torch.equal(a.features, b.features) and b.features.dtype == torch.float32
    assert torch.equal(tensor(plain), tensor(other)) and other.note is None


def test_half_precision_gives_float32_batches_within_its_error():
    plain = FeatureSet.load(videos(), "rgb", ["a"], storage="float32")
    half = FeatureSet.load(videos(), "rgb", ["a"], storage="float16")
    assert tensor(half).dtype == torch.float16
    for a, b in zip(full_batches(plain), full_batches(half), strict=True):
        assert b.features.dtype == torch.float32
        torch.testing.assert_close(a.features, b.features, rtol=2**-11, atol=1e-7)


def test_values_beyond_half_precision_are_refused():
    with pytest.raises(ValueError, match="'v0', rgb: values beyond float16; give storage='float32' or 'mapped'"):
        FeatureSet.load(videos(1e5), "rgb", ["a"], storage="float16")


@pytest.mark.parametrize(
    ("available", "kind"),
    [(None, "float32"), (8000, "float32"), (7999, "float16"), (4000, "float16"), (3999, "mapped"), (0, "mapped")],
)
def test_the_choice_follows_the_memory(available, kind):
    found, note = choose_storage(1000, available)
    assert found == kind and (note is None) == (kind == "float32")


def test_files_are_read_as_they_lie_rather_than_copied():
    for available, kind in ((8000, "float32"), (4000, "float16"), (3999, "files")):
        assert choose_storage(1000, available, in_place=True)[0] == kind


@pytest.mark.parametrize(("available", "dtype"), [(10**9, "float32"), (49 * 5 * 4, "float16"), (10, "float32")])
def test_the_automatic_choice_is_made_and_said(monkeypatch, available, dtype):
    monkeypatch.setattr(storage, "available_memory", lambda: available)
    features = FeatureSet.load(videos(), "rgb", ["a"])
    assert tensor(features).dtype == getattr(torch, dtype)
    assert (features.note is None) == (available == 10**9)
    if available == 10:
        assert features.note is not None and "memory-mapped file" in features.note


def test_a_mapped_file_goes_with_its_tensor_and_lies_where_it_should(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    features = FeatureSet.load(videos(), "rgb", ["a"], storage="mapped")
    maps = Path("/proc/self/maps")
    assert not maps.exists() or str(tmp_path) in maps.read_text()
    assert list(tmp_path.iterdir()) == [] and features.rows.shape == (49, 5)


def test_a_full_disk_is_said_before_it_is_filled(monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 100})())
    with pytest.raises(OSError, match=r"0\.0 GiB free, a copy of the features needs .* set TMPDIR"):
        FeatureSet.load(videos(), "rgb", ["a"], storage="mapped")


def test_memory_is_found_and_a_control_group_limits_it(tmp_path, monkeypatch):
    free = available_memory()
    assert free is None or 0 < free < 1 << 50
    (tmp_path / "memory.max").write_text("5000\n")
    (tmp_path / "memory.current").write_text("2000\n")
    monkeypatch.setattr(storage, "CGROUP", tmp_path)
    assert available_memory() == 3000
    (tmp_path / "memory.max").write_text("max\n")
    assert available_memory() != 3000


def test_an_unknown_storage_is_refused():
    with pytest.raises(ValueError, match=r"storage must be one of 'auto', .*'files', got 'disk'"):
        FeatureSet.load(videos(), "rgb", ["a"], storage="disk")  # type: ignore[arg-type]


def test_nan_is_refused_whatever_the_storage():
    bad = videos()
    bad[1].streams["rgb"].array[3] = np.nan
    for kind in ("float32", "float16", "mapped"):
        with pytest.raises(ValueError, match="NaN or infinite values in 1 of 30 rows, first in row 3"):
            FeatureSet.load(bad, "rgb", ["a"], storage=kind)


def test_real_features_come_through_a_file_unchanged(shared_data):
    data = read_dataset(shared_data("gtea-windows"))
    features = FeatureSet.load(data.videos, "features", data.classes, storage="mapped")
    for video, start in zip(data.videos, features.edges.tolist(), strict=False):
        np.testing.assert_array_equal(features.rows[start : start + video.length], video.streams["features"].load())
