"""CMCS's layout.

    <name>.json                   in the folder or its annotations/: {"database": {id: {"subset", "duration", ...}}}
    or **/<class>_{val,test}.txt  THUMOS14's own annotation, with **/*-meta.mat; see `class_files`
    **/<id>-{rgb,flow}.npz        keys `feature` (B, n, D), B augmented views of which the first is the video itself,
                                  and `frame_cnt`; for ActivityNet, v_<id>-{rgb,flow}.npz

CMCS's THUMOS14 features have a snippet of 16 frames every 4 frames, at the video's own frame rate.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from amsx.data.arrays import read_array
from amsx.data.features import FeatureFile
from amsx.data.layouts.annotations import Entry, read_database
from amsx.data.layouts.assembly import Listed, Policy, assemble, open_features, some, unlisted
from amsx.data.layouts.class_files import class_files, read_class_files, with_meta
from amsx.data.layouts.frames import timebases_from_frames
from amsx.data.layouts.roles import subset_roles
from amsx.data.videos import Dataset, Subset

STREAMS = ("rgb", "flow")
USUAL_PREFIX = "v_"
HOLDS = "<id>-{rgb,flow}.npz with a JSON annotation or <class>_{val,test}.txt"


def detect(root: Path) -> bool:
    """Whether `root` looks like this layout."""
    return any(next(root.glob(f"**/*-{stream}.npz"), None) is not None for stream in STREAMS)


def read(
    root: Path,
    *,
    annotation: Path | str | None = None,
    stride: float | None = None,
    num_frames: int | None = None,
    fps: float | None = None,
    subsets: Mapping[str, Subset] | None = None,
    missing: Policy = "error",
    broken: Policy = "error",
    unlabelled: Policy = "error",
) -> Dataset:
    """Read the layout.

    `annotation` (a JSON file, or a folder of text files) is needed where the folder holds several JSON files; the text
    files are looked for where it holds none. `stride` and `num_frames`, in frames, are derived from `frame_cnt` and the
    features' rows by default; `fps` serves entries with neither fps nor duration, and is needed with text files unless
    the meta files are there. `subsets`
    says which subsets as written are "train" and "test"; the default is in `roles.subset_roles`.
    `missing`, `broken` and `unlabelled` say whether listed videos without features, with features that cannot be read,
    and training videos without labels, are errors or left out and noted.
    The streams are those of which there is a file; a file name that occurs twice is a ValueError.
    """
    entries, notes = _annotation(root, None if annotation is None else Path(annotation), fps)
    roles, found = subset_roles(entries, subsets)
    notes += found
    files: dict[str, Path] = {}
    for path in sorted(root.glob("**/*.npz")):
        if files.setdefault(path.name, path) != path:
            raise ValueError(f"{path}: a file of this name is also {files[path.name]}")
    streams = [stream for stream in STREAMS if any(name.endswith(f"-{stream}.npz") for name in files)]
    places: dict[str, dict[str, Path]] = {}
    for name in entries:
        usual = {stream: f"{name}-{stream}.npz" for stream in streams}
        places[name] = {s: files.get(n, files.get(USUAL_PREFIX + n, root / n)) for s, n in usual.items()}
    notes += unlisted(files.values(), (path for paths in places.values() for path in paths.values()))
    listed = [
        Listed(name, roles[entry.subset], entry, places[name])
        for name, entry in entries.items()
        if entry.subset in roles
    ]
    opened, opening = open_features(listed, missing, broken, _inspect)
    files_of = {video.id: next(iter(video.paths.values())) for video in listed}
    counted = [replace(v, entry=replace(v.entry, frames=_frames(files_of[v.id]))) for v in opened]
    try:
        timebases, timing = timebases_from_frames(counted, stride, num_frames, fps)
    except ValueError as error:
        raise ValueError(f"{root}: {error}") from error
    notes += opening + timing
    return assemble(root, "cmcs", counted, lambda v: timebases[v.id], unlabelled=unlabelled, notes=notes)


def _annotation(root: Path, given: Path | None, fps: float | None) -> tuple[dict[str, Entry], list[str]]:
    """The annotation, in JSON or in text, and notes; frame rates from the meta files unless `fps` is given."""
    candidates = sorted([*root.glob("*.json"), *root.glob("annotations/*.json")]) if given is None else [given]
    if len(candidates) == 1 and not candidates[0].is_dir():
        return read_database(candidates[0]), []
    texts = class_files(given or root) if given is not None or not candidates else []
    if not texts:
        found = some(map(str, candidates)) or "none"
        raise ValueError(f"{root}: expected one candidate for annotation, found {found}; give annotation")
    entries, notes = read_class_files(texts)
    meta = sorted(root.glob("**/*-meta.mat")) if fps is None else []
    rated, lacking = with_meta(entries, meta) if meta else (entries, [])
    return rated, notes + lacking


def _inspect(path: Path) -> FeatureFile:
    _frames(path)
    return FeatureFile.inspect(path, key="feature", variants=True)


def _frames(path: Path) -> float:
    """The number of frames that a file counts."""
    count = np.asarray(read_array(path, "frame_cnt"))
    if count.size != 1 or count.dtype.kind not in "iuf" or not count.reshape(())[()] > 0:
        raise ValueError(f"{path}: frame_cnt must be one positive number, got {count!r}")
    return float(count.reshape(())[()])
