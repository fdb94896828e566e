"""Where the features of every video lie: one mapping, stream -> video -> place, for all the ways to keep two streams.

    <folder>/<id>.npy                        one array for a video, in one folder
    rgb/<id>.npy, flow/<id>.npy              a folder for each stream, also features/i3d_rgb, rgb/train, train_flow
    rgb/<id>.npy, clip/<id>.npy              likewise: a folder with the same ids beside one of rgb or flow is a stream
    <id>_rgb.npy, <id>_flow.npy              a file for each stream, also <id>-rgb, rgb_<id>
    i3d/<id>_rgb.npy, clip/<id>_clip.npy     likewise, in a folder for each extractor (video_features)
    <id>.npz with arrays rgb and flow        an array for each stream, in npz, h5, pt or pkl
    <name>.hdf5                              all videos in one file or a few: <id>, <id>/<array>, <id>/rgb or rgb/<id>
    rgb_test.h5, flow_test.h5                the same, with files for each stream

A file of all videos may be a dict in npz, pt, pkl or npy as well. A place is a path: that of the file, or <file>/<name>
of the array in it. Folders, files and arrays are of a stream where rgb or flow is a word of their name.
"""

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from amsx.annotations import PREFIX, same_names
from amsx.data.arrays import HDF5, USUAL_KEYS, array_names, choose_key, load_values
from amsx.data.features import FeatureArray, FeatureFile
from amsx.data.layouts.shared.assembly import candidates_error, shortened, unlisted_features
from amsx.data.layouts.shared.stream_names import stream_in, stream_left_open, stream_of, without_stream
from amsx.data.layouts.shared.video_tables import subset_columns
from amsx.files import is_hidden, visible

FEATURES = "features"  # the name of a stream that no name tells
DEPTH = 2  # folders below the data set's in which those of streams may lie
FEW = 16  # files that are opened to see whether they hold many videos each, of kinds that are read whole
MOST_PARTS = 32  # of an array's name in a file, between slashes
HEADED = (*HDF5, ".npz")  # kinds of file whose names of arrays are read without the values
BESIDE = ("_fps", "_timestamps_ms")  # ends of the names of files that say when, beside features (video_features)

Stream = FeatureFile | FeatureArray


@dataclass
class Places:
    """Places of features, stream -> name of a video -> path, and what opens those that are in a file."""

    empty: Path  # the folder where a file would be, if there is none at all
    key: str | None = None  # of the array in files that hold several
    streams: dict[str, dict[str, Path]] = field(default_factory=dict)
    within: dict[Path, Callable[[], Stream]] = field(default_factory=dict)
    others: list[Path] = field(default_factory=list)  # files of features, by their kind, of no video in any stream
    notes: list[str] = field(default_factory=list)

    def add(self, stream: str, name: str, place: Path, opens: Callable[[], Stream] | None = None) -> None:
        """One more place; ValueError where the video has one in that stream."""
        other = self.streams.setdefault(stream, {}).setdefault(name, place)
        if other != place:
            raise ValueError(
                f"{place}: {name!r} is also in {other.parent}; say where features are with the option features or "
                "streams"
            )
        self.within[place] = opens or partial(FeatureFile.inspect, place, key=self.key)

    def names(self) -> set[str]:
        """What the videos are called that have a place."""
        return {name for places in self.streams.values() for name in places}

    def called(self, ids: Sequence[str]) -> tuple[dict[str, str], list[str]]:
        """What each of `ids` is called here, with v_ or without, and a note where that is not the id."""
        names, change = same_names(ids, self.names())
        notes = {
            "added": [f"names of features begin with {PREFIX!r}"],
            "removed": [f"names of features are the ids without {PREFIX!r}"],
        }
        return names, notes.get(change, [])

    def of(self, name: str) -> dict[str, Path]:
        """The places of a video in every stream, also those where nothing is."""
        streams = self.streams or {FEATURES: {}}
        return {stream: places.get(name) or self._absent(places, name) for stream, places in streams.items()}

    def inspect(self, place: Path) -> Stream:
        """The features at a place; errors are those of `FeatureFile.inspect`."""
        if place not in self.within:
            raise FileNotFoundError(f"no features {place}")
        return self.within[place]()

    def unlisted(self, names: Iterable[str]) -> list[str]:
        """A note where there are features of other videos than those called `names`."""
        listed = {place for name in names for place in self.of(name).values()}
        return unlisted_features([*self.within, *self.others], listed)

    def _absent(self, places: Mapping[str, Path], name: str) -> Path:
        """Where a video's features would be, to judge by those of another."""
        for other, place in places.items():
            head, _, tail = str(place).rpartition(other)
            absent = Path(f"{head}{name}{tail}")
            if absent not in self.within:
                return absent
        return self.empty / name


def feature_folders(root: Path, kinds: Collection[str]) -> list[Path]:
    """`root`, the folders in it and those of streams further down, of which each holds a file of one of `kinds`."""
    return [folder for folder in (root, *_below(root, 1)) if _holds(folder, kinds)]


def _holds(folder: Path, kinds: Collection[str]) -> bool:
    """Whether a folder holds a file of one of `kinds`. It may hold very many, so that one is enough."""
    if not folder.is_dir():
        return False
    with os.scandir(folder) as entries:
        return any(not is_hidden(e.name) and _may_be_features(Path(e.path), kinds) for e in entries)


def _may_be_features(path: Path, kinds: Collection[str]) -> bool:
    """Whether a path is a file of one of the kinds, and no table of videos."""
    return path.suffix in kinds and path.is_file() and (path.suffix != ".csv" or subset_columns(path) is None)


def _below(folder: Path, depth: int, of_stream: bool = False) -> list[Path]:
    """The folders in a folder, and down to a depth those that a stream's name is a part of."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if entry.is_dir() and not is_hidden(entry.name))
    found = []
    for name in names:
        named = of_stream or stream_in(name) is not None
        found += [folder / name] if named or depth == 1 else []
        found += _below(folder / name, depth + 1, named) if depth < DEPTH else []
    return found


def find_places(
    root: Path, ids: Sequence[str], kinds: Collection[str], *, folders: Sequence[Path] | None = None, key: str | None
) -> Places:
    """The places of features in the folders below `root`, or in `folders` (or files) alone.

    `key` names the array in files that hold several. ValueError where more than one place may be meant, and where a
    file that may hold many videos cannot be read.
    """
    if folders is None:
        folders = feature_folders(root, kinds) or _with_slashes(root, ids, kinds)
    group = _group(root, folders, ids, kinds)
    further = _further_streams(root, group, ids, kinds)
    group |= further
    files: dict[Path, str | None] = {}
    called: dict[Path, str] = {}  # file -> what it is called, without its suffix; for ids with a slash, with folders
    for folder, stream in group.items():
        names = {path: path.stem for path in _files(folder, kinds)} | _of_ids_with_slashes(folder, ids, kinds)
        called |= names
        files |= dict.fromkeys(names, stream)
    places = Places(next(iter(group)), key)
    if further:
        named = shortened(folder.name for folder in further)
        places.notes.append(f"taken as streams, being folders beside those of rgb or flow: {named}")
    apart = {path: without_stream(name) for path, name in called.items()}
    bare = _matched(ids, called.values())
    affixed = _matched(ids, [name for path, (name, stream) in apart.items() if stream and called[path] not in bare])
    if affixed and bare and not any(files.values()):
        examples = [str(p) for p in files if called[p] in bare][:1]
        examples += [str(p) for p in files if apart[p][0] in affixed][:1]
        raise ValueError(
            f"{places.empty}: holds features with and without a stream in their names ({' and '.join(examples)}); "
            "say where each stream is with the option streams"
        )
    if not bare and not affixed and _add_containers(places, files, ids):
        return places
    for path, stream in files.items():
        name, own = (called[path], None) if bare else apart[path]
        if called[path].endswith(BESIDE) and called[path] not in bare:
            continue
        if affixed and not bare and own is None:
            places.others.append(path)
        else:
            places.add(own or stream or FEATURES, name, path)
    if bare and key is None:
        _split_by_key(places, bare)
    return places


def _of_ids_with_slashes(folder: Path, ids: Sequence[str], kinds: Collection[str]) -> dict[Path, str]:
    """The files further down in a folder that ids with a slash name, each with its name in the folder."""
    if not any("/" in name for name in ids) or not folder.is_dir():
        return {}
    below = visible(folder, *(f"*/**/*{kind}" for kind in kinds))
    names = {path: (path.relative_to(folder).parent / path.stem).as_posix() for path in below}
    known = _matched(ids, [name for whole in names.values() for name in (whole, without_stream(whole)[0])])
    return {path: name for path, name in names.items() if known & {name, without_stream(name)[0]}}


def _with_slashes(root: Path, ids: Sequence[str], kinds: Collection[str]) -> list[Path]:
    """The folders in `root` of which all features lie further down, because their ids have a slash."""
    return [folder for folder in visible(root, "*") if _of_ids_with_slashes(folder, ids, kinds)]


def _files(folder: Path, kinds: Collection[str]) -> list[Path]:
    """The files of features in a folder, which are of one kind. `folder` may be one file."""
    files = [path for path in visible(folder, "*") if path.suffix in kinds] if folder.is_dir() else [folder]
    suffixes = [kind for kind in kinds if any(path.suffix == kind for path in files)]
    if len(suffixes) > 1:
        raise ValueError(f"{folder}: holds files of several kinds, {shortened(suffixes)}; expected one")
    return files


def _matched(ids: Sequence[str], names: Iterable[str]) -> set[str]:
    """Those of `names` that are ids, with or without v_."""
    names = set(names)
    return set(same_names(ids, names)[0].values()) & names


def _group(root: Path, folders: Sequence[Path], ids: Sequence[str], kinds: Collection[str]) -> dict[Path, str | None]:
    """The folders that belong together, each with its stream; ValueError unless one group alone has features."""
    groups: list[dict[Path, str | None]] = []
    by_form: dict[str, dict[Path, str | None]] = {}
    for folder in folders:
        parts = folder.relative_to(root).parts if folder.is_relative_to(root) else (folder.name,)
        stream = stream_of(parts)
        if stream is None:
            groups.append({folder: None})
        else:
            form = "/".join(map(stream_left_open, parts))
            by_form.setdefault(form, {})[folder] = stream
    named: list[dict[Path, str | None]] = []
    for group in by_form.values():
        fitting = next((other for other in named if _belong_together(group, other, kinds)), None)
        if fitting is None:
            named.append(group)
        else:
            fitting.update(group)
    groups += named
    if len(groups) > 1:
        groups = [group for group in groups if _has_ids(group, ids, kinds)] or groups
    named_apart = [_streams_of_files(group, ids, kinds) for group in groups]
    if len(groups) > 1 and all(named_apart) and len(set().union(*named_apart)) == sum(map(len, named_apart)):
        return {folder: stream for group in groups for folder, stream in group.items()}
    if len(groups) != 1:
        raise candidates_error([folder for group in groups for folder in group], root, "features")
    return groups[0]


def _further_streams(
    root: Path, group: Mapping[Path, str | None], ids: Sequence[str], kinds: Collection[str]
) -> dict[Path, str | None]:
    """The folders beside those of rgb or flow that hold features of the same videos, each a stream by its name."""
    parents = {folder.parent for folder, stream in group.items() if stream is not None and stream_in(folder.name)}
    further: dict[Path, str | None] = {}
    for parent in sorted(parents):
        inside = parent.relative_to(root).parts if parent.is_relative_to(root) else None
        if inside is None or stream_of(inside) is not None:
            continue
        for folder in _below(parent, DEPTH, of_stream=True):
            if folder not in group and stream_in(folder.name) is None and _has_ids([folder], ids, kinds):
                further[folder] = folder.name
    return further


def _belong_together(one: Mapping[Path, str | None], other: Mapping[Path, str | None], kinds: Collection[str]) -> bool:
    """Whether two groups of folders are parts of one: each of another stream alone, or with other files."""
    streams = [set(group.values()) for group in (one, other)]
    if not streams[0] & streams[1]:
        return True
    names = [{path.stem for folder in group for path in _files(folder, kinds)} for group in (one, other)]
    return not names[0] & names[1]


def _streams_of_files(folders: Mapping[Path, str | None], ids: Sequence[str], kinds: Collection[str]) -> set[str]:
    """The streams that files in folders have in their names, beside an id; empty where some file is called by an id."""
    stems = {path.stem for folder in folders for path in _files(folder, kinds)}
    if any(folders.values()) or _matched(ids, stems):
        return set()
    apart = [without_stream(stem) for stem in stems]
    known = _matched(ids, [name for name, stream in apart if stream])
    return {stream for name, stream in apart if stream and name in known}


def _has_ids(folders: Iterable[Path], ids: Sequence[str], kinds: Collection[str]) -> bool:
    stems = [path.stem for folder in folders for path in _files(folder, kinds)]
    return bool(_matched(ids, [name for stem in stems for name in (stem, without_stream(stem)[0])]))


def _split_by_key(places: Places, names: Collection[str]) -> None:
    """Where the files hold arrays of both streams, their places in the files take the place of the files."""
    if set(places.streams) != {FEATURES}:
        return
    files = places.streams[FEATURES]
    keys = next((keys for name in sorted(names) if (keys := _stream_keys(files[name])) is not None), {})
    if keys:
        places.streams, places.within = {}, {}
        for name, file in files.items():
            for stream, key in keys.items():
                places.add(stream, name, file / key, partial(in_file, file, key))


def _stream_keys(file: Path) -> dict[str, str] | None:
    """Stream -> name of its array in a file; empty where names tell no streams; None where the file cannot be read."""
    try:
        names = _names_in(file)
    except (ValueError, OSError):
        return None
    if len(names) > 1 and any(name in USUAL_KEYS for name in names):
        return {}
    keys: dict[str, str] = {}
    for name in names:
        stream = stream_in(name)
        if stream is not None and keys.setdefault(stream, name) != name:
            return {}
    return keys


def _names_in(file: Path) -> list[str]:
    if file.suffix in HEADED:
        return array_names(file)
    return list(load_values(file)) if file.suffix != ".csv" else []


def in_file(file: Path, key: str) -> Stream:
    """The array `key` of a file; FileNotFoundError where the file has none of that name."""
    if key not in _names_in(file):
        raise FileNotFoundError(f"no array {key!r} in {file}")
    return FeatureFile.inspect(file, key=key)


@dataclass(frozen=True)
class ArrayInFile:
    """An array in a file that may hold many videos."""

    file: Path
    name: str  # in full
    value: Any = None  # where the file was read whole


def _add_containers(places: Places, files: Mapping[Path, str | None], ids: Sequence[str]) -> bool:
    """Whether the files hold many videos each; their places are added."""
    if len(files) > FEW and not any(path.suffix in HEADED for path in files):
        return False
    arrays = [array for path in files for array in arrays_in(path)]
    known = _matched(ids, {span for array in arrays for span in _spans(array.name)})
    if not arrays or not (known or all(path.suffix in HDF5 for path in files)):
        return False
    found: dict[tuple[str | None, str], tuple[Path, dict[str, ArrayInFile]]] = {}
    for array in arrays:
        name = next((span for span in _spans(array.name) if span in known), None)
        rest = array.name.split("/") if name is None else _without(array.name, name)
        stream = stream_of(rest) if places.key is None else None
        if name is None:
            name = next((part for part in rest if stream_in(part) is None), rest[0])
            rest = [part for part in rest if part != name]
        inner = "/".join(part for part in rest if stream is None or stream_in(part) != stream)
        place = array.file / array.name.removesuffix(f"/{inner}")
        owner = stream or files[array.file] or stream_in(array.file.stem)
        own = found.setdefault((owner, name), (place, {}))[1]
        if inner in own:
            raise ValueError(f"{array.file}: {name!r} is also in {own[inner].file}")
        own[inner] = array
    if {owner for owner, _ in found} > {None}:
        unnamed = sorted(str(place) for (owner, _), (place, _) in found.items() if owner is None)
        places.notes.append(f"left out: {len(unnamed)} arrays that name no stream: {shortened(unnamed)}")
    for (owner, name), (place, own) in found.items():
        if owner is not None or {owner for owner, _ in found} == {None}:
            places.add(owner or FEATURES, name, place, partial(chosen_array, place, own, places.key))
    used = sorted({array.file.name for array in arrays})
    places.notes.append(f"features of {len(places.names())} videos in {shortened(used)}")
    return True


def arrays_in(path: Path) -> list[ArrayInFile]:
    """The arrays with names in a file; ValueError where a .h5 or .npz file cannot be read."""
    if path.suffix in HEADED:
        return [ArrayInFile(path, name) for name in array_names(path)]
    if path.suffix == ".csv":
        return []
    try:
        return [ArrayInFile(path, name, value) for name, value in load_values(path).items()]
    except ValueError:
        return []


def _spans(full: str) -> list[str]:
    """Every run of parts of an array's full name, the longest first: an id may hold a slash."""
    parts = full.split("/")
    if len(parts) > MOST_PARTS:
        raise ValueError(f"the name {full[:80]!r}... of an array has {len(parts)} parts; expected {MOST_PARTS} at most")
    runs = [(i, j) for i in range(len(parts)) for j in range(i + 1, len(parts) + 1)]
    return ["/".join(parts[i:j]) for i, j in sorted(runs, key=lambda run: run[0] - run[1])]


def _without(full: str, name: str) -> list[str]:
    """The parts of an array's full name without those of the video's."""
    before, _, after = f"/{full}/".partition(f"/{name}/")
    return [part for part in (*before.split("/"), *after.split("/")) if part]


def chosen_array(place: Path, arrays: Mapping[str, ArrayInFile], key: str | None) -> Stream:
    """The one of a video's arrays that `key` names, or the only one, or the one that has a usual name."""
    chosen = arrays[""] if list(arrays) == [""] else arrays[choose_key(arrays, key, place)]
    if chosen.value is None:
        return FeatureFile.inspect(chosen.file, key=chosen.name)
    return FeatureArray.inspect(chosen.value, str(place))
