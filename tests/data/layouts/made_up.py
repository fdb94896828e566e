"""Made-up videos: some that every layout's own projects write, and data sets in which no layout's ways are assumed."""

import json
import pickle
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from hypothesis import strategies as st

from amsx.data.features import FeatureArray
from amsx.data.videos import Dataset, Segment, Subset, Timebase, Video

FPS, STRIDE, CLIP = 30.0, 4, 16
SIDE_BY_SIDE = Timebase(0.64)  # 16 frames at 25 fps
OVERLAPPING = Timebase(4 / 30, 6 / 30)  # clips of 16 frames every 4 frames at 30 fps: the first is centred at frame 8


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


CLASSES = ("BaseballPitch", "CliffDiving", "Diving", "HighJump", "LongJump")


def make(sliding=False, width=1024, train=6, test=4):
    """Videos like THUMOS14's, with rows of 16 frames at 25 fps, or every 4 frames at 30 fps (`sliding`)."""
    videos: list[Made] = []
    subset: Literal["train", "test"]
    for subset, name, count in (("train", "validation", train), ("test", "test", test)):
        for number in range(count):
            rng = np.random.default_rng([len(videos), number])
            duration = round(float(rng.uniform(30, 110)), 2)
            frames = round(duration * FPS)
            n = (frames - CLIP) // STRIDE + 1 if sliding else int(duration * 25 / 16)
            rgb, flow = (rng.random((n, width), dtype="f4").astype("f2") for _ in range(2))
            segments = made_up_segments(number, duration, rng)
            videos.append(Made(f"video_{name}_{51 + 7 * number:07d}", subset, segments, duration, frames, rgb, flow))
    return videos


def made_up_segments(number, duration, rng):
    """Two or more instances of one class or two. Every CliffDiving is a Diving as well, as in THUMOS14."""
    segments = []
    for i, edge in enumerate(np.linspace(1, duration - 6, int(rng.integers(2, 6)))):
        start, label = round(float(edge), 1), CLASSES[(number + (number % 3 == 2 and i % 2)) % len(CLASSES)]
        end = round(start + float(rng.uniform(0.8, 5)), 1)
        segments += [Segment(start, end, x) for x in ((label, "Diving") if label == "CliffDiving" else (label,))]
    return tuple(segments)


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


def labels(root, videos):
    """As `amsx extract` leaves it, beside a table of labels and the segments."""
    rows = ["Video,Labels,Subset,snippet_seconds"]
    seconds = SIDE_BY_SIDE.snippet_seconds
    rows += [f"{v.id}.mp4,{' ; '.join(v.labels)},{v.subset},{seconds}" for v in videos]
    (root / "labels.csv").write_text("\n".join(rows))
    write_json(root / "segments.json", database(videos, ("train", "test"), duration=lambda v: v.duration))
    for v in videos:
        for stream in ("rgb", "flow"):
            save(root / "features" / stream / f"{v.id}.npy", getattr(v, stream))


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


def video(name, subset="train", *, dims, n=30, labels=("a",), segments=None, timebase=SIDE_BY_SIDE, duration=None):
    """A video with a segment of each label, unless others are given."""
    rng = np.random.default_rng([n, *name.encode()])
    streams = {stream: FeatureArray(rng.standard_normal((n, d)).astype("f4")) for stream, d in dims.items()}
    if segments is None:
        segments = tuple(Segment(0.1 + i, 1.3 + i, label) for i, label in enumerate(labels))
    return Video(name, subset, streams, labels, segments, timebase, duration)


def dataset(*videos):
    training = [v for v in videos if v.subset == "train"]
    return Dataset(None, "made up", tuple(sorted({x for v in training or videos for x in v.labels})), videos)


def usual(dims, timebase=SIDE_BY_SIDE, *, stated=True):
    """Training and test videos of several classes, one of which only a test video has, and of several lengths."""

    def made(name, subset, n, labels):
        duration = n * timebase.snippet_seconds + 2 * timebase.offset + 0.01 if stated else None
        return video(name, subset, dims=dims, n=n, labels=labels, timebase=timebase, duration=duration)

    return dataset(
        made("video_1", "test", 41, ("a", "c")),
        made("v_2", "train", 30, ("a",)),
        made("2", "train", 33, ("a", "b é")),
        made("-x.1", "train", 64, ("b é",)),
        made("y", "test", 50, ("b é",)),
    )


LABELS = st.lists(st.sampled_from(["a", "b c", "é", "Diving/1"]), max_size=3, unique=True).map(sorted).map(tuple)
SECONDS = st.floats(0.01, 4, allow_nan=False)
TIMEBASES = st.one_of(
    st.builds(Timebase, SECONDS),
    st.builds(Timebase, SECONDS, st.floats(-1, 2)),
    st.builds(
        lambda stride, fps: Timebase(stride / fps, (16 - stride) / 2 / fps), st.integers(1, 16), st.floats(5, 60)
    ),
)


@st.composite
def segments(draw, labels):
    """Of any labels of all those in `labels`."""
    if not labels:
        return ()
    starts = draw(st.lists(st.floats(0, 50), max_size=3))
    return tuple(
        Segment(start, start + draw(st.floats(0.1, 9)), draw(st.sampled_from(sorted(labels)))) for start in starts
    )


@st.composite
def datasets(draw, dims=None, one_timebase=False, consistent=False):
    """Of any streams and timebases, unless they are given or shared; `consistent`: segments have the video's labels."""
    dims = dims or draw(st.sampled_from([{"features": 3}, {"rgb": 2, "flow": 2}, {"rgb": 2, "flow": 3}, {"flow": 4}]))
    shared = draw(TIMEBASES) if one_timebase else None
    names = draw(st.lists(st.from_regex(r"[a-z_v.-][a-z0-9_.-]{0,5}", fullmatch=True), min_size=1, max_size=4))
    videos: list[Any] = []
    usable = {name for name in names if name not in (".", "..") and not name.startswith("._")}  # those are of macOS
    for name in sorted(usable) or ["v"]:
        subset = draw(st.sampled_from(["train", "test"]))
        labels = draw(LABELS) or (("a",) if subset == "train" or not videos else ())
        videos.append(
            video(
                name,
                subset,
                dims=dims,
                n=draw(st.integers(1, 40)),
                labels=labels,
                segments=draw(segments(labels if consistent else {*labels, "a", "z"})),
                timebase=shared or draw(TIMEBASES),
                duration=draw(st.one_of(st.none(), st.floats(0.5, 200))),
            )
        )
    return dataset(*videos)
