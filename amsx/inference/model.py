"""A trained run as a model: class activation sequences and detections of new features."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from amsx.data.extraction_record import ExtractorIdentity
from amsx.data.features import FeatureArray, FeatureFile
from amsx.data.videos import Timebase, Video
from amsx.inference.timing import WAYS, Timing, timebase_of
from amsx.localization.degenerate import Coverage
from amsx.localization.detections import detect
from amsx.localization.fusion import Activations
from amsx.model.ams import AMS
from amsx.training.activations import StreamActivations, video_activations
from amsx.training.config import Config, override
from amsx.training.run import fuse_streams, localization_config
from amsx.training.run_directory import RunDescription, read_run
from amsx.training.setup import choose_device
from amsx.training.trained import TrainedStream, load_stream, with_backbone

CUT = 2  # snippets by which the streams of a video may differ in length, as in training: flow has a frame less than rgb
Features = NDArray[Any] | Tensor


@dataclass(frozen=True)
class Detection:
    """One action instance that a model found."""

    label: str
    start: float  # seconds
    end: float  # seconds
    score: float  # comparable between the detections of one run


@dataclass(frozen=True)
class ClassActivations:
    """The class activation sequences of one video, fused over branches and streams (Eq. 12), on the axis of seconds.

    They are smoothed over time where `localization.smoothing` says so.
    """

    classes: tuple[str, ...]  # the columns of `cas` and `probs`
    cas: NDArray[np.float32]  # (n, C), n snippets
    probs: NDArray[np.float32]  # (C,) the probability of each class in the whole video
    timebase: Timebase

    @property
    def seconds(self) -> NDArray[np.float64]:
        """(n,) the centres of the snippets in seconds."""
        return self.timebase.to_seconds(np.arange(len(self.cas)) + 0.5)


@dataclass(frozen=True)
class Localized:
    """What a model says of one video."""

    id: str
    detections: tuple[Detection, ...]  # best first, as in predictions.json
    activations: ClassActivations

    @property
    def coverage(self) -> Coverage:
        """How many detections there are, and how many of them cover the whole video; its `warnings` say what to try."""
        lengths = [detection.end - detection.start for detection in self.detections]
        return Coverage.of_video(lengths, len(self.activations.cas), self.activations.timebase)


class TrainedModel:
    """A trained run, for new videos. `load` makes one.

    Its detections are those that `amsx test` would write for the same features; a random sampler, which is one of the
    paper's comparisons, draws other numbers for each set of videos.
    """

    def __init__(self, run: Path, described: RunDescription, streams: Mapping[str, TrainedStream]) -> None:
        self.run = run  # the folder that it was loaded from
        self.description = described
        self._streams = dict(streams)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that can be localized: the columns of a CAS."""
        return self.description.data.classes

    @property
    def streams(self) -> tuple[str, ...]:
        """The feature streams that a video must have."""
        return self.description.data.streams

    @property
    def widths(self) -> dict[str, int]:
        """Stream -> D, the columns of its features."""
        return {name: stream.width for name, stream in self._streams.items()}

    @property
    def timebase(self) -> Timebase | None:
        """Where snippets lie in time in every video of the data set; None where that differs, or is not recorded."""
        features = self.description.data.features
        return None if features is None else features.timebase

    @property
    def own_timebases(self) -> dict[str, Timebase]:
        """The timebases of streams whose snippets lie differently in time than `timebase` says."""
        features = self.description.data.features
        return {} if features is None else dict(features.own_timebases)

    @property
    def extractors(self) -> dict[str, ExtractorIdentity]:
        """Stream -> what made the features, where the data set had a record of it."""
        features = self.description.data.features
        return {} if features is None else dict(features.extractors)

    @property
    def config(self) -> Config:
        """The configuration of the run, with the changes that it was loaded with.

        Where the run read its features from their files, those of other data are held as they allow.
        """
        config = self.description.config
        return override(config, ["optimization.storage=auto"]) if config.optimization.storage == "files" else config

    @property
    def device(self) -> torch.device:
        """The device that the model computes on."""
        return next(next(iter(self._streams.values())).model.parameters()).device

    def to(self, device: torch.device | str) -> "TrainedModel":
        """Move the model to a device, as `torch.nn.Module.to` does; returns the model itself."""
        target = choose_device(str(device))
        for stream in self._streams.values():
            stream.model.to(target)
        return self

    def localize(
        self,
        features: Features | Mapping[str, Features],
        *,
        fps: float | None = None,
        stride: float | None = None,
        snippet_seconds: float | None = None,
        offset: float | None = None,
    ) -> list[Detection]:
        """The detections in one video, best first.

        `features` (n, D) are an array or tensor where the run has one stream, else a mapping from stream to array.
        Where snippets lie in time is said by `snippet_seconds`, or by `fps` and `stride` (frames from one snippet to
        the next), and by `offset`, the seconds at which the first snippet starts; by default they lie as in the data
        that the run was trained on. ValueError where streams or widths are not the run's, where values are NaN or
        infinite, and where nothing says how long a snippet is.
        """
        video = self._video(features, Timing(fps, stride, snippet_seconds, offset))
        return list(self.localize_video(video).detections)

    def cas(
        self,
        features: Features | Mapping[str, Features],
        *,
        fps: float | None = None,
        stride: float | None = None,
        snippet_seconds: float | None = None,
        offset: float | None = None,
    ) -> ClassActivations:
        """The class activation sequences of one video, from which `localize` takes detections; arguments as there."""
        video = self._video(features, Timing(fps, stride, snippet_seconds, offset))
        return self.localize_video(video).activations

    def localize_video(self, video: Video, labels: Sequence[str] | None = None) -> Localized:
        """Detections and activations of a video with the run's streams; other streams of the video are passed over.

        With `labels`, these classes are localized whatever their probability, and no others. ValueError where a stream
        is missing or has another width.
        """
        self.check_streams({name: stream.shape[1] for name, stream in video.streams.items()}, f"video {video.id!r}")
        parts = [self.stream_activations(name, [video]) for name in self.streams]
        fused, timebases = fuse_streams(parts, self.config)
        chosen = fused if labels is None else _predicting(fused, [label in labels for label in self.classes])
        found = detect(chosen, parts[0].ids, parts[0].classes, timebases, self.config.localization)
        columns = (found.label.tolist(), found.start.tolist(), found.end.tolist(), found.score.tolist())
        every = (Detection(found.labels[label], *rest) for label, *rest in zip(*columns, strict=True))
        detections = tuple(one for one in every if labels is None or one.label in labels)
        return Localized(video.id, detections, self._activations(fused, timebases[0]))

    def stream_activations(self, stream: str, videos: Sequence[Video]) -> StreamActivations:
        """The raw activations of one stream for `videos`, before any fusion: what a run keeps of its test videos."""
        trained = self._streams[stream]
        return video_activations(
            trained.model, videos, stream=stream, classes=self.classes, config=self.config, epoch=trained.epoch
        )

    def network(self, stream: str) -> AMS:
        """The model of one stream, in evaluation mode."""
        return self._streams[stream].model

    def check_streams(self, widths: Mapping[str, int], where: str) -> None:
        """ValueError, which begins with `where`, unless there are features of every stream in the run's width."""
        missing = [name for name in self.streams if name not in widths]
        if missing:
            raise ValueError(
                f"{where} has the streams {', '.join(widths)}, but {self.run} was trained on "
                f"{', '.join(self.streams)}: there are no features of {', '.join(missing)}"
            )
        for name, width in self.widths.items():
            if widths[name] != width:
                maker = self.extractors.get(name)
                made = f", made by {maker.extractor}" if maker is not None else ""
                raise ValueError(
                    f"{where}: features of width {widths[name]} in the stream {name}, but {self.run} was trained on "
                    f"features of width {width}{made}"
                )

    def resolve_timebase(self, given: Timing, stated: Timing, where: str) -> Timebase:
        """The timebase of a video of which options and files say this much; errors are those of `timebase_of`."""
        if self.own_timebases and (given or stated):
            raise ValueError(
                f"{where}: the streams that {self.run} was trained on have rates of their own, which one length of "
                f"snippets cannot say; leave {WAYS} out where the features are like those, or give a data set in a "
                "layout"
            )
        if self.description.data.features is None:
            reason = f"{self.run} is of a version of amsx that did not record it"
        else:
            reason = f"the videos that {self.run} was trained on have snippets of different lengths"
        return timebase_of(given, stated, self.timebase, where, reason)

    def _activations(self, fused: Activations, timebase: Timebase) -> ClassActivations:
        return ClassActivations(self.classes, fused.cas, fused.probs[0], timebase)

    def _video(self, features: Features | Mapping[str, Features], timing: Timing) -> Video:
        if not isinstance(features, Mapping):
            if len(self.streams) > 1:
                raise ValueError(
                    f"got one array, but {self.run} was trained on the streams {', '.join(self.streams)}; expected a "
                    "mapping from each of them to its features"
                )
            features = {self.streams[0]: features}
        unknown = [name for name in features if name not in self.streams]
        if unknown:
            raise ValueError(
                f"unknown stream {unknown[0]!r}; {self.run} was trained on the streams {', '.join(self.streams)}"
            )
        streams = {name: FeatureArray.inspect(_as_numpy(value), name) for name, value in features.items()}
        timebase = self.resolve_timebase(timing, Timing(), "the features")
        return new_video("features", streams, timebase, self.own_timebases)


def load(
    run: Path | str,
    *,
    overrides: Sequence[str] = (),
    device: torch.device | str = "cpu",
    backbone: type[torch.nn.Module] | str | None = None,
) -> TrainedModel:
    """Load a run directory of `amsx train` as a model for new videos, on `device`.

    `overrides` ("localization.threshold=0.5") may change the sections localization and evaluation. Nothing of the data
    that the run was trained on is needed. A run whose branches are of a class of the user's needs that class: imported
    by the program, or given as `backbone`, itself or by the name that the run has for it, which is then imported. A
    name that is in the run alone imports nothing.

    FileNotFoundError where there is no run, ValueError where it is not one of amsx, where its training did not end,
    where an override changes what was trained, and where its backbone is not at hand.
    """
    run = Path(run)
    described = with_backbone(localization_config(read_run(run), overrides), backbone, run)
    target = choose_device(str(device))
    streams = {name: load_stream(run, described, name) for name in described.data.streams}
    return TrainedModel(run, described, streams).to(target)


def new_video(
    name: str,
    streams: Mapping[str, FeatureFile | FeatureArray],
    timebase: Timebase,
    own_timebases: Mapping[str, Timebase],
) -> Video:
    """A video of which nothing is known but its features.

    Streams that differ by up to 2 snippets are cut to equal, apart from those with a timebase of their own.
    """
    lengths = {stream: features.shape[0] for stream, features in streams.items() if stream not in own_timebases}
    shortest = min(lengths.values())
    if max(lengths.values()) > shortest + CUT:
        raise ValueError(f"video {name!r}: streams of {lengths} snippets, expected equal (or {CUT} apart)")
    even = {stream: features.cut(shortest) if stream in lengths else features for stream, features in streams.items()}
    return Video(name, "test", even, (), (), timebase, own_timebases=own_timebases)


def _predicting(activations: Activations, named: Sequence[bool]) -> Activations:
    """The activations of one video with probabilities by which the `named` classes are predicted, and no others."""
    probs = np.where(named, np.maximum(activations.probs, 1.0), -np.inf).astype(np.float32)
    return Activations(activations.cas, probs, activations.lengths)


def _as_numpy(value: Any) -> Any:
    """A tensor of any device and type as an array; anything else as it is."""
    if isinstance(value, Tensor):
        value = value.detach().cpu()
        return (value.float() if value.dtype == torch.bfloat16 else value).numpy()
    return value
