"""A2CL-PT's layout.

    annotation.json                   {"database": {id: {"subset", "duration", "annotations": [{"label", "segment"}]}},
                                      "list_classes", "miscellany": {"fps_extracted", "len_feature_chunk"},
                                      "set_ambiguous": {id: [[start, end]]}}; train and val (the test set)
    feature_train.npy, feature_val.npy    each one pickled dict {id: (n, 2048)}, rgb the first half, flow the second

The training videos' annotations are labels without segments. The annotation lists many more test videos than have any
action; they are left out, as they are there. The files are pickles and are read by `amsx.data.unpickling`, which runs
nothing; the features of all videos stay in memory. A snippet is len_feature_chunk frames at fps_extracted: 0.64 s.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from amsx.data.features import FeatureArray
from amsx.data.layouts.annotations import Entry, read_database, read_json
from amsx.data.layouts.assembly import Listed, Policy, assemble, open_features, some, unlisted
from amsx.data.layouts.roles import subset_roles
from amsx.data.layouts.splits import SNIPPET_SECONDS
from amsx.data.layouts.streams import split_streams
from amsx.data.unpickling import load_npy
from amsx.data.videos import Dataset, Subset, Timebase

ANNOTATION = "annotation.json"
HOLDS = "annotation.json and feature_{train,val}.npy"


def detect(root: Path) -> bool:
    """Whether `root` looks like this layout."""
    return (root / ANNOTATION).is_file() and bool(_feature_files(root))


def read(
    root: Path,
    *,
    snippet_seconds: float | None = None,
    split: bool | None = None,
    subsets: Mapping[str, Subset] | None = None,
    missing: Policy = "error",
    broken: Policy = "error",
    unlabelled: Policy = "error",
) -> Dataset:
    """Read the layout.

    `snippet_seconds` is the time from one snippet to the next, by default what the annotation says. `split`: take the
    columns' halves as rgb and flow (default: when there are 2048). `subsets` says which subsets as written are "train"
    and "test"; the default is in `roles.subset_roles`. `missing`, `broken` and `unlabelled` say whether annotated
    videos without features, with features that are none, and training videos without labels, are errors or left out and
    noted. Videos of the annotation that have neither actions nor features are left out and noted, too.
    """
    path = root / ANNOTATION
    entries, about = read_database(path, labels_alone=True), read_json(path)
    _check_classes(entries, about.get("list_classes"), path)
    roles, notes = subset_roles(entries, subsets)
    arrays: dict[Path, Any] = {}
    where: dict[str, Path] = {}
    for file in _feature_files(root):
        for name, array in _videos(file).items():
            if name in where:
                raise ValueError(f"{file}: video {name!r} is also in {where[name].parent}")
            where[name] = file / name
            arrays[file / name] = array
    chosen = {name: roles[entry.subset] for name, entry in entries.items() if entry.subset in roles}
    silent = [name for name in chosen if not entries[name].labels]
    quiet = {name: None for name in silent if chosen[name] == "test" or name not in where}
    if quiet:
        notes.append(f"left out: {len(quiet)} videos without an annotated action: {some(quiet)}")
    notes += unlisted(where.values(), (where[name] for name in entries if name in where))
    if about.get("set_ambiguous"):
        notes.append(f"ambiguous spans of {len(about['set_ambiguous'])} videos are no action and are not read")
    absent = root / "feature_{train,val}.npy"
    listed = [
        Listed(name, subset, entries[name], {"features": where.get(name, absent / name)})
        for name, subset in chosen.items()
        if name not in quiet
    ]
    opened, opening = open_features(
        listed, missing, broken, lambda path: FeatureArray.inspect(arrays[path], str(path)), arrays.__contains__
    )
    opened, splitting = split_streams(opened, split)
    timebase = Timebase(_snippet_seconds(about.get("miscellany"), path) if snippet_seconds is None else snippet_seconds)
    notes += opening + splitting
    return assemble(root, "a2cl_pt", opened, lambda _: timebase, unlabelled=unlabelled, notes=notes)


def _feature_files(root: Path) -> list[Path]:
    return [path for path in (root / f"feature_{name}.npy" for name in ("train", "val")) if path.is_file()]


def _videos(file: Path) -> dict[str, Any]:
    """The dict in a features file."""
    array = load_npy(file)
    content = array.item() if array.shape == () and array.dtype.kind == "O" else array
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise ValueError(f"{file}: expected one dict, video id -> (snippets, channels), got {_told(content)}")
    return content


def _told(content: Any) -> str:
    return f"{content.dtype} of shape {content.shape}" if isinstance(content, np.ndarray) else type(content).__name__


def _check_classes(entries: Mapping[str, Entry], classes: Any, path: Path) -> None:
    """ValueError where a video has a label that the file's own list lacks."""
    for name, entry in entries.items():
        unknown = [] if classes is None else [label for label in entry.labels if label not in classes]
        if unknown:
            raise ValueError(f"{path}: video {name!r}: labels {unknown} are not in list_classes")


def _snippet_seconds(miscellany: Any, path: Path) -> float:
    """Seconds per snippet as the annotation says, or the usual where it says nothing."""
    if miscellany is None:
        return SNIPPET_SECONDS
    try:
        seconds = float(miscellany["len_feature_chunk"]) / float(miscellany["fps_extracted"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        raise ValueError(
            f"{path}: miscellany {miscellany!r}, expected fps_extracted and len_feature_chunk; or give snippet_seconds"
        )
    return seconds
