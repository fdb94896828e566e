"""The W-TALC bundle (also of 3C-Net, HAM-Net, CO2-Net, DELU, RSKP, FAC-Net).

    <name>-JOINTFeatures.npy      an object array (V,) of (n, 2048), rgb the first half, flow the second
    <name>-Annotations/           videoname, subset, classlist, duration; segments, labels, labels_all: a list per video

The annotation lies in a folder below, beside or above the features, or among them. All of it may be str or bytes. The
files are pickles and are read by `amsx.unpickling`, which runs nothing. A snippet is 16 frames at 25 fps, 0.64 s
(`extracted_fps` belongs to other features). ActivityNet's videos are called video_1 and so on; url.npy has their ids.

A bundle is one pickle, which cannot be read in part: the features of all videos stay in memory.

What is written is the bundle as it is published for THUMOS14, which has ids where ActivityNet's has numbers. Names are
bytes and labels text: W-TALC and its heirs decode the former and compare the latter as they are. `labels_all` has the
video-level labels, on which these projects train; `labels` has one label for each segment. These projects read it with
`--dataset-name amsx`.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from amsx.data.arrays import as_bytes, decoded, read_name_array, write_array, write_list
from amsx.data.features import FeatureArray
from amsx.data.layouts.shared.annotation_json import Entry, SubsetNames, all_labels, subset_roles
from amsx.data.layouts.shared.assembly import (
    ListedVideo,
    assemble,
    only_candidate,
    open_features,
    shortened,
)
from amsx.data.layouts.shared.layout import BundlePolicies, Layout
from amsx.data.layouts.shared.snippet_time import SNIPPET_SECONDS, median_snippet, stated_timebase
from amsx.data.layouts.shared.two_streams import joined, split_option, split_streams
from amsx.data.videos import Dataset, Segment, Subset
from amsx.files import visible
from amsx.records import AMBIGUOUS, label_fault, record_fault
from amsx.unpickling import load_npy

NEEDED = ("videoname", "subset", "segments", "labels")
YOUTUBE_ID = 11  # characters at the end of a URL
WRITTEN_NAME = "amsx"  # of the bundle
WRITTEN_SUBSETS: SubsetNames = {"train": "validation", "test": "test"}


@dataclass(frozen=True, kw_only=True)
class Options(BundlePolicies):
    """What can be said to the reader."""

    features: Path | str | None = None  # the file of features, where it is not found
    annotation: Path | str | None = None  # the folder of the annotation, where it is not found
    # Where video-level labels come from: labels.npy, one per segment ("segments"), or labels_all.npy, from the videos'
    # metadata ("all"). Videos for which the two disagree are counted and noted.
    labels: Literal["segments", "all"] = "segments"
    snippet_seconds: float | None = None  # from one snippet to the next; None: 0.64, refused where durations contradict
    split: bool | None = None  # take the halves of the columns as rgb and flow; None: where there are 2048
    subsets: Mapping[str, Subset] | None = None  # subset as written -> "train" or "test"; None: see `subset_roles`


def detect(root: Path) -> bool:
    """Whether `root` looks like this layout."""
    return _annotation_folder(root) is not None


def read(root: Path, options: Options) -> Dataset:
    """Read the layout."""
    folder = Path(options.annotation) if options.annotation is not None else _annotation_folder(root)
    if folder is None:
        raise FileNotFoundError(f"no folder with {', '.join(f'{name}.npy' for name in NEEDED)} in or beside {root}")
    path = Path(options.features) if options.features is not None else _features_file(root, folder)
    names, notes = _names(folder)
    entries, label_notes = _entries(folder, names, options.labels)
    roles, role_notes = subset_roles(entries, options.subsets)
    notes += label_notes + role_notes
    arrays = load_npy(path)
    bundled = arrays.dtype.kind == "O" or arrays.ndim > 2  # videos of one length stack to one array
    if not bundled or not arrays.ndim or len(arrays) != len(names):
        raise ValueError(
            f"{path}: {arrays.dtype} of shape {arrays.shape}, expected one array for each of {len(names)} videos"
        )
    bundle = {path / name: (name, array) for name, array in zip(names, arrays, strict=True)}
    listed = [
        ListedVideo(name, roles[entry.subset], entry, {"features": path / name})
        for name, entry in entries.items()
        if entry.subset in roles
    ]

    def inspect(place: Path) -> FeatureArray:
        name, array = bundle[place]
        return FeatureArray.inspect(array, f"video {name!r}")

    try:
        opened, opening_notes = open_features(listed, options, inspect)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    notes += opening_notes
    opened, split_notes = split_streams(opened, options.split)
    notes += split_notes
    timebase = stated_timebase(root, opened, options.snippet_seconds, SNIPPET_SECONDS)
    return assemble(root, LAYOUT.name, opened, lambda _: timebase, unlabelled=options.unlabelled, notes=notes)


def write(dataset: Dataset, root: Path) -> Options:
    """Write the layout."""
    videos, folder = dataset.videos, root / f"{WRITTEN_NAME}-Annotations"
    write_array(folder / "videoname.npy", as_bytes(video.id for video in videos))
    write_array(folder / "subset.npy", as_bytes(WRITTEN_SUBSETS[video.subset] for video in videos))
    write_array(folder / "classlist.npy", as_bytes(all_labels(dataset)))
    durations = [video.end if video.duration is None else video.duration for video in videos]
    write_array(folder / "duration.npy", np.array(durations, dtype=np.float64)[:, np.newaxis])
    write_list(folder / "segments.npy", [[[s.start, s.end] for s in video.segments] for video in videos])
    write_list(folder / "labels.npy", [[segment.label for segment in video.segments] for video in videos])
    write_list(folder / "labels_all.npy", [list(video.labels) for video in videos])
    (folder / "Ambiguous_test.txt").touch()  # W-TALC's evaluation opens it
    write_list(root / f"{WRITTEN_NAME}-I3D-JOINTFeatures.npy", [joined(dataset, video) for video in videos])
    agree = all({segment.label for segment in video.segments} == set(video.labels) for video in videos)
    return Options(
        snippet_seconds=median_snippet(dataset), labels="segments" if agree else "all", split=split_option(dataset)
    )


def _annotation_folder(root: Path) -> Path | None:
    """The folder of annotation below, at, or (where the features are in `root`) beside or above `root`."""
    places = [root, *(path for path in visible(root, "*") if path.is_dir())]
    if _bundles(root):
        places += [root.parent, *visible(root.parent, "*Annotations")]
    return next((p for p in places if all((p / f"{name}.npy").is_file() for name in NEEDED)), None)


def _features_file(root: Path, folder: Path) -> Path:
    places = [root, *(path for path in visible(root, "*") if path.is_dir()), folder]
    bundles = sorted({path for place in places for path in _bundles(place)})
    if not bundles:
        raise FileNotFoundError(f"no features, expected {root / '<name>-JOINTFeatures.npy'}; or give features")
    return only_candidate(bundles, root, "features")


def _bundles(folder: Path) -> list[Path]:
    return [path for path in visible(folder, "*.npy") if re.search(r"features\.npy$", path.name, re.IGNORECASE)]


def _names(folder: Path) -> tuple[list[str], list[str]]:
    """The videos' ids, and notes."""
    names = read_name_array(folder / "videoname.npy")
    notes = []
    if all(re.fullmatch(r"video_\d+", name) for name in names):
        if not (folder / "url.npy").is_file():
            notes.append(f"anonymous video names ({shortened(names)}) and no url.npy to tell the ids")
        else:
            urls = read_name_array(folder / "url.npy")
            if len(urls) != len(names):
                raise ValueError(f"{folder / 'url.npy'}: {len(urls)} addresses for {len(names)} videos")
            names = [url[-YOUTUBE_ID:] for url in urls]
            notes.append("anonymous video names; the ids are taken from url.npy")
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise ValueError(f"{folder}: {len(twice)} video ids occur twice: {shortened(twice)}")
    return names, notes


def _entries(
    folder: Path, names: Sequence[str], source: Literal["segments", "all"]
) -> tuple[dict[str, Entry], list[str]]:
    """What the annotation says of every video, and notes."""
    if source not in ("segments", "all"):
        raise ValueError(f"labels must be 'segments' or 'all', got {source!r}")
    columns = {name: _column(folder, name, len(names)) for name in ("subset", "segments", "labels")}
    optional = {
        name: _column(folder, name, len(names)) if (folder / f"{name}.npy").is_file() else None
        for name in ("labels_all", "duration")
    }
    if source == "all" and optional["labels_all"] is None:
        raise FileNotFoundError(f"no file {folder / 'labels_all.npy'}, which labels='all' needs")
    known = None
    if (folder / "classlist.npy").is_file():
        known = set(read_name_array(folder / "classlist.npy"))
    entries: dict[str, Entry] = {}
    differing: dict[str, list[str]] = {}
    for i, name in enumerate(names):
        where = f"{folder}: video {name!r}"
        spans, own = _items(columns["segments"][i]), [_label(label, where) for label in _items(columns["labels"][i])]
        if len(spans) != len(own):
            raise ValueError(f"{where}: {len(spans)} segments and {len(own)} labels, expected a label for each")
        segments = [_segment(span, label, where) for span, label in zip(spans, own, strict=True)]
        stated, subset = set(own), decoded(columns["subset"][i], f"{where}, subset")
        if optional["labels_all"] is not None:
            every = {_label(label, where) for label in _items(optional["labels_all"][i])}
            if every - {AMBIGUOUS} != stated - {AMBIGUOUS}:
                differing.setdefault(subset, []).append(name)
            stated = every if source == "all" else stated
        unknown = sorted((stated | set(own)) - known - {AMBIGUOUS}) if known is not None else []
        if unknown:
            raise ValueError(f"{where}: labels {unknown} are not in classlist.npy")
        kept = tuple(segment for segment in segments if segment is not None)
        duration = None if optional["duration"] is None else _seconds(optional["duration"][i], where)
        entries[name] = Entry(subset, tuple(sorted(stated)), kept, len(segments) - len(kept), duration)
    notes = [
        f"labels and labels_all disagree in {len(ids)} {subset} videos; labels={source!r} decides: {shortened(ids)}"
        for subset, ids in differing.items()
    ]
    return entries, notes


def _column(folder: Path, name: str, count: int) -> NDArray[Any]:
    path = folder / f"{name}.npy"
    values = load_npy(path)
    if not values.ndim or len(values) != count:
        raise ValueError(f"{path}: shape {values.shape}, expected one entry for each of {count} videos")
    return values


def _items(value: Any) -> list[Any]:
    """The elements of what may be a list, a tuple, an array or a single label."""
    if isinstance(value, np.ndarray):
        return list(value.tolist())
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _label(value: Any, where: str) -> str:
    """A label as text; ValueError where it is none."""
    label = decoded(value, f"{where}, label") if isinstance(value, bytes) else value
    fault = label_fault(label)
    if fault:
        raise ValueError(f"{where} has the label {fault}")
    return str(label)


def _segment(span: Any, label: str, where: str) -> Segment | None:
    """The segment, or None where it ends where it starts."""
    fault = record_fault({"label": label, "segment": span}, ("label", "segment"))
    if fault:
        raise ValueError(f"{where}: an instance of {label!r} {fault}")
    start, end = map(float, span)
    return Segment(start, end, label) if start < end else None


def _seconds(value: Any, where: str) -> float:
    seconds = float(np.asarray(value, dtype=np.float64).reshape(-1)[0])
    if not (math.isfinite(seconds) and seconds > 0):
        raise ValueError(f"{where}: duration must be a positive number of seconds, got {seconds}")
    return seconds


LAYOUT = Layout(
    name="wtalc",
    holds="<name>-JOINTFeatures.npy and <name>-Annotations/{videoname,subset,segments,labels,...}.npy",
    options=Options,
    detect=detect,
    read=read,
    write=write,
    names_files_by_id=False,
    needs_duration=True,
    labels_apart=True,
    one_snippet_duration=True,
)
