"""Checkpoint files: exact, atomic, and refused with a reason when they are not what they should be."""

import pickle

import pytest
import torch
from safetensors.torch import save_file

from amsx.files import read_json, write_json, write_text
from amsx.training.checkpoint import load, save

TENSORS = {"a": torch.arange(6.0).view(2, 3), "b": torch.tensor(0.1, dtype=torch.float64)}


def test_round_trip(tmp_path):
    path = tmp_path / "deep" / "x.safetensors"
    save(path, {**TENSORS, "t": TENSORS["a"].T}, {"epoch": 3, "loss": 0.1 + 0.2}, kind="checkpoint")
    tensors, header = load(path, kind="checkpoint")
    assert header["epoch"] == 3
    assert header["loss"] == 0.1 + 0.2
    for name, value in TENSORS.items():
        assert torch.equal(tensors[name], value)
        assert tensors[name].dtype == value.dtype
    assert torch.equal(tensors["t"], TENSORS["a"].T)
    assert [p.name for p in path.parent.iterdir()] == ["x.safetensors"]


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no checkpoint at"):
        load(tmp_path / "x.safetensors", kind="checkpoint")


@pytest.mark.parametrize("kept", [0, 4, 60, -1])
def test_a_truncated_file(tmp_path, kept):
    path = tmp_path / "x.safetensors"
    save(path, TENSORS, {}, kind="checkpoint")
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"x\.safetensors is not a complete safetensors file"):
        load(path, kind="checkpoint")


def test_a_pickle_is_not_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("the file was unpickled",))

    path = tmp_path / "x.safetensors"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ValueError, match="not a complete safetensors file"):
        load(path, kind="checkpoint")


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {"amsx": "{"}, {"amsx": "[]"}, {"amsx": "{}"}])
def test_a_foreign_file(tmp_path, metadata):
    path = tmp_path / "x.safetensors"
    save_file(TENSORS, path, metadata)
    with pytest.raises(ValueError, match="was not written by amsx"):
        load(path, kind="checkpoint")


def test_another_kind(tmp_path):
    path = tmp_path / "x.safetensors"
    save(path, TENSORS, {}, kind="activations")
    with pytest.raises(ValueError, match="holds 'activations' version 1, expected 'checkpoint'"):
        load(path, kind="checkpoint")


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.safetensors"
    save(path, TENSORS, {"epoch": 1}, kind="checkpoint")

    def cut_short(tensors, name, metadata):
        name.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr("amsx.training.checkpoint.save_file", cut_short)
    with pytest.raises(OSError, match="disk full"):
        save(path, TENSORS, {"epoch": 2}, kind="checkpoint")
    assert load(path, kind="checkpoint")[1]["epoch"] == 1


def test_json(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"a": [1, 2.5]})
    assert read_json(path) == {"a": [1, 2.5]}
    path.write_text("{")
    with pytest.raises(ValueError, match=r"x.json is not valid JSON"):
        read_json(path)
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_json(tmp_path / "y.json")


def test_a_failed_write_leaves_nothing_behind(tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        write_text(tmp_path / "taken", "text")
    with pytest.raises(OSError, match="taken"):
        save(tmp_path / "taken", {"x": torch.zeros(1)}, {}, kind="test")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
