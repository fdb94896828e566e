"""What `amsx localize` is given: feature files, folders of them, data sets in any layout, and video files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from amsx.data.extraction_record import ExtractorIdentity
from amsx.data.features import FeatureFile
from amsx.data.layouts import matching_layouts, read_dataset
from amsx.data.videos import Dataset, Video
from amsx.file_names import VIDEO_SUFFIXES
from amsx.files import visible
from amsx.inference import Part
from amsx.inference.feature_files import (
    FeatureFiles,
    NamedFeatures,
    Records,
    feature_files,
    is_feature_file,
    opened,
)
from amsx.inference.model import TrainedModel, new_video
from amsx.inference.timing import Timing
from amsx.inference.video_files import VideoReader
from amsx.video.files import video_files


@dataclass(frozen=True)
class Source:
    """One video to localize."""

    id: str
    files: tuple[Path, ...]  # that it is read from
    open: Callable[[], Video]  # its features and timebase; whatever is wrong with its files is raised here


@dataclass(frozen=True)
class Reading:
    """How inputs are read, beyond what they say themselves."""

    timing: Timing = field(default_factory=Timing)  # the time of snippets, of feature files
    layout: str | None = None  # of folders; None: recognized
    layout_options: Mapping[str, Any] = field(default_factory=dict)
    part: Part = "test"  # which videos of a data set
    transpose: bool = False  # whether arrays in feature files are (channels, snippets)
    streams: Mapping[str, Path] = field(default_factory=dict)  # stream -> file, of one video beside the inputs
    # Of extractors of video files, what no run records: stream -> setting -> value
    extractor_settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    say: Callable[[str], None] = print  # told what is left out, and how data sets were read


class _Videos:
    """Video files as sources; what reads them is built when the first of them is met, and not without one."""

    def __init__(self, model: TrainedModel, reading: Reading) -> None:
        self._model, self._reading = model, reading
        self._reader: VideoReader | None = None

    def source(self, path: Path, name: str) -> Source:
        """The source of a video file; errors are those of `VideoReader`."""
        if self._reading.timing:
            raise ValueError(
                f"{path}: where the snippets of a video file lie in time is known; expected --fps, --stride, "
                "--snippet-seconds and --offset with files of features alone"
            )
        if self._reader is None:
            self._reader = VideoReader(self._model, self._reading.extractor_settings)
        return Source(name, (path,), partial(self._open, self._reader, path, name))

    def _open(self, reader: VideoReader, path: Path, name: str) -> Video:
        video, notes = reader.read(path, name)
        for note in notes:
            self._reading.say(f"{name}: {note}")
        return video


def sources_of(model: TrainedModel, inputs: Sequence[Path], reading: Reading) -> list[Source]:
    """The videos in `inputs`, in their order, each once.

    FileNotFoundError where an input is not there. ValueError where it holds no videos, where it is not certain what it
    holds, where two of its videos have one name, and where a data set does not have the run's streams.
    """
    found, videos = FeatureFiles(model.streams), _Videos(model, reading)
    sources: list[Source] = []
    if reading.streams:
        found.add_streams(reading.streams)
    for path in inputs:
        if path.is_dir():
            sources += _of_folder(model, path, reading, found, videos)
        elif not path.exists():
            raise FileNotFoundError(f"no file or folder {path}")
        elif is_feature_file(path):
            found.add_file(path)
        elif path.suffix.lower() in VIDEO_SUFFIXES:
            sources.append(videos.source(path, path.stem))
        else:
            raise ValueError(
                f"{path}: {path.suffix or 'a file without a suffix'} is neither a kind of feature file (.npy, .npz, "
                ".h5, .pt) nor of video file (.mp4, .mkv, .webm, ...) that is known"
            )
    for stream, files in found.others.items():
        reading.say(f"left out: {len(files)} files of the stream {stream}, which {model.run} was not trained on")
    records = Records()
    sources += [_of_features(model, video, reading, records) for video in found.videos.values()]
    if not sources:
        raise ValueError("expected feature files, folders or videos to localize actions in, got none")
    seen: dict[str, Source] = {}
    for source in sources:
        other = seen.setdefault(source.id, source)
        if other is not source:
            raise ValueError(f"{source.files[0]} and {other.files[0]} are both called {source.id!r}; expected one each")
    return sources


def check_extractors(
    own: Mapping[str, ExtractorIdentity], other: Mapping[str, ExtractorIdentity], run: Path, where: Path | str
) -> None:
    """ValueError where features were made by another extractor than those that a run was trained on.

    Versions of packages may differ. Streams of which either has no record cannot be compared.
    """
    for stream, identity in own.items():
        theirs = other.get(stream)
        if theirs is None:
            continue
        if differing := theirs.differences(identity):
            raise ValueError(
                f"{where}: the features of the stream {stream} were made by the extractor {theirs.extractor!r}, and "
                f"{run} was trained on those of {identity.extractor!r}; they differ in {'; '.join(differing)}"
            )


def _of_folder(model: TrainedModel, root: Path, reading: Reading, found: FeatureFiles, videos: _Videos) -> list[Source]:
    """The videos of a folder; those that are files of features alone are added to `found`."""
    if reading.layout is not None or reading.layout_options or matching_layouts(root):
        return _of_dataset(model, read_dataset(root, reading.layout, **reading.layout_options), reading)
    features = feature_files(root)
    films = [path for path in visible(root, "**/*") if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file()]
    if features and films:
        raise ValueError(
            f"{root} holds {len(features)} files of features ({features[0].name}) and {len(films)} videos "
            f"({films[0].name}), either of which may be meant; give the folder or the files of one of them"
        )
    if not features and not films:
        raise ValueError(f"{root} holds no known layout, no files of features and no videos")
    found.add_folder(root, features)
    return [videos.source(path, name) for name, path in (video_files([root])[0] if films else {}).items()]


def _of_dataset(model: TrainedModel, dataset: Dataset, reading: Reading) -> list[Source]:
    root = dataset.root or Path(dataset.origin)
    if reading.timing:
        raise ValueError(
            f"{root}: its layout {dataset.layout} says where snippets lie in time; expected --data-option in place of "
            "--fps, --stride, --snippet-seconds and --offset"
        )
    model.check_streams(dataset.dims, str(root))
    if dataset.extraction is not None:
        check_extractors(model.extractors, dataset.extraction.streams, model.run, root)
    for note in dataset.notes:
        reading.say(note)
    return [Source(video.id, _files_of(video), partial(_same, video)) for video in videos_of(dataset, reading.part)]


def videos_of(dataset: Dataset, part: Part) -> tuple[Video, ...]:
    """The videos of a part of a data set; ValueError where there are none."""
    videos = dataset.videos if part == "all" else dataset.subset(part)
    if not videos:
        raise ValueError(f"{dataset.origin}: it has no {part} videos; --subset chooses others (train, all)")
    return videos


def _of_features(model: TrainedModel, video: NamedFeatures, reading: Reading, records: Records) -> Source:
    def open_features() -> Video:
        streams = opened(video, model.widths, reading.transpose)
        where = str(next(iter(video.places.values())).path)
        model.check_streams({name: stream.shape[1] for name, stream in streams.items()}, where)
        stated = video.stated
        for place in video.places.values():
            if (recorded := records.of(place.path)) is not None:
                folder, record = recorded
                check_extractors(model.extractors, record.streams, model.run, place.path)
                said = Timing(fps=record.fps, stride=record.stride, offset=0.0)
                stated = stated.joined(said, (f"{place}: the files", f"{folder}/extraction.json"))
        timebase = model.resolve_timebase(reading.timing, stated, where)
        return new_video(video.id, streams, timebase, model.own_timebases)

    return Source(video.id, tuple(place.path for place in video.places.values()), open_features)


def _files_of(video: Video) -> tuple[Path, ...]:
    return tuple(stream.path for stream in video.streams.values() if isinstance(stream, FeatureFile))


def _same(video: Video) -> Video:
    return video
