"""Files of features that no data set lists: which video and which stream each is of, and what they say of time.

    x.npy                                the video x, of a run with one stream
    x_rgb.npy, x_flow.npy                a file for each stream, also rgb-x.npy
    rgb/x.npy, flow/x.npy                a folder for each stream, also features/i3d_rgb/x.npy
    x.npz with arrays rgb and flow       an array for each stream; also h5, pt and pkl
    x.npy of both streams' columns       rgb first, where both have the same width
    all.h5 with arrays x, y or x/rgb     many videos in one file; also npz

Time is said by arrays of one number in the file (fps, stride, snippet_seconds, offset), by x_fps.npy beside it, and by
the extraction.json of the folder that holds features/.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from amsx.data.arrays import HDF5, SUFFIXES, USUAL_KEYS, array_names, inspect_array, load_values, read_array
from amsx.data.extraction_record import ExtractionRecord
from amsx.data.features import FeatureArray, FeatureFile
from amsx.data.layouts.shared.feature_places import BESIDE, FEATURES, FEW, HEADED
from amsx.data.layouts.shared.layout import RGB_FLOW
from amsx.data.layouts.shared.stream_names import OPTICAL
from amsx.data.layouts.shared.two_streams import two_halves
from amsx.data.numbers import axes_of
from amsx.data.videos import stream_order
from amsx.files import visible
from amsx.inference.timing import Timing

IN_FOLDERS = (".npy", ".npz", *HDF5, ".pt", ".pth")  # the kinds that are looked for; others have to be given by name
TIMES = tuple(one.name for one in fields(Timing))

Stream = FeatureFile | FeatureArray


@dataclass
class NamedFeatures:
    """The features of one video, before any of them is read."""

    id: str
    places: dict[str | None, "Place"] = field(default_factory=dict)  # None: nothing names the stream
    stated: Timing = field(default_factory=Timing)  # what the files say of time


@dataclass(frozen=True)
class Place:
    """Where the features of one video and stream are."""

    path: Path
    key: str | None = None  # the array's name in a file of several

    def __str__(self) -> str:
        return str(self.path) if self.key is None else f"{self.path}/{self.key}"


class FeatureFiles:
    """The videos of a number of feature files and folders, for a run with the given streams."""

    def __init__(self, streams: Collection[str]) -> None:
        self.videos: dict[str, NamedFeatures] = {}
        self.others: dict[str, list[Path]] = {}  # stream that the run does not have -> files that are left out
        self._streams = tuple(streams)
        known = () if self._streams == (FEATURES,) else stream_order({*streams, *RGB_FLOW})
        self._names = StreamNames(known)

    def add_folder(self, root: Path, files: Iterable[Path]) -> None:
        """Add the feature `files` of a folder; those of streams that the run does not have are left out."""
        for path in files:
            *folders, _ = path.relative_to(root).parts
            name, stream = self._names.of_file(path.stem)
            named = [part for part in folders if stream is None and self._names.of_folder(part) is not None]
            if stream is None:
                stream = self._names.of_folder(named[-1]) if named else self._names.of_folder(root.name)
            rest = [part for part in folders if part not in named and part != FEATURES]
            if stream is not None and stream not in self._streams:
                self.others.setdefault(stream, []).append(path)
            else:
                self._add_file(path, "/".join([*rest, name]), stream, look_inside=path.suffix in HEADED)

    def add_file(self, path: Path) -> None:
        """Add a file that was given by name. ValueError where its name is of a stream that the run does not have."""
        name, stream = self._names.of_file(path.stem)
        if stream is None:
            stream = self._names.of_folder(path.resolve().parent.name)
        if stream is not None and stream not in self._streams:
            raise ValueError(
                f"{path} is by its name of the stream {stream}; the run was trained on {', '.join(self._streams)} (say "
                "what it is by --stream NAME=FILE)"
            )
        self._add_file(path, name, stream, look_inside=path.suffix not in (".npy", ".csv"))

    def add_streams(self, given: Mapping[str, Path]) -> None:
        """Add one video, whose streams are in the files `given`; it is called by the first of them."""
        names = [self._names.of_file(path.stem)[0] for path in given.values()]
        for stream, path in given.items():
            if stream not in self._streams:
                raise ValueError(f"unknown stream {stream!r}; the run was trained on {', '.join(self._streams)}")
            if not path.is_file():
                raise FileNotFoundError(f"no feature file {path}")
            self._add_file(path, names[0], stream, look_inside=False)

    def _add_file(self, path: Path, name: str, stream: str | None, *, look_inside: bool) -> None:
        beside = _rate_beside(path, stream)
        arrays = _names_in(path) if look_inside else []
        numbers = {full: full.rpartition("/")[2] for full in arrays if _is_time(full)}
        arrays = [full for full in arrays if full not in numbers]
        if len(arrays) < 2 or any(full in USUAL_KEYS for full in arrays):
            # One array, or several of which the usual name tells the one.
            key = arrays[0] if numbers and len(arrays) == 1 else None
            self._add(name, stream, Place(path, key), beside)
        else:
            for full in arrays:
                rest, own = self._names.of_array(full)
                if own is None or own in self._streams:
                    self._add("/".join(rest) or name, own or stream, Place(path, full), beside)
        for full, what in numbers.items():
            rest, _ = self._names.of_array(full.rpartition("/")[0])
            video = self.videos.get("/".join(rest) or name)
            for one in [video] if video is not None else self.videos.values():
                if any(place.path == path for place in one.places.values()):
                    said = Timing(**{what: _one_number(path, full)})
                    one.stated = one.stated.joined(said, (f"{path}: the files", full))

    def _add(self, name: str, stream: str | None, place: Place, beside: Timing) -> None:
        video = self.videos.setdefault(name, NamedFeatures(name))
        other = video.places.setdefault(stream, place)
        if other is not place:
            raise ValueError(f"{place} and {other} are both features of {name!r}; expected one of them")
        video.stated = video.stated.joined(beside, (f"{place}: the files", "the file _fps.npy beside it"))


class StreamNames:
    """Which stream a name says, of those that are known."""

    def __init__(self, streams: Collection[str]) -> None:
        forms = {name: (OPTICAL if name == "flow" else "") + re.escape(name) for name in streams}
        self._words = {name: re.compile(rf"(?<![a-z]){form}(?![a-z])", re.IGNORECASE) for name, form in forms.items()}
        self._affixes = {
            name: re.compile(rf"{form}[_.-](?P<after>.+)|(?P<before>.+?)[_.-]{form}", re.IGNORECASE)
            for name, form in forms.items()
        }

    def of_file(self, stem: str) -> tuple[str, str | None]:
        """A file's name without the stream that it begins or ends with, and the stream."""
        for stream, affix in self._affixes.items():
            if match := affix.fullmatch(stem):
                return match["after"] or match["before"], stream
        return stem, None

    def of_folder(self, name: str) -> str | None:
        """The one stream that is a word of a folder's name."""
        streams = [stream for stream, word in self._words.items() if word.search(name)]
        return streams[0] if len(streams) == 1 else None

    def of_array(self, full: str) -> tuple[list[str], str | None]:
        """The parts of an array's full name that name the video, and its stream."""
        parts = [part for part in full.split("/") if part and part not in USUAL_KEYS]
        streams = [(part, stream) for part in parts if (stream := self.of_folder(part)) is not None]
        if len(streams) != 1:
            return parts, None
        return [part for part in parts if part != streams[0][0]], streams[0][1]


def feature_files(root: Path) -> list[Path]:
    """The feature files below a folder, without those that say when (x_fps.npy) and without hidden ones."""
    found = visible(root, *(f"**/*{kind}" for kind in IN_FOLDERS))
    return [path for path in found if path.is_file() and not path.stem.endswith(BESIDE)]


def is_feature_file(path: Path) -> bool:
    """Whether a file is, by its suffix, one of features."""
    return path.suffix in SUFFIXES


def opened(video: NamedFeatures, widths: Mapping[str, int], transpose: bool) -> dict[str, Stream]:
    """The features of a video, of which headers alone are read where the format has one; stream -> (n, D).

    `widths` are those of the run's streams. ValueError where streams are missing, where it is not certain which stream
    a file is of, and where an array seems to be (channels, snippets), unless `transpose` says that all are.
    """
    streams: dict[str, Stream] = {
        name: FeatureFile.inspect(place.path, key=place.key) for name, place in video.places.items() if name is not None
    }
    unnamed = video.places.get(None)
    if unnamed is not None:
        if streams:
            raise ValueError(
                f"{unnamed} is features of {video.id!r}, and so is {video.places[next(iter(streams))]}, which names "
                "its stream; expected that all do, or none (or say by --stream NAME=FILE)"
            )
        streams = _apart(unnamed, widths, transpose)
    elif transpose:
        streams = {name: stream.turn() for name, stream in streams.items()}
    for name, stream in streams.items():
        if stream.shape[0] == widths.get(name) != stream.shape[1]:
            raise ValueError(
                f"{video.places.get(name, unnamed)}: shape {stream.shape}, expected (snippets, {widths[name]}); where "
                "it is (channels, snippets), give --transpose"
            )
    return {name: streams[name] for name in widths if name in streams}


class Records:
    """The records of the extractions that made files of features; each is read once."""

    def __init__(self) -> None:
        self._read: dict[Path, ExtractionRecord | None] = {}

    def of(self, path: Path) -> tuple[Path, ExtractionRecord] | None:
        """The folder and the record for a file of features: those of the folder that holds its folder features/."""
        for folder in path.resolve().parents:
            if folder.name != FEATURES:
                continue
            root = folder.parent
            if root not in self._read:
                self._read[root] = ExtractionRecord.read(root)
            record = self._read[root]
            if record is not None:
                return root, record
        return None


def _apart(place: Place, widths: Mapping[str, int], transpose: bool) -> dict[str, Stream]:
    """The streams in a file that names none."""
    stream = FeatureFile.inspect(place.path, key=place.key)
    stream = stream.turn() if transpose else stream
    if len(widths) == 1:
        return {next(iter(widths)): stream}
    if set(widths) == set(RGB_FLOW) and widths["rgb"] == widths["flow"] and stream.shape[1] == sum(widths.values()):
        return two_halves(stream)
    raise ValueError(
        f"{place}: nothing says which of the streams {', '.join(widths)} it is of; name it by its stream "
        f"(x_{next(iter(widths))}{place.path.suffix}), or give --stream NAME=FILE for each"
    )


def _names_in(path: Path) -> list[str]:
    """The names of the arrays in a file that may be features or say when; none where it holds a bare array."""
    if path.suffix not in HEADED:
        return [name for name, value in load_values(path).items() if axes_of(value) >= 2 or _is_time(name)]
    names = array_names(path)
    if len(names) > FEW:
        return names
    return [name for name in names if _is_time(name) or len(inspect_array(path, name).shape) >= 2]


def _is_time(name: str) -> bool:
    return name.rpartition("/")[2] in TIMES


def _rate_beside(path: Path, stream: str | None) -> Timing:
    """What x_fps.npy says, beside x.npy or x_<stream>.npy."""
    names = {path.stem, path.stem if stream is None else re.sub(rf"[_.-]{re.escape(stream)}$", "", path.stem)}
    files = [file for name in sorted(names) if (file := path.with_name(f"{name}{BESIDE[0]}.npy")).is_file()]
    return Timing(fps=_one_number(files[0], None)) if files else Timing()


def _one_number(path: Path, key: str | None) -> float:
    value = read_array(path, key)
    if value.size != 1 or value.dtype.kind not in "iuf":
        raise ValueError(f"{path}{'' if key is None else f'/{key}'}: expected one number, got shape {value.shape}")
    return float(value.item())
