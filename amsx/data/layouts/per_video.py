"""What the layouts of one annotation in JSON and one file of features per video have in common.

<name>.json              in the folder or its annotations/: {"database": {id: {"subset", "annotations", ...}}}
<features>/<prefix><id>.<kind>    (n, D), in one folder below, or beside the JSON
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from amsx.data.features import FeatureFile
from amsx.data.layouts import acm_net, cmcs, dgam, wtalc
from amsx.data.layouts.annotations import read_database, without_labels
from amsx.data.layouts.assembly import Listed, Policy, assemble, open_features, some
from amsx.data.layouts.frames import timebases_from_frames
from amsx.data.layouts.roles import subset_roles
from amsx.data.layouts.streams import split_streams
from amsx.data.videos import Dataset, Subset

USUAL_PREFIX = "v_"  # ActivityNet's files have it, its ids have it not
SPECIAL = (acm_net, wtalc, cmcs, dgam)  # layouts that have JSON files and arrays, too, and more to tell them by


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
    there = {file.name for file in folder.iterdir() if file.suffix in kinds}
    suffixes = [kind for kind in kinds if any(name.endswith(kind) for name in there)]
    if len(suffixes) > 1:
        raise ValueError(f"{folder}: holds files of several kinds, {some(suffixes)}; expected one")
    suffix = suffixes[0] if suffixes else kinds[0]
    if prefix is None:
        bare, usual = (any(f"{p}{name}{suffix}" in there for name in chosen) for p in ("", USUAL_PREFIX))
        prefix = USUAL_PREFIX if usual and not bare else ""
        found += [f"file names begin with {prefix!r}"] if prefix else []
    listed = [
        Listed(name, subset, entries[name], {"features": folder / f"{prefix}{name}{suffix}"})
        for name, subset in chosen.items()
    ]
    opened, opening = open_features(listed, missing, broken, lambda path: FeatureFile.inspect(path, key=key))
    try:
        timebases, timing = timebases_from_frames(opened, stride, num_frames, fps)
    except ValueError as error:
        raise ValueError(f"{root}: {error}") from error
    opened, splitting = split_streams(opened, split)
    notes += found + opening + timing + splitting
    return assemble(root, layout, opened, lambda v: timebases[v.id], unlabelled=unlabelled, notes=notes)


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
