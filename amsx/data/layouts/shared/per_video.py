"""What the layouts with one annotation in JSON and one file of features per video have in common.

<name>.json              in the folder or its annotations/: {"database": {id: {"subset", "annotations", ...}}}
<features>/<prefix><id>.<kind>    (n, D), in one folder below, or beside the JSON
<name>.hdf5              or all videos in one or a few such files, as ActivityNet's C3D features come: <prefix><id> is
                         the array, or a group that has it
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from amsx.data.arrays import HDF5, array_names, choose_key
from amsx.data.features import FeatureFile
from amsx.data.layouts.shared.annotation_json import annotation_files, read_database, subset_roles
from amsx.data.layouts.shared.assembly import (
    ListedVideo,
    assemble,
    only_candidate,
    open_features,
    shortened,
    unlisted_features,
)
from amsx.data.layouts.shared.frame_grid import timebases_from_frames
from amsx.data.layouts.shared.layout import FilePolicies
from amsx.data.layouts.shared.two_streams import split_streams
from amsx.data.videos import Dataset, Subset
from amsx.files import visible

USUAL_PREFIX = "v_"  # ActivityNet's files have it, its ids do not


@dataclass(frozen=True, kw_only=True)
class PerVideoOptions(FilePolicies):
    """What can be said to the readers of these layouts."""

    annotation: Path | str | None = None  # the JSON file, where the folder holds several
    features: Path | str | None = None  # the folder of features (or an HDF5 file), where there are several
    prefix: str | None = None  # precedes the id in the names of features; None: nothing, or "v_" where only that occurs
    stride: float | None = None  # frames from one snippet to the next; None: derived from frames and rows
    fps: float | None = None  # frames per second, for entries of the annotation that say neither it nor frames
    split: bool | None = None  # take the halves of the columns as rgb and flow; None: where there are 2048
    subsets: Mapping[str, Subset] | None = None  # subset as written -> "train" or "test"; None: see `subset_roles`


def has_json_and_features(root: Path, kinds: Sequence[str]) -> bool:
    """Whether there is a JSON file, and a folder with files of one of `kinds`, which are suffixes."""
    return bool(annotation_files(root)) and bool(_feature_folders(root, kinds))


def counts_frames(root: Path) -> bool:
    """Whether an annotation counts frames under the key that OpenTAD gives them."""
    # Without NUL bytes, so that the key is seen in UTF-16, too.
    return any(b'"frame"' in path.read_bytes().replace(b"\0", b"") for path in annotation_files(root))


def read_per_video(
    root: Path,
    layout: str,
    kinds: Sequence[str],
    options: PerVideoOptions,
    *,
    key: str | None = None,
    num_frames: float | None = None,
) -> Dataset:
    """Read such a folder.

    `key` names the array in files that hold several; a snippet spans `num_frames` frames, which are derived by default.
    """
    given = None if options.annotation is None else Path(options.annotation)
    path = given or only_candidate(annotation_files(root), root, "annotation")
    database = read_database(path)
    entries = database.entries
    roles, role_notes = subset_roles(entries, options.subsets)
    notes = [*database.notes, *role_notes]
    chosen = {name: roles[entry.subset] for name, entry in entries.items() if entry.subset in roles}
    folder = None if options.features is None else Path(options.features)
    folder = folder or only_candidate(_feature_folders(root, kinds), root, "features")
    suffix, files = _feature_files(folder, kinds)
    inspect: Callable[[Path], FeatureFile] = partial(FeatureFile.inspect, key=key)
    missing_from, prefixes = folder, ("", USUAL_PREFIX) if options.prefix is None else (options.prefix,)
    if suffix in HDF5 and not any(f"{prefix}{name}" in files for prefix in prefixes for name in entries):
        many = list(files.values())
        missing_from, suffix = (many[0] if len(many) == 1 else folder), ""
        files, inspect = _videos_in_hdf5(many, key)
        notes.append(f"features of {len(files)} videos in {shortened(file.name for file in many)}")
    prefix = options.prefix
    if prefix is None:
        bare, usual = (any(f"{p}{name}" in files for name in chosen) for p in prefixes)
        prefix = USUAL_PREFIX if usual and not bare else ""
        notes += [f"names of features begin with {prefix!r}"] if prefix else []
    places = {name: files.get(f"{prefix}{name}", missing_from / f"{prefix}{name}{suffix}") for name in entries}
    notes += unlisted_features(files.values(), places.values())
    listed = [ListedVideo(name, subset, entries[name], {"features": places[name]}) for name, subset in chosen.items()]
    exists = set(files.values()).__contains__
    opened, opening_notes = open_features(listed, options.missing, options.broken, inspect, exists)
    try:
        timebases, time_notes = timebases_from_frames(opened, options.stride, num_frames, options.fps)
    except ValueError as error:
        raise ValueError(f"{root}: {error}") from error
    opened, split_notes = split_streams(opened, options.split)
    notes += opening_notes + time_notes + split_notes
    return assemble(root, layout, opened, lambda v: timebases[v.id], unlabelled=options.unlabelled, notes=notes)


def _feature_folders(root: Path, kinds: Sequence[str]) -> list[Path]:
    """Those of `root` and the folders in it that hold a file of one of `kinds`."""
    below = [root, *(path for path in visible(root, "*") if path.is_dir())]
    return [folder for folder in below if visible(folder, *(f"*{kind}" for kind in kinds))]


def _feature_files(folder: Path, kinds: Sequence[str]) -> tuple[str, dict[str, Path]]:
    """The one suffix of the feature files in a folder, and the files by name without it. `folder` may be one file."""
    files = [path for path in visible(folder, "*") if path.suffix in kinds] if folder.is_dir() else [folder]
    suffixes = [kind for kind in kinds if any(path.suffix == kind for path in files)]
    if len(suffixes) > 1:
        raise ValueError(f"{folder}: holds files of several kinds, {shortened(suffixes)}; expected one")
    return (suffixes or list(kinds))[0], {path.stem: path for path in files}


def _videos_in_hdf5(files: Sequence[Path], key: str | None) -> tuple[dict[str, Path], Callable[[Path], FeatureFile]]:
    """What the files hold, name -> <file>/<name>, and a function that inspects one of these.

    A name may stand for an array, or for a group of one array or of several, of which `key` is taken, or the one with a
    usual name. ValueError where a file cannot be read, or two files hold the same name.
    """
    places: dict[str, Path] = {}
    arrays: dict[Path, list[str]] = {}
    for file in files:
        members: dict[str, list[str]] = {}
        for full in array_names(file):
            members.setdefault(full.partition("/")[0], []).append(full)
        for name, own in members.items():
            if name in places:
                raise ValueError(f"{file}: {name!r} is also in {places[name].parent}")
            places[name] = file / name
            arrays[file / name] = own

    def inspect(path: Path) -> FeatureFile:
        short = {name.partition("/")[2]: name for name in arrays[path]}
        chosen = short[""] if list(short) == [""] else short[choose_key(short, key, path)]
        return FeatureFile.inspect(path.parent, key=chosen)

    return places, inspect
