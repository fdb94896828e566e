"""What `amsx extract` leaves beside the features it wrote: how they were made, from which files, and their timebase.

DATA/extraction.json           the timebase, and the extractor of every stream
DATA/extraction/<id>.json      one for each finished video, written after its features
DATA/features/<stream>/<id>.npy   (n, D) float32
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amsx.file_names import video_file
from amsx.files import read_json, visible, write_json
from amsx.records import finite_number

RECORD_FILE, VIDEOS, FEATURES = "extraction.json", "extraction", "features"
FORMAT, VERSION = "amsx extraction", 1


@dataclass(frozen=True)
class ExtractorIdentity:
    """What the vectors of a stream depend on beside the video: two streams of equal identity can be compared."""

    extractor: str  # its name, e.g. "i3d"
    width: int  # D, the length of a vector
    settings: Mapping[str, Any]  # of the extractor and of what is before it, such as the optical flow
    weights: str | None  # "sha256:..." of the file of weights; None: there are none, or they are in no file
    packages: Mapping[str, str] = field(default_factory=dict)  # package -> version, of what computes the vectors

    def differences(self, other: "ExtractorIdentity") -> list[str]:
        """In what the vectors of both may differ, as "name: own, other"; versions of packages are no difference."""
        pairs: list[tuple[str, Any, Any]] = [
            ("extractor", self.extractor, other.extractor),
            ("width", self.width, other.width),
            ("weights", self.weights, other.weights),
        ]
        names = list(dict.fromkeys([*self.settings, *other.settings]))
        pairs += [(f"settings.{name}", self.settings.get(name), other.settings.get(name)) for name in names]
        return [f"{name}: {mine!r}, {theirs!r}" for name, mine, theirs in pairs if mine != theirs]


@dataclass(frozen=True)
class ExtractedVideoRecord:
    """One video of an extraction."""

    file: str  # the video's path as it was given
    duration: float  # seconds from the first frame to the end of the last
    snippets: int  # n, rows of every stream
    notes: tuple[str, ...] = ()  # what was odd about the file, in sentences


@dataclass(frozen=True)
class ExtractionRecord:
    """How a folder of features was extracted."""

    fps: float  # frames a second that videos were resampled to
    stride: int  # frames from the beginning of a snippet to that of the next
    streams: Mapping[str, ExtractorIdentity]
    videos: Mapping[str, ExtractedVideoRecord] = field(default_factory=dict)  # by id

    @property
    def snippet_seconds(self) -> float:
        """Seconds from the centre of a snippet to that of the next; snippet 0 begins at second 0."""
        return self.stride / self.fps

    @classmethod
    def read(cls, folder: Path | str) -> "ExtractionRecord | None":
        """The record in `folder`, None where it holds none; ValueError where the record cannot be read as one."""
        path = Path(folder) / RECORD_FILE
        if not path.is_file():
            return None
        whole = read_json(path)
        if not isinstance(whole, dict) or whole.get("format") != FORMAT:
            raise ValueError(f"{path} was not written by amsx extract; expected an object with the format {FORMAT!r}")
        if whole.get("version") != VERSION:
            raise ValueError(f"{path} has version {whole.get('version')!r}; this amsx reads version {VERSION}")
        try:
            streams = {name: ExtractorIdentity(**values) for name, values in whole["streams"].items()}
            fps, stride = finite_number(whole["fps"]), finite_number(whole["stride"])
            if fps is None or stride is None or min(fps, stride) <= 0 or stride % 1:
                found = f"{whole['fps']!r:.40} and {whole['stride']!r:.40}"
                raise ValueError(f"fps and stride are {found}, expected a number and a whole number above 0")
            record = cls(fps, int(stride), streams)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"{path} lacks what a record of an extraction needs: {error}") from error
        root = path.parent / VIDEOS
        videos = {}
        for file in visible(root, "**/*.json"):
            values = read_json(file)
            try:
                video = ExtractedVideoRecord(**{**values, "notes": tuple(values.get("notes", ()))})
            except (TypeError, AttributeError) as error:
                raise ValueError(f"{file} lacks what the record of a video needs: {error}") from error
            videos[file.relative_to(root).as_posix()[: -len(".json")]] = video
        return dataclasses.replace(record, videos=videos)

    def begin(self, folder: Path) -> None:
        """Write `folder`/extraction.json, without the videos."""
        streams = {name: dataclasses.asdict(identity) for name, identity in self.streams.items()}
        head = {"format": FORMAT, "version": VERSION, "fps": self.fps, "stride": self.stride}
        write_json(folder / RECORD_FILE, {**head, "snippet_seconds": self.snippet_seconds, "streams": streams})

    def differences(self, other: "ExtractionRecord") -> list[str]:
        """In what the features of both differ, as "name: own, other"."""
        pairs: list[tuple[str, Any, Any]] = [
            ("fps", self.fps, other.fps),
            ("stride", self.stride, other.stride),
            ("streams", sorted(self.streams), sorted(other.streams)),
        ]
        found = [f"{name}: {mine!r}, {theirs!r}" for name, mine, theirs in pairs if mine != theirs]
        for name in self.streams:
            if name in other.streams:
                found += [f"{name} {line}" for line in self.streams[name].differences(other.streams[name])]
        return found


def feature_file(folder: Path, stream: str, name: str) -> Path:
    """Where the features of the video with the id `name` lie; ValueError where the id can be no file's name."""
    return video_file(folder / FEATURES / stream, name, ".npy")


def write_video_record(folder: Path, name: str, record: ExtractedVideoRecord) -> None:
    """Write the record of a finished video, which says that its features are whole."""
    write_json(video_file(folder / VIDEOS, name, ".json"), dataclasses.asdict(record))
