"""The formats that amsx reads: valid files to start from, the changes, the reader, and what the right values are."""

import csv
import io
import json
import pickle
import random
import shutil
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from amsx.data.arrays import inspect_array, read_array
from amsx.data.convert import convert
from amsx.data.extraction_record import ExtractionRecord, ExtractorIdentity
from amsx.data.features import FeatureArray, FeatureFile
from amsx.data.layouts import layout_names, read_dataset
from amsx.data.synthetic import StreamConfig, SyntheticConfig, make_dataset
from amsx.data.videos import Timebase
from amsx.evaluation.ground_truth import read_ground_truth
from amsx.evaluation.predictions import read_predictions
from amsx.files import read_text
from amsx.localization.fusion import Activations
from amsx.training.activations import StreamActivations, load_activations, save_activations
from amsx.training.config import Config, to_dict
from amsx.training.run_directory import read_run
from amsx.unpickling import load_pickle
from benchmarks.fuzz import hdf5, mutations
from benchmarks.fuzz.mutations import SECRET
from benchmarks.kills import write_video

Change = Callable[[random.Random, bytes], bytes]


@dataclass(frozen=True)
class Format:
    """A format, from valid files to the judgement on what was read of a changed one."""

    name: str
    suffix: str
    seeds: tuple[bytes, ...]  # contents of valid files
    change: Change
    read: Callable[[Path], Any]  # the reader of amsx
    right: Callable[[Path, Any], bool]  # whether what it read is what the file holds
    every: int = 1  # of a run's numbers, those that it divides are tried: more than 1 where a file takes long


def formats(folder: Path, *, large: bool = True) -> tuple[Format, ...]:
    """The formats; `folder` is for the files that they start from. `large` says whether data sets and videos, too."""
    array = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    prediction = json.dumps({"version": "1", "results": {v: [_detection(i) for i in range(3)] for v in ("a", "b")}})
    truth = json.dumps({"version": "1", "database": {v: _entry(v) for v in ("a", "b")}})
    lines = "".join(f"{v},{i},{i + 1.5},run,{0.5 + i / 10}\n" for v in ("a", "b") for i in range(3))
    run = {"data": {"root": "x", "layout": "y", "streams": ["rgb"], "classes": ["run"], "videos": {"train": 2}}}
    run_json = json.dumps({**run, "config": to_dict(Config())}).encode()
    small = (
        Format("npy", ".npy", _npy_seeds(array), mutations.change_npy, _features, _as_numpy),
        Format("npz", ".npz", _npz_seeds(array), mutations.change_archive, _features, _as_npz),
        Format("pt", ".pt", _pt_seeds(array), mutations.change_archive, _features, _as_torch),
        Format("h5", ".h5", hdf5.seeds(folder, array), hdf5.change, _features, _as_h5),
        Format("csv", ".csv", _csv_seeds(array), mutations.change_table, _features, _as_csv),
        Format("pkl features", ".pkl", _pickle_seeds(array), mutations.change_pickle, _features, _is_table),
        Format("pickle", ".pkl", _pickle_seeds(array), mutations.change_pickle, load_pickle, _is_plain),
        Format(
            "safetensors",
            ".safetensors",
            _activation_seeds(folder),
            mutations.change_safetensors,
            load_activations,
            _fits_itself,
        ),
        Format(
            "predictions JSON",
            ".json",
            (prediction.encode(),),
            mutations.change_json,
            read_predictions,
            _sound_detections,
        ),
        Format(
            "predictions CSV",
            ".csv",
            (f"video-id,t-start,t-end,label,score\n{lines}".encode(),),
            mutations.change_table,
            read_predictions,
            _sound_detections,
        ),
        Format(
            "predictions pickle",
            ".pkl",
            (pickle.dumps(json.loads(prediction), 2),),
            mutations.change_pickle,
            read_predictions,
            _sound_detections,
        ),
        Format("annotation JSON", ".json", (truth.encode(),), mutations.change_json, read_ground_truth, _sound_truth),
        Format("run JSON", ".json", (run_json,), mutations.change_json, _run, lambda *_: True),
        Format("extraction JSON", ".json", _record_seeds(folder), mutations.change_json, _record, lambda *_: True),
    )
    if not large:
        return small
    return (
        *small,
        Format("data set", ".zip", _folder_seeds(folder), _change_folder, _data_set, _stays_inside),
        Format("video", ".mp4", _video_seeds(folder), mutations.change_bytes, _frames, _is_picture, 4),
    )


def _features(path: Path) -> np.ndarray:
    inspect_array(path)
    read_array(path)
    return FeatureFile.inspect(path).load()


def _detection(i: int) -> dict[str, Any]:
    return {"label": "run", "segment": [float(i), i + 1.5], "score": 0.5 + i / 10}


def _entry(name: str) -> dict[str, Any]:
    spans = [{"label": "run", "segment": [1.0, 2.5]}, {"label": "jump", "segment": [3.0, 4.0]}]
    return {"subset": "Test", "duration": 9.5, "fps": 25.0, "frames": 237, "annotations": spans, "url": name}


def _npy_seeds(array: np.ndarray) -> tuple[bytes, ...]:
    objects = np.empty(5, dtype=object)
    objects[:] = list(array)
    arrays = (
        array,
        array.astype(">f8"),
        np.asfortranarray(array),
        array.astype(np.float16),
        objects,
        np.array({"x": array}),
    )
    return tuple(_saved(np.save, each) for each in arrays)


def _npz_seeds(array: np.ndarray) -> tuple[bytes, ...]:
    several = {"feats": array, "fps": np.array(25.0), "names": np.array(["a"])}
    return (_saved(np.savez, array), _saved(np.savez_compressed, **several), _saved(np.savez, a=np.array({"x": array})))


def _saved(save: Callable[..., None], *arrays: Any, **named: Any) -> bytes:
    out = io.BytesIO()
    save(out, *arrays, **named)
    return out.getvalue()


def _pt_seeds(array: np.ndarray) -> tuple[bytes, ...]:
    tensor = torch.from_numpy(array)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what torch says of sparse tensors
        values = (tensor, tensor.t(), tensor.to_sparse(), tensor.to_sparse_csr(), tensor.bfloat16())
        several: tuple[Any, ...] = (*values, tensor[:1].expand(5, 4), {"feats": tensor, "fps": 25}, {"a": {"b": array}})
        return tuple(_saved(lambda out, value: torch.save(value, out), value) for value in several)


def _csv_seeds(array: np.ndarray) -> tuple[bytes, ...]:
    plain = "\n".join(",".join(f"{x:.4f}" for x in row) for row in array)
    numbered = "index,a,b,c,d\n" + "\n".join(f"{i}," + line for i, line in enumerate(plain.split("\n")))
    return (plain.encode(), numbered.encode(), plain.replace(",", "\t").encode(), plain.replace(",", " ").encode())


def _pickle_seeds(array: np.ndarray) -> tuple[bytes, ...]:
    values: tuple[Any, ...] = (
        array,
        array.tolist(),
        {"feats": array, "x": (1, 2.5, "a", b"b", None, True)},
        [array[0], array[1]],
    )
    return tuple(pickle.dumps(value, protocol) for value in values for protocol in (0, 2, 4))


def _activation_seeds(folder: Path) -> tuple[bytes, ...]:
    chance = np.random.default_rng(0)
    lengths = np.array([3, 4])
    base, other = (
        Activations(chance.random((7, 2), np.float32), chance.random((2, 2), np.float32), lengths) for _ in range(2)
    )
    path = folder / "activations.safetensors"
    save_activations(path, StreamActivations("rgb", ("a", "b"), ("run", "jump"), (Timebase(0.64),) * 2, base, other))
    return (path.read_bytes(),)


def _record_seeds(folder: Path) -> tuple[bytes, ...]:
    ExtractionRecord(25.0, 16, {"rgb": ExtractorIdentity("x", 4, {"a": 1}, None)}).begin(folder)
    return ((folder / "extraction.json").read_bytes(),)


def _folder_seeds(folder: Path) -> tuple[bytes, ...]:
    """A small data set in every layout, each as a zip archive of its files."""
    streams = {name: StreamConfig(dim=4) for name in ("rgb", "flow")}
    made = make_dataset(
        SyntheticConfig(
            classes=2,
            train_videos=3,
            test_videos=2,
            length=(6, 8),
            duration=(2.0, 3.0),
            instances=(1, 1),
            clutter=(0, 0),
            streams=streams,
        )
    )
    seeds = []
    for name in layout_names():
        try:
            convert(made, folder / name, name)
        except ValueError:  # a layout that cannot hold it
            continue
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for path in sorted((folder / name).rglob("*")):
                if path.is_file():
                    archive.write(path, path.relative_to(folder / name))
        seeds.append(out.getvalue())
    return tuple(seeds)


def _video_seeds(folder: Path) -> tuple[bytes, ...]:
    seeds = []
    for suffix, codec in ((".mp4", "mpeg4"), (".avi", "mpeg4"), (".mkv", "mpeg4"), (".mp4", "libx264")):
        write_video(folder / f"video{suffix}", 0, frames=8, codec=codec)
        seeds.append((folder / f"video{suffix}").read_bytes())
    return tuple(seeds)


def _change_folder(chance: random.Random, content: bytes) -> bytes:
    """A folder in which a file of names or of annotation is another."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    told = [name for name in members if name.endswith((".json", ".txt", ".csv", ".tsv"))]
    lists = [name for name in members if name.endswith(".npy") and b"'<f4'" not in members[name][:100]]
    name = chance.choice((told or lists) if chance.random() < 0.8 else (lists or told) or list(members))
    data = members[name]
    if name.endswith(".json"):
        members[name] = mutations.change_json(chance, data)
    elif name.endswith(".npy"):
        members[name] = mutations.change_npy(chance, data)
    else:
        lines = data.decode("utf-8", "replace").split("\n")
        lines[chance.randrange(len(lines))] = chance.choice(mutations.NAMES).replace("\ud800", "?")
        members[name] = chance.choice((mutations.change_table(chance, data), "\n".join(lines).encode()))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for member, value in members.items():
            archive.writestr(member, value)
    return out.getvalue()


def _unpacked(path: Path) -> Path:
    root = path.parent / "data"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    if path.stat().st_size == 0:
        raise ValueError("the change could not be made")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(root)
    return root


def _run(path: Path) -> Any:
    (path.parent / "config.json").write_bytes(path.read_bytes())
    return read_run(path.parent)


def _record(path: Path) -> Any:
    (path.parent / "extraction.json").write_bytes(path.read_bytes())
    return ExtractionRecord.read(path.parent)


def _data_set(path: Path) -> Any:
    dataset = read_dataset(_unpacked(path))
    for video in dataset.videos:
        for stream in video.streams.values():
            stream.load()
    return dataset


def _frames(path: Path) -> list[np.ndarray]:
    import av

    from amsx.video.decode import Video
    from amsx.video.extractors import FrameSize

    av.logging.set_level(None)
    taken = []
    for number, pictures in enumerate(Video(path).frames(25.0, [FrameSize(32, 32)])):
        taken.append(pictures[0])
        if number == 40:
            break
    return taken


def _same(found: np.ndarray, expected: Any) -> bool:
    expected = np.asarray(expected)
    plain = expected.reshape(found.shape) if expected.size == found.size else expected
    return found.shape == plain.shape and np.array_equal(found, plain.astype(np.float32))


def _as_numpy(path: Path, found: np.ndarray) -> bool:
    try:
        expected = np.load(path, allow_pickle=False)
    except ValueError:  # objects, which have no other reader that is safe
        return _is_table(path, found)
    return _same(found, expected)


def _as_npz(path: Path, found: np.ndarray) -> bool:
    arrays = []
    with zipfile.ZipFile(
        path
    ) as archive:  # as `np.load` does, which takes an archive with bytes before it for a pickle
        for name in archive.namelist():
            try:
                with archive.open(name) as member:
                    arrays.append(np.lib.format.read_array(member, allow_pickle=False))
            except Exception:  # of objects, or a member that amsx did not choose and that is broken
                return _is_table(path, found)
    return any(_same(found, array) for array in arrays if array.dtype.kind in "fiu")


def _as_torch(path: Path, found: np.ndarray) -> bool:
    try:
        value = torch.load(path, weights_only=True, map_location="cpu")
    except Exception:  # arrays of NumPy in it
        return _is_table(path, found)
    tensors = [value] if isinstance(value, torch.Tensor) else []
    return all(_same(found, t.to_dense().float().numpy()) for t in tensors) and _is_table(path, found)


def _as_h5(path: Path, found: np.ndarray) -> bool:
    with h5py.File(path) as file:
        arrays: list[Any] = []
        file.visititems(lambda _, item: arrays.append(item[()]) if hasattr(item, "dtype") else None)
    return any(_same(found, array) for array in arrays) and not (found == np.float32(SECRET)).any()


def _as_csv(path: Path, found: np.ndarray) -> bool:
    """The cells of the last columns, read by another parser."""
    text = read_text(path)
    separator = next((mark for mark in ";\t," if mark in text), None)
    lines = [line for line in text.split("\n") if line.strip()][-len(found) :]
    cells = [next(csv.reader([line], delimiter=separator)) if separator else line.split() for line in lines]
    cells = [row[:-1] if row and not row[-1].strip() else row for row in cells]
    expected = np.array([[float(cell.strip()) for cell in row[-found.shape[1] :]] for row in cells])
    return _same(found, expected)


def _is_table(_: Path, found: np.ndarray) -> bool:
    return found.ndim == 2 and found.dtype == np.float32 and bool(np.isfinite(found).all()) and found.size > 0


def _is_plain(_: Path, found: Any) -> bool:
    stack, seen = [found], set()
    while stack:
        value = stack.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Mapping):
            stack += [*value.keys(), *value.values()]
        elif isinstance(value, (list, tuple)):
            stack += value
        elif isinstance(value, np.ndarray):
            stack += value.ravel().tolist() if value.dtype.kind == "O" else []
        elif not isinstance(value, (str, bytes, int, float, complex, type(None), np.generic)):
            return False
    return True


def _fits_itself(_: Path, found: Any) -> bool:
    for branch in (found.base, found.supplementary):
        if branch is None:
            continue
        if branch.cas.shape != (int(branch.lengths.sum()), len(found.classes)) or (branch.lengths < 1).any():
            return False
        if branch.probs.shape != (len(found.ids), len(found.classes)) or len(branch.lengths) != len(found.ids):
            return False
    return len(found.timebases) == len(found.ids) and all(
        isinstance(name, str) for name in (*found.ids, *found.classes)
    )


def _sound_detections(_: Path, found: Any) -> bool:
    table = found.detections
    finite = np.isfinite(table.start).all() and np.isfinite(table.end).all() and np.isfinite(table.score).all()
    return bool(finite and (table.end >= table.start).all())


def _sound_truth(_: Path, found: Any) -> bool:
    table = found.instances
    return bool(np.isfinite(table.start).all() and np.isfinite(table.end).all() and (table.end >= table.start).all())


def _stays_inside(path: Path, found: Any) -> bool:
    root = (path.parent / "data").resolve()
    for video in found.videos:
        for stream in video.streams.values():
            if isinstance(stream, FeatureFile) and not stream.path.resolve().is_relative_to(root):
                return False
            values = stream.array if isinstance(stream, FeatureArray) else stream.load()
            if (np.asarray(values) == np.float32(SECRET)).any():
                return False
    return True


def _is_picture(_: Path, found: list[np.ndarray]) -> bool:
    return bool(found) and all(each.dtype == np.uint8 and each.ndim == 3 and each.shape[2] == 3 for each in found)
