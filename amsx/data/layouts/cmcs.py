"""CMCS's layout.

    <name>.json                   in the folder or its annotations/: {"database": {id: {"subset", "duration", ...}}}
    or **/<class>_{val,test}.txt  THUMOS14's own annotation, with **/*-meta.mat; see `class_files`
    **/<id>-{rgb,flow}.npz        keys `feature` (B, n, D), B augmented views of which the first is the video itself,
                                  and `frame_cnt`; for ActivityNet, v_<id>-{rgb,flow}.npz

CMCS's THUMOS14 features have a snippet of 16 frames every 4 frames, at the video's own frame rate. A file name must not
occur twice. The streams are those of which there is a file.

What is written is in the form in which CMCS reads ActivityNet: an annotation in JSON, which has durations and labels
that THUMOS14's text files do not have, file names that begin with v_, and one view per file. CMCS takes ActivityNet's
videos to have 25 frames per second: snippets of 0.64 s are written so.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from amsx.data.arrays import array_names, read_array, write_arrays
from amsx.data.features import Crops, FeatureFile
from amsx.data.layouts.shared.annotation_json import (
    ACTIVITY_NET,
    Entry,
    annotation,
    annotation_files,
    read_database,
    subset_roles,
    subsets_option,
    write_database,
)
from amsx.data.layouts.shared.assembly import (
    ListedVideo,
    assemble,
    candidates_error,
    open_features,
    unlisted_features,
)
from amsx.data.layouts.shared.class_files import class_files, read_class_files, with_meta
from amsx.data.layouts.shared.frame_grid import frame_grid, timebases_from_frames
from amsx.data.layouts.shared.layout import RGB_FLOW, FilePolicies, Layout
from amsx.data.layouts.shared.subset_lists import with_listed_subsets
from amsx.data.videos import Dataset, Subset
from amsx.file_names import video_file
from amsx.files import visible

USUAL_PREFIX = "v_"
FEW = 5  # files, the first by name, of which one must count frames: other layouts have such names, too


@dataclass(frozen=True, kw_only=True)
class Options(FilePolicies):
    """What can be said to the reader."""

    annotation: Path | str | None = None  # a JSON file, where there are several, or a folder of text files
    stride: float | None = None  # frames from one snippet to the next; None: derived from `frame_cnt` and rows
    num_frames: float | None = None  # frames that a snippet spans; None: derived likewise
    fps: float | None = None  # of all videos; None: what the annotation or the meta files say
    subsets: Mapping[str, Subset] | None = None  # subset as written -> "train" or "test"; None: see `subset_roles`


def detect(root: Path) -> bool:
    """Whether `root` looks like this layout."""
    files = visible(root, *(f"**/*-{stream}.npz" for stream in RGB_FLOW))
    return bool(files) and any(map(_may_count_frames, files[:FEW]))


def read(root: Path, options: Options) -> Dataset:
    """Read the layout. Text files are looked for where there is no JSON file."""
    given = None if options.annotation is None else Path(options.annotation)
    entries, notes = _annotation(root, given, options.fps)
    roles, role_notes = subset_roles(entries, options.subsets)
    notes += role_notes
    files = _files(root, entries)
    streams = [stream for stream in RGB_FLOW if any(name.endswith(f"-{stream}.npz") for name in files)]
    places: dict[str, dict[str, Path]] = {}
    for name in entries:
        usual = {stream: f"-{stream}.npz" for stream in streams}
        places[name] = {
            stream: files.get(name + end) or files.get(USUAL_PREFIX + name + end) or video_file(root, name, end)
            for stream, end in usual.items()
        }
    notes += unlisted_features(files.values(), (path for paths in places.values() for path in paths.values()))
    listed = [
        ListedVideo(name, roles[entry.subset], entry, places[name])
        for name, entry in entries.items()
        if entry.subset in roles
    ]
    opened, opening_notes = open_features(listed, options, _inspect)
    files_of = {video.id: next(iter(video.paths.values())) for video in listed}
    counted = [replace(v, entry=replace(v.entry, frames=_frames(files_of[v.id]))) for v in opened]
    try:
        timebases, time_notes = timebases_from_frames(counted, options.stride, options.num_frames, options.fps)
    except ValueError as error:
        raise ValueError(f"{root}: {error}") from error
    notes += opening_notes + time_notes
    return assemble(root, LAYOUT.name, counted, lambda v: timebases[v.id], unlabelled=options.unlabelled, notes=notes)


def write(dataset: Dataset, root: Path) -> Options:
    """Write the layout."""
    grid, entries = frame_grid(dataset), annotation(dataset, ACTIVITY_NET)
    # Where an id begins with v_ itself, prefixed names could not be told from such ids.
    prefix = "" if any(video.id.startswith(USUAL_PREFIX) for video in dataset.videos) else USUAL_PREFIX
    for video in dataset.videos:
        for name, stream in video.streams.items():
            path = video_file(root / video.subset, f"{prefix}{video.id}", f"-{name}.npz")
            write_arrays(path, feature=stream.load()[np.newaxis], frame_cnt=grid.frames(video))
        entries[video.id] |= {"duration": grid.duration(video), "fps": grid.rate(video)}
    write_database(root / "annotation.json", entries, taxonomy=[])
    return Options(stride=grid.stride, num_frames=grid.num_frames, subsets=subsets_option(dataset, ACTIVITY_NET))


def _annotation(root: Path, given: Path | None, fps: float | None) -> tuple[dict[str, Entry], list[str]]:
    """The annotation, in JSON or in text, and notes; frame rates from the meta files unless `fps` is given."""
    candidates = annotation_files(root) if given is None else [given]
    if len(candidates) == 1 and not candidates[0].is_dir():
        database = read_database(candidates[0])
        listed, notes = with_listed_subsets(database.entries, root, candidates[0])
        return listed, [*database.notes, *notes]
    texts = class_files(given or root) if given is not None or not candidates else []
    if not texts:
        raise candidates_error(candidates, root, "annotation")
    entries, notes = read_class_files(texts)
    meta = visible(root, "**/*-meta.mat") if fps is None else []
    rated, meta_notes = with_meta(entries, meta) if meta else (entries, [])
    return rated, notes + meta_notes


def _files(root: Path, ids: Iterable[str]) -> dict[str, Path]:
    """The files of features by their names, which begin with folders where an id has a slash."""
    asked = {f"{p}{name}-{stream}.npz" for name in ids for p in ("", USUAL_PREFIX) for stream in RGB_FLOW}
    files: dict[str, Path] = {}
    for path in visible(root, "**/*.npz"):
        parts = path.relative_to(root).parts
        ends = ["/".join(parts[i:]) for i in range(len(parts))]
        name = next((end for end in ends if end in asked), path.name)
        if files.setdefault(name, path) != path:
            raise ValueError(f"{path}: a file of this name is also {files[name]}")
    return files


def _inspect(path: Path) -> FeatureFile:
    _frames(path)
    return FeatureFile.inspect(path, key="feature", crops=Crops(0, axis=0))


def _may_count_frames(path: Path) -> bool:
    """Whether the file has the array `frame_cnt`, or cannot be read."""
    try:
        return "frame_cnt" in array_names(path)
    except ValueError:
        return True


def _frames(path: Path) -> float:
    """The number of frames that a file counts."""
    count = np.asarray(read_array(path, "frame_cnt"))
    if count.size != 1 or count.dtype.kind not in "iuf" or not count.reshape(())[()] > 0:
        raise ValueError(f"{path}: frame_cnt must be one positive number, got {count!r}")
    return float(count.reshape(())[()])


LAYOUT = Layout(
    name="cmcs",
    holds="<id>-{rgb,flow}.npz with a JSON annotation or <class>_{val,test}.txt",
    options=Options,
    detect=detect,
    read=read,
    write=write,
    rgb_flow_only=True,
    separate_streams=True,
    needs_duration=True,
)
