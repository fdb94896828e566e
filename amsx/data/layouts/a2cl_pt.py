"""A2CL-PT's layout.

    annotation.json                   {"database": {id: {"subset", "duration", "annotations": [{"label", "segment"}]}},
                                      "list_classes", "miscellany": {"fps_extracted", "len_feature_chunk"},
                                      "set_ambiguous": {id: [[start, end]]}}; train and val (the test set)
    feature_train.npy, feature_val.npy    each one pickled dict {id: (n, 2048)}, rgb the first half, flow the second

The training videos' annotations are labels without segments. The annotation lists many more test videos than have any
action; here, as in A2CL-PT, those are left out. The files are pickles and are read by `amsx.unpickling`, which
runs nothing; the features of all videos stay in memory. A snippet is len_feature_chunk frames at fps_extracted: 0.64 s.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from amsx.data.arrays import write_dict
from amsx.data.features import FeatureArray
from amsx.data.layouts.shared.annotation_json import (
    Entry,
    SubsetNames,
    all_labels,
    annotation,
    read_database,
    subset_roles,
    subsets_option,
    write_database,
)
from amsx.data.layouts.shared.assembly import ListedVideo, assemble, open_features, shortened, unlisted_features
from amsx.data.layouts.shared.layout import FilePolicies, Layout
from amsx.data.layouts.shared.snippet_time import SNIPPET_SECONDS, median_snippet, stated_timebase
from amsx.data.layouts.shared.two_streams import joined, split_option, split_streams
from amsx.data.layouts.shared.windows import CLIP
from amsx.data.videos import Dataset, Subset
from amsx.unpickling import load_npy

ANNOTATION = "annotation.json"
SUBSETS: SubsetNames = {"train": "train", "test": "val"}


@dataclass(frozen=True, kw_only=True)
class Options(FilePolicies):
    """What can be said to the reader."""

    snippet_seconds: float | None = None  # from one snippet to the next; None: what the annotation says
    split: bool | None = None  # take the halves of the columns as rgb and flow; None: where there are 2048
    subsets: Mapping[str, Subset] | None = None  # subset as written -> "train" or "test"; None: see `subset_roles`


def detect(root: Path) -> bool:
    """Whether `root` looks like this layout."""
    return (root / ANNOTATION).is_file() and bool(_feature_files(root))


def read(root: Path, options: Options) -> Dataset:
    """Read the layout. Videos without actions are left out and noted if they are test videos or have no features."""
    path = root / ANNOTATION
    database = read_database(path)
    entries, about = database.entries, database.beside
    _check_classes(entries, about.get("list_classes"), path)
    roles, role_notes = subset_roles(entries, options.subsets)
    notes = [*database.notes, *role_notes]
    arrays: dict[Path, Any] = {}
    places: dict[str, Path] = {}
    for file in _feature_files(root):
        for name, array in _videos(file).items():
            if name in places:
                raise ValueError(f"{file}: video {name!r} is also in {places[name].parent}")
            places[name] = file / name
            arrays[file / name] = array
    chosen = {name: roles[entry.subset] for name, entry in entries.items() if entry.subset in roles}
    unlabelled = [name for name in chosen if not entries[name].labels]
    left_out = {name: None for name in unlabelled if chosen[name] == "test" or name not in places}
    if left_out:
        notes.append(f"left out: {len(left_out)} videos without an annotated action: {shortened(left_out)}")
    notes += unlisted_features(places.values(), (places[name] for name in entries if name in places))
    if about.get("set_ambiguous"):
        notes.append(f"ambiguous spans of {len(about['set_ambiguous'])} videos are no action and are not read")
    absent = root / "feature_{train,val}.npy"
    listed = [
        ListedVideo(name, subset, entries[name], {"features": places.get(name, absent / name)})
        for name, subset in chosen.items()
        if name not in left_out
    ]

    def inspect(path: Path) -> FeatureArray:
        if path not in arrays:
            raise FileNotFoundError(f"no features {path}")
        return FeatureArray.inspect(arrays[path], str(path))

    opened, opening_notes = open_features(listed, options, inspect)
    opened, split_notes = split_streams(opened, options.split)
    given, stated = options.snippet_seconds, about.get("miscellany")
    if given is None and stated is not None:
        given = _snippet_seconds(stated, path)
    timebase = stated_timebase(root, opened, given, SNIPPET_SECONDS)
    notes += opening_notes + split_notes
    return assemble(root, LAYOUT.name, opened, lambda _: timebase, unlabelled=options.unlabelled, notes=notes)


def write(dataset: Dataset, root: Path) -> Options:
    """Write the layout."""
    for subset, name in SUBSETS.items():
        features = {video.id: joined(dataset, video) for video in dataset.subset(subset)}
        if features:
            write_dict(root / f"feature_{name}.npy", features)
    seconds = median_snippet(dataset)
    write_database(
        root / ANNOTATION,
        annotation(dataset, SUBSETS),
        list_classes=all_labels(dataset),
        miscellany={"fps_extracted": CLIP / seconds, "len_feature_chunk": CLIP},
        set_ambiguous={},
    )
    return Options(snippet_seconds=seconds, split=split_option(dataset), subsets=subsets_option(dataset, SUBSETS))


def _feature_files(root: Path) -> list[Path]:
    return [path for path in (root / f"feature_{name}.npy" for name in ("train", "val")) if path.is_file()]


def _videos(file: Path) -> dict[str, Any]:
    """The dict in a file of features."""
    array = load_npy(file)
    content = array.item() if array.shape == () and array.dtype.kind == "O" else array
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise ValueError(f"{file}: expected one dict, video id -> (snippets, channels), got {_description(content)}")
    return content


def _description(content: Any) -> str:
    return f"{content.dtype} of shape {content.shape}" if isinstance(content, np.ndarray) else type(content).__name__


def _check_classes(entries: Mapping[str, Entry], classes: Any, path: Path) -> None:
    """Raise ValueError where a video has a label that the file's own list lacks."""
    for name, entry in entries.items():
        unknown = [] if classes is None else [label for label in entry.labels if label not in classes]
        if unknown:
            raise ValueError(f"{path}: video {name!r}: labels {unknown} are not in list_classes")


def _snippet_seconds(miscellany: Any, path: Path) -> float:
    """Seconds per snippet as the annotation's `miscellany` says."""
    try:
        seconds = float(miscellany["len_feature_chunk"]) / float(miscellany["fps_extracted"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        raise ValueError(
            f"{path}: miscellany {miscellany!r}, expected fps_extracted and len_feature_chunk; or give snippet_seconds"
        )
    return seconds


LAYOUT = Layout(
    name="a2cl_pt",
    holds="annotation.json and feature_{train,val}.npy",
    options=Options,
    detect=detect,
    read=read,
    write=write,
    names_files_by_id=False,
    needs_labels=True,
    drops_unlabelled_tests=True,
    one_snippet_duration=True,
)
