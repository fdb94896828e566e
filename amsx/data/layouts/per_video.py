"""What the layouts of one annotation in JSON and one file of features per video have in common.

<name>.json              in the folder or its annotations/: {"database": {id: {"subset", "annotations", ...}}}
<features>/<prefix><id>.<kind>    (n, D), in one folder below, or beside the JSON
<name>.hdf5              or all videos in one such file (or a few): <prefix><id>, or a group of that name with the array
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from amsx.data.features import FeatureFile
from amsx.data.layouts import a2cl_pt, acm_net, cmcs, dgam, wtalc
from amsx.data.layouts.annotations import read_database, without_labels
from amsx.data.layouts.assembly import Listed, Policy, assemble, open_features, some, unlisted
from amsx.data.layouts.frames import timebases_from_frames
from amsx.data.layouts.hdf5 import videos_in_hdf5
from amsx.data.layouts.roles import subset_roles
from amsx.data.layouts.streams import split_streams
from amsx.data.videos import Dataset, Subset

HDF5 = (".h5", ".hdf5")  # files of which one may hold many videos
USUAL_PREFIX = "v_"  # ActivityNet's files have it, its ids have it not
SPECIAL = (acm_net, wtalc, cmcs, dgam, a2cl_pt)  # they have JSON and arrays, too, and more to tell them by


def holds(root: Path, kinds: Sequence[str]) -> bool:
    """Whether there is JSON and a folder with files of one of `kinds`, and no more special layout."""
    return bool(json_files(root)) and bool(folders(root, kinds)) and not any(layout.detect(root) for layout in SPECIAL)


def says_frame(root: Path) -> bool:
    """Whether an annotation counts frames under the key that OpenTAD gives them."""
    return any(b'"frame"' in path.read_bytes() for path in json_files(root))


def read_per_video(
    root: Path,
    layout: str,
    kinds: Sequence[str],
    *,
    annotation: Path | str | None,
    features: Path | str | None,
    prefix: str | None,
    key: str | None = None,
    stride: float | None,
    num_frames: float | None,
    fps: float | None,
    split: bool | None,
    subsets: Mapping[str, Subset] | None,
    missing: Policy,
    broken: Policy,
    unlabelled: Policy,
    skip_labels: Sequence[str] = (),
) -> Dataset:
    """Read such a folder; the options are those of the layouts' `read`, which say what they mean."""
    path = Path(annotation) if annotation is not None else only(json_files(root), root, "annotation")
    entries, notes = without_labels(read_database(path), skip_labels)
    roles, found = subset_roles(entries, subsets)
    chosen = {name: roles[entry.subset] for name, entry in entries.items() if entry.subset in roles}
    folder = Path(features) if features is not None else only(folders(root, kinds), root, "features")
    suffix, there = _files(folder, kinds)
    inspect: Callable[[Path], FeatureFile] = partial(FeatureFile.inspect, key=key)
    missing_from = folder
    if suffix in HDF5 and not any(f"{p}{name}" in there for p in _prefixes(prefix) for name in entries):
        files = list(there.values())
        missing_from, suffix = (files[0] if len(files) == 1 else folder), ""
        there, inspect = videos_in_hdf5(files, key)
        found.append(f"features of {len(there)} videos in {some(file.name for file in files)}")
    if prefix is None:
        bare, usual = (any(f"{p}{name}" in there for name in chosen) for p in _prefixes(None))
        prefix = USUAL_PREFIX if usual and not bare else ""
        found += [f"names of features begin with {prefix!r}"] if prefix else []
    places = {name: there.get(f"{prefix}{name}", missing_from / f"{prefix}{name}{suffix}") for name in entries}
    found += unlisted(there.values(), places.values())
    listed = [Listed(name, subset, entries[name], {"features": places[name]}) for name, subset in chosen.items()]
    opened, opening = open_features(listed, missing, broken, inspect, set(there.values()).__contains__)
    try:
        timebases, timing = timebases_from_frames(opened, stride, num_frames, fps)
    except ValueError as error:
        raise ValueError(f"{root}: {error}") from error
    opened, splitting = split_streams(opened, split)
    notes += found + opening + timing + splitting
    return assemble(root, layout, opened, lambda v: timebases[v.id], unlabelled=unlabelled, notes=notes)


def _prefixes(prefix: str | None) -> tuple[str, ...]:
    """What may precede an id in the names of features."""
    return ("", USUAL_PREFIX) if prefix is None else (prefix,)


def _files(folder: Path, kinds: Sequence[str]) -> tuple[str, dict[str, Path]]:
    """The one kind of feature files in a folder (or what one file is), and the files by name without it."""
    files = sorted(path for path in folder.iterdir() if path.suffix in kinds) if folder.is_dir() else [folder]
    suffixes = [kind for kind in kinds if any(path.suffix == kind for path in files)]
    if len(suffixes) > 1:
        raise ValueError(f"{folder}: holds files of several kinds, {some(suffixes)}; expected one")
    return (suffixes or list(kinds))[0], {path.stem: path for path in files}


def json_files(root: Path) -> list[Path]:
    """The candidates for the annotation."""
    return sorted([*root.glob("*.json"), *root.glob("annotations/*.json")])


def folders(root: Path, kinds: Sequence[str]) -> list[Path]:
    """The candidates for the folder of features."""
    below = [root, *sorted(path for path in root.iterdir() if path.is_dir())]
    return [folder for folder in below if any(next(folder.glob(f"*{kind}"), None) is not None for kind in kinds)]


def only(paths: list[Path], root: Path, option: str) -> Path:
    """The one candidate; ValueError where there is none, or several and the option must say which."""
    if len(paths) != 1:
        found = some(str(path) for path in paths) if paths else "none"
        raise ValueError(f"{root}: expected one candidate for {option}, found {found}; give {option}")
    return paths[0]
