"""Some videos of THUMOS14 with features made up for them, written as every layout has them."""

import json
import pickle
from dataclasses import dataclass

import numpy as np
import torch

from amsx.data.layouts.annotations import read_database
from amsx.data.videos import Segment, Subset

FPS, STRIDE, CLIP = 30.0, 4, 16


@dataclass(frozen=True)
class Made:
    """A video as it is before a layout gets it."""

    id: str
    subset: Subset
    segments: tuple[Segment, ...]
    duration: float
    frames: int
    rgb: np.ndarray  # (n, D)
    flow: np.ndarray  # (n, D)

    @property
    def joint(self):
        return np.concatenate([self.rgb, self.flow], axis=1)

    @property
    def labels(self):
        return tuple(sorted({segment.label for segment in self.segments}))


def make(shared_data, sliding=False, width=1024, train=6, test=4):
    """The first videos of each subset, rows of 16 frames at 25 fps, or every 4 frames at 30 fps (`sliding`)."""
    entries = read_database(shared_data("thumos14-basnet") / "gt.json")
    folder = shared_data("thumos14-wtalc") / "Thumos14reduced-Annotations"
    names = np.load(folder / "videoname.npy").astype(str).tolist()
    durations = dict(zip(names, np.load(folder / "duration.npy")[:, 0].tolist(), strict=True))
    videos = []
    for subset, count in (("train", train), ("test", test)):
        for name in sorted(name for name, entry in entries.items() if entry.subset == subset)[:count]:
            duration = durations[name]
            frames = round(duration * FPS)
            n = (frames - CLIP) // STRIDE + 1 if sliding else int(duration * 25 / 16)
            rng = np.random.default_rng(len(videos))
            rgb, flow = (rng.random((n, width), dtype="f4").astype("f2") for _ in range(2))
            videos.append(Made(name, subset, entries[name].segments, duration, frames, rgb, flow))
    return videos


def database(videos, subsets=("train", "test"), **keys):
    """`keys`: an entry's key -> the attribute of the video."""
    spelled = dict(zip(("train", "test"), subsets, strict=True))
    return {
        v.id: {
            "subset": spelled[v.subset],
            "annotations": [{"label": s.label, "segment": [s.start, s.end]} for s in v.segments],
            **{key: value(v) for key, value in keys.items()},
        }
        for v in videos
    }


def write_json(path, entries):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"database": entries}))


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)


def write_splits(root, videos):
    for subset in ("train", "test"):
        (root / f"split_{subset}.txt").write_text("".join(f"{v.id}\n" for v in videos if v.subset == subset))


def bas_net(root, videos):
    write_json(root / "gt.json", database(videos))
    write_splits(root, videos)
    for v in videos:
        for stream in ("rgb", "flow"):
            save(root / "features" / v.subset / stream / f"{v.id}.npy", getattr(v, stream))


def acm_net(root, videos):
    write_json(root / "gt.json", database(videos))
    write_splits(root, videos)
    for v in videos:
        save(root / v.subset / f"{v.id}.npy", v.joint)


def objects(values):
    array = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):
        array[i] = value
    return array


def wtalc(root, videos, folder="Thumos14reduced-Annotations", subsets=("validation", "test"), text="S", protocol=2):
    def spelled(label):
        return label.encode() if text == "S" else label

    place = root / folder
    place.mkdir(parents=True, exist_ok=True)
    write = dict(zip(("train", "test"), subsets, strict=True))
    np.save(place / "videoname.npy", np.array([v.id for v in videos], dtype=text))
    np.save(place / "subset.npy", np.array([write[v.subset] for v in videos], dtype=text))
    np.save(place / "duration.npy", np.array([[v.duration] for v in videos]))
    np.save(place / "classlist.npy", np.array(sorted({x for v in videos for x in v.labels}), dtype=text))
    columns = {
        "segments": [[[s.start, s.end] for s in v.segments] for v in videos],
        "labels": [[spelled(s.label) for s in v.segments] for v in videos],
        "labels_all": [[spelled(label) for label in v.labels] for v in videos],
    }
    for name, values in columns.items():
        np.save(place / f"{name}.npy", objects(values), allow_pickle=True)
    np.save(root / "Thumos14reduced-I3D-JOINTFeatures.npy", objects([v.joint for v in videos]), allow_pickle=True)


def a2cl_pt(root, videos, **more):
    """`more`: what annotation.json says beside what it must."""
    entries = database(videos, ("train", "val"), duration=lambda v: v.duration)
    classes = sorted({label for v in videos for label in v.labels})
    miscellany = {"fps_extracted": 25, "len_feature_chunk": 16}
    content = {"database": entries, "list_classes": classes, "miscellany": miscellany, **more}
    (root / "annotation.json").write_text(json.dumps(content))
    for subset, name in (("train", "train"), ("test", "val")):
        features = {v.id: v.joint for v in videos if v.subset == subset}
        np.save(root / f"feature_{name}.npy", np.array(features, dtype=object), allow_pickle=True)


def class_files(folder, videos):
    """THUMOS14's own annotation, in the order and with the spaces that it has."""
    folder.mkdir(parents=True)
    for subset, name in (("train", "val"), ("test", "test")):
        own = [v for v in videos if v.subset == subset]
        for label in {label for v in own for label in v.labels}:
            lines = [f"{v.id}  {s.start} {s.end}\n" for v in own for s in v.segments if s.label == label]
            (folder / f"{label}_{name}.txt").write_text("".join(lines))


def cmcs(root, videos):
    write_json(root / "annotations" / "thumos14.json", database(videos, duration=lambda v: v.duration))
    cmcs_features(root, videos)


def cmcs_in_text(root, videos):
    class_files(root / "labels" / "annotations", videos)
    cmcs_features(root, videos)


def cmcs_features(root, videos):
    for v in videos:
        for stream in ("rgb", "flow"):
            (root / v.subset).mkdir(parents=True, exist_ok=True)
            views = np.stack([getattr(v, stream), np.zeros_like(getattr(v, stream))])
            np.savez(root / v.subset / f"{v.id}-{stream}.npz", feature=views, frame_cnt=v.frames)


def dgam(root, videos):
    write_json(root / "gt.json", database(videos))
    classes = sorted({label for v in videos for label in v.labels})
    for subset in ("train", "test"):
        own = [v for v in videos if v.subset == subset]
        (root / f"{subset}_data").mkdir(parents=True)
        (root / f"{subset}_names.txt").write_text("".join(f"{v.id}\n" for v in own))
        labels = np.array([[float(c in v.labels) for c in classes] for v in own])
        np.save(root / f"{subset}_data" / f"{subset}_labels.npy", labels)
        for i, v in enumerate(own):
            for stream in ("rgb", "flow"):
                save(root / f"{subset}_data" / f"{stream}_features" / f"{i + 1}.npy", getattr(v, stream))


def action_former(root, videos):
    keys = {"duration": lambda v: v.duration, "fps": lambda _: FPS}
    write_json(root / "annotations" / "thumos14.json", database(videos, ("Validation", "Test"), **keys))
    for v in videos:
        save(root / "i3d_features" / f"{v.id}.npy", v.joint)


def opentad(root, videos, kind="pkl"):
    keys = {"duration": lambda v: v.duration, "frame": lambda v: v.frames}
    write_json(root / "annotations" / "thumos_14_anno.json", database(videos, ("training", "validation"), **keys))
    write_files(root / "features", videos, kind)


def activity_net(root, videos, kind="npz"):
    keys = {"duration": lambda v: v.duration, "fps": lambda _: FPS}
    write_json(root / "activity_net.v1-2.min.json", database(videos, ("training", "validation"), **keys))
    write_files(root / "features", videos, kind, prefix="v_")


def activity_net_in_one_file(root, videos, name=None):
    """All videos in one HDF5 file: an array each, or a group with an array called `name`."""
    import h5py

    keys = {"duration": lambda v: v.duration, "fps": lambda _: FPS}
    write_json(root / "activity_net.v1-3.min.json", database(videos, ("training", "validation"), **keys))
    with h5py.File(root / "sub_activitynet_v1-3.c3d.hdf5", "w") as file:
        for v in videos:
            file[f"v_{v.id}" if name is None else f"v_{v.id}/{name}"] = v.joint


def write_files(folder, videos, kind, prefix=""):
    folder.mkdir(parents=True)
    for v in videos:
        path = folder / f"{prefix}{v.id}.{kind}"
        if kind == "npy":
            np.save(path, v.joint)
        elif kind == "npz":
            np.savez(path, feats=v.joint)
        elif kind == "pt":
            torch.save(torch.from_numpy(v.joint), path)
        elif kind == "csv":
            header = ",".join(f"f{i}" for i in range(v.joint.shape[1]))
            np.savetxt(path, v.joint, delimiter=",", fmt="%.9g", header=header, comments="")
        elif kind == "h5":
            import h5py

            with h5py.File(path, "w") as file:
                file["feats"] = v.joint
        else:
            path.write_bytes(pickle.dumps(v.joint))
