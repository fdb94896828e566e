"""ActionFormer's layout.

    <name>.json            in the folder or its annotations/: {"database": {id: {"subset", "duration", "fps",
                           "annotations": [{"label", "segment", "label_id"}]}}}; "frames" where it is there
    <features>/<id>.npy    (n, D), in one folder below, or beside the JSON

The centre of snippet i is at (i * stride + num_frames / 2) / fps seconds; ActionFormer's THUMOS14 features
have stride 4 and num_frames 16.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from amsx.data.features import FeatureFile
from amsx.data.layouts.annotations import Entry, read_database
from amsx.data.layouts.assembly import Listed, Opened, Policy, assemble, open_features, some
from amsx.data.layouts.timing import CLIP, frame_stride, spanned_frames
from amsx.data.videos import Dataset, Subset, Timebase

TWO_STREAM = 2048  # channels of I3D features with rgb in the first half and flow in the second
HOLDS = "a JSON annotation, and <id>.npy beside it or in one folder"
TRAIN, VALIDATION, TEST = {"train", "training"}, {"val", "valid", "validation"}, {"test", "testing"}


def detect(root: Path) -> bool:
    """Whether `root` looks like this layout."""
    return bool(_json_files(root)) and bool(_feature_folders(root))


def read(
    root: Path,
    *,
    annotation: Path | None = None,
    features: Path | None = None,
    prefix: str = "",
    stride: float | None = None,
    num_frames: int | None = None,
    fps: float | None = None,
    split: bool | None = None,
    subsets: Mapping[str, Subset] | None = None,
    missing: Policy = "error",
    unlabelled: Policy = "error",
) -> Dataset:
    """Read the layout.

    `annotation` and `features` are needed where the folder holds several candidates; `prefix` precedes the id
    in file names. `stride` and `num_frames` are in frames: by default derived from the videos' frames (or
    duration * fps) and the features' rows; `fps` serves entries that have none. `split`: take the columns'
    halves as rgb and flow (default: when there are 2048). `subsets` says which subsets as written are "train"
    and "test", leaving out all others; the default is in `subset_roles`. `missing` and `unlabelled` say
    whether listed videos without features, and training videos without labels, are errors or left out and
    noted.
    """
    path = annotation if annotation is not None else _only(_json_files(root), root, "annotation")
    entries = read_database(path)
    roles, notes = subset_roles(entries, subsets)
    chosen = {name: roles[entry.subset] for name, entry in entries.items() if entry.subset in roles}
    if features is None:
        features = _only(_feature_folders(root), root, "features")
    listed = [
        Listed(name, subset, entries[name], {"features": features / f"{prefix}{name}.npy"})
        for name, subset in chosen.items()
    ]
    opened, found = open_features(listed, missing)
    try:
        timebases, timing = _timebases(opened, stride, num_frames, fps)
    except ValueError as error:
        raise ValueError(f"{root}: {error}") from error
    opened, splitting = _split(opened, split)
    notes += found + timing + splitting
    return assemble(root, "action_former", opened, lambda v: timebases[v.id], unlabelled=unlabelled, notes=notes)


def subset_roles(
    entries: Mapping[str, Entry], given: Mapping[str, Subset] | None = None
) -> tuple[dict[str, Subset], list[str]]:
    """Which subsets, as written, are training and test videos, and notes.

    THUMOS14's training videos are called validation; ActivityNet's validation videos are what everyone tests
    on. So: where a training subset exists, validation is the test set, unless annotated test videos exist
    too, which then are, and validation is left out. Where none exists, validation is the training set.
    Unknown names: ValueError.
    """
    written = {entry.subset for entry in entries.values()}
    if given is not None:
        absent = sorted(set(given) - written)
        if absent or not set(given.values()) <= {"train", "test"}:
            raise ValueError(f"subsets={dict(given)}: expected 'train' or 'test' for some of {sorted(written)}")
        roles = dict(given)
    else:
        kinds = {kind: {s for s in written if s.lower() in names} for kind, names in _KINDS.items()}
        unknown = sorted(written - set().union(*kinds.values()))
        if unknown:
            raise ValueError(f"unknown subsets {unknown}; say with subsets= which are 'train' and 'test'")
        test_annotated = any(entry.labels for entry in entries.values() if entry.subset in kinds["test"])
        roles = dict.fromkeys(kinds["train"] or kinds["validation"], "train")
        if kinds["train"] and kinds["validation"] and not test_annotated:
            roles.update(dict.fromkeys(kinds["validation"], "test"))
        else:
            roles.update(dict.fromkeys(kinds["test"], "test"))
    notes = [f"subset {name!r} is the {role} set" for name, role in sorted(roles.items()) if name.lower() != role]
    for name in sorted(written - set(roles)):
        count = sum(entry.subset == name for entry in entries.values())
        notes.append(f"left out: subset {name!r} ({count} videos)")
    return roles, notes


_KINDS = {"train": TRAIN, "validation": VALIDATION, "test": TEST}


def _timebases(
    opened: Sequence[Opened], stride: float | None, num_frames: int | None, fps: float | None
) -> tuple[dict[str, Timebase], list[str]]:
    """The timebase of every video, and notes."""
    for name, value in (("stride", stride), ("num_frames", num_frames), ("fps", fps)):
        if value is not None and not value > 0:
            raise ValueError(f"{name} must be positive, got {value}")
    rates = {v.id: v.entry.fps or fps for v in opened}
    if stride is None and all(v.entry.duration is not None and rates[v.id] is None for v in opened):
        note = "no fps in the annotation; each video's snippets share its duration evenly"
        return {v.id: Timebase((v.entry.duration or 0.0) / v.length) for v in opened}, [note]
    lacking = [name for name, rate in rates.items() if rate is None]
    if lacking:
        raise ValueError(f"no fps in the annotation of {len(lacking)} videos; give fps: {some(lacking)}")
    rate = np.array([rates[v.id] for v in opened], dtype=np.float64)
    frames = np.array([v.entry.frames or (v.entry.duration or np.nan) * r for v, r in zip(opened, rate, strict=True)])
    rows = np.array([v.length for v in opened], dtype=np.float64)
    known = np.isfinite(frames)
    strides: np.ndarray
    span: float | None
    if stride is not None:
        strides = np.full(len(rows), float(stride))
        if known.any():
            span = spanned_frames(frames[known], rows[known], stride, num_frames)
        else:
            span = float(num_frames or CLIP)
        how = "given"
    else:
        lacking = [v.id for v, there in zip(opened, known, strict=True) if not there]
        if lacking:
            raise ValueError(f"neither duration nor frames of {len(lacking)} videos; give stride: {some(lacking)}")
        strides, span = frame_stride(frames, rows, num_frames)
        how = "derived from frames and rows"
    if span is None:
        note = f"features rescaled to {int(rows[0])} rows in every video; each has a stride of its own"
        offsets = np.zeros(len(rows))
    else:
        note = f"stride = {strides[0]:g}, num_frames = {span:g}, {how} (snippet_seconds = "
        seconds = np.unique(strides / rate)
        note += f"{seconds[0]:.4g})" if len(seconds) == 1 else f"{seconds[0]:.4g} to {seconds[-1]:.4g})"
        offsets = (span - strides) / 2 / rate
    values = zip(opened, strides / rate, offsets, strict=True)
    return {v.id: Timebase(float(d), float(offset)) for v, d, offset in values}, [note]


def _split(opened: Sequence[Opened], split: bool | None) -> tuple[list[Opened], list[str]]:
    """The videos with their one array split into rgb and flow where it holds both, and notes."""
    widths = {v.streams["features"].shape[1] for v in opened}
    if split is False or (split is None and widths != {TWO_STREAM}):
        return list(opened), []
    odd = sorted(width for width in widths if width % 2)
    if odd:
        raise ValueError(f"split: features of {odd[0]} channels have no two halves")
    halves = [replace(video, streams=_halves(video.streams["features"])) for video in opened]
    width = max(widths)
    return halves, [f"{width} channels taken as two streams: rgb the first {width // 2}, flow the rest"]


def _halves(stream: FeatureFile) -> dict[str, FeatureFile]:
    n, width = stream.shape[0], stream.shape[1] // 2
    return {
        name: replace(stream, shape=(n, width), columns=(first, first + width))
        for name, first in (("rgb", 0), ("flow", width))
    }


def _json_files(root: Path) -> list[Path]:
    return sorted([*root.glob("*.json"), *root.glob("annotations/*.json")])


def _feature_folders(root: Path) -> list[Path]:
    folders = [root, *sorted(path for path in root.iterdir() if path.is_dir())]
    return [folder for folder in folders if next(folder.glob("*.npy"), None) is not None]


def _only(paths: list[Path], root: Path, option: str) -> Path:
    if len(paths) != 1:
        found = some(str(path) for path in paths) if paths else "none"
        raise ValueError(f"{root}: expected one candidate for {option}, found {found}; give {option}")
    return paths[0]
