"""The run directory: which files a training run writes, and reading its config.json and activations.

RUN/config.json             the data, what the run knows of features, the complete configuration, and the epochs chosen
RUN/ground_truth.json       the test videos' annotation, ActivityNet form
RUN/<stream>/checkpoint.safetensors   weights, optimizers, position in the schedule, log
RUN/<stream>/log.jsonl      one line per epoch
RUN/<stream>/activations.safetensors  raw CASs and category probabilities of the test videos, both branches
RUN/<stream>/iterations/<k>.safetensors   the same in float16 at the end of iteration k, for every iteration but the
                            last (0: phase zero, without a branch that is not trained yet)
RUN/<stream>/chosen.safetensors       where the epoch is chosen: the weights after the best one (no iterations/ then)
RUN/<stream>/input.safetensors        how much the test videos' features change at every snippet
RUN/<stream>/tensorboard/   the log as TensorBoard events, if they were asked for
RUN/<stream>/predictions.json, metrics.json   of the stream alone
RUN/predictions.json, metrics.json            of all streams fused
RUN/warnings.json           sentences on detections that localize nothing; empty where there is nothing to say
RUN/retest, retest-2, ...   what `amsx test --set` writes, see `amsx.training.retests`
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from amsx.data.extraction_record import ExtractorIdentity
from amsx.data.videos import Dataset, HeldOut, Timebase, Video
from amsx.files import read_json
from amsx.training.activations import StreamActivations, load_activations
from amsx.training.config import Config, differences, from_dict, to_dict

CHANGE = "{{key}} is {{a!r}} {there} and {{b!r}} in this command"
UNPLACED = "labels"  # in ground_truth.json, beside the database: the labels of videos without segments


@dataclass(frozen=True)
class DataDescription:
    """The data of a run."""

    root: str | None  # the folder the features were read from; None: they were made in memory
    layout: str | None  # the layout that it was read in
    streams: tuple[str, ...]  # the streams that the run trains
    classes: tuple[str, ...]  # the classes of the columns of its CASs
    videos: Mapping[str, int]  # subset ("train", "test") -> how many videos it has
    features: "FeatureDescription | None" = None  # None: the run was written before runs recorded it
    options: Mapping[str, Any] | None = None  # of the reader; None: not recorded, or not known
    held_out: HeldOut | None = None  # the training videos that became the test videos

    def to_json(self) -> dict[str, Any]:
        """The content of config.json under the key "data"."""
        described = {
            "root": self.root,
            "layout": self.layout,
            "streams": list(self.streams),
            "classes": list(self.classes),
            "videos": dict(self.videos),
        }
        if self.features is not None:
            described["features"] = self.features.to_json()
        if self.options is not None:
            described["options"] = dict(self.options)
            described["held_out"] = None if self.held_out is None else asdict(self.held_out)
        return described


@dataclass(frozen=True)
class FeatureDescription:
    """What a run knows of the features that it was trained on, so that it can be applied to others like them."""

    widths: Mapping[str, int]  # stream -> D
    timebase: Timebase | None  # of every video; None: they have different ones
    extractors: Mapping[str, ExtractorIdentity]  # stream -> what made the features; without those nothing is known of
    own_timebases: Mapping[str, Timebase] = field(default_factory=dict)  # of streams with a rate of their own
    fps: float | None = None  # frames per second of the videos that were extracted; None: not known
    stride: int | None = None  # frames from one snippet to the next; None: not known

    def to_json(self) -> dict[str, Any]:
        """The content of config.json under "data" and "features"."""
        return {
            "widths": dict(self.widths),
            "timebase": None if self.timebase is None else asdict(self.timebase),
            "extractors": {stream: asdict(identity) for stream, identity in self.extractors.items()},
            "own_timebases": {stream: asdict(timebase) for stream, timebase in self.own_timebases.items()},
            "fps": self.fps,
            "stride": self.stride,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "FeatureDescription":
        """The inverse of `to_json`; TypeError, KeyError or ValueError where `values` are none of its."""
        timebase = values["timebase"]
        return cls(
            widths=dict(values["widths"]),
            timebase=None if timebase is None else Timebase(**timebase),
            extractors={stream: ExtractorIdentity(**identity) for stream, identity in values["extractors"].items()},
            own_timebases={name: Timebase(**own) for name, own in values.get("own_timebases", {}).items()},
            fps=values.get("fps"),
            stride=values.get("stride"),
        )


@dataclass(frozen=True)
class ChosenEpoch:
    """The epoch whose model a stream of a run keeps."""

    epoch: int  # its number in the whole schedule, from 1
    trained: int  # the epochs that were trained
    validation: float  # its score on the held-out training videos, percent


@dataclass(frozen=True)
class EpochsChosen:
    """On which training videos a run chooses its epochs, and which ones it chose."""

    held_out: tuple[str, ...]  # ids of the training videos that were held out
    chosen: Mapping[str, ChosenEpoch] = field(default_factory=dict)  # by stream; those whose training has ended

    def to_json(self) -> dict[str, Any]:
        """The content of config.json under "stopping"."""
        chosen = {stream: asdict(epoch) for stream, epoch in self.chosen.items()}
        return {"held_out": list(self.held_out), "chosen": chosen}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "EpochsChosen":
        """The inverse of `to_json`; TypeError, KeyError or AttributeError where `values` are none of its."""
        chosen = {stream: ChosenEpoch(**epoch) for stream, epoch in values["chosen"].items()}
        return cls(tuple(values["held_out"]), chosen)


@dataclass(frozen=True)
class RunDescription:
    """The data and the configuration of a run: the content of its config.json."""

    data: DataDescription
    config: Config
    stopping: "EpochsChosen | None" = None  # None: the last epoch is kept

    def to_json(self) -> dict[str, Any]:
        """The content of config.json."""
        described = {"data": self.data.to_json(), "config": to_dict(self.config)}
        return described if self.stopping is None else {**described, "stopping": self.stopping.to_json()}

    def changes_to(self, other: "RunDescription", there: str = "in the run") -> list[str]:
        """The differences to `other`, as sentences that say which value is whose; the data is the section "data".

        `there` is where this description stands, in words.
        """
        change = CHANGE.format(there=there)
        own, others = self.data.to_json(), other.data.to_json()
        shared = [key for key in own if key in others]  # a run may have been written before a key was recorded
        data = [
            change.format(key=f"data.{key}", a=own[key], b=others[key]) for key in shared if own[key] != others[key]
        ]
        held = [[] if run.stopping is None else list(run.stopping.held_out) for run in (self, other)]
        if held[0] != held[1]:
            data.append(change.format(key="stopping.held_out", a=held[0], b=held[1]))
        return differences(self.config, other.config, change) + data


def describe_run(dataset: Dataset, streams: Sequence[str], config: Config) -> RunDescription:
    """The description of a run that trains `streams` of `dataset`."""
    return RunDescription(
        DataDescription(
            root=None if dataset.root is None else str(Path(dataset.root).resolve()),
            layout=dataset.layout,
            streams=tuple(streams),
            classes=tuple(dataset.classes),
            videos={subset: len(dataset.subset(subset)) for subset in ("train", "test")},
            features=_describe_features(dataset, streams),
            options=None if dataset.options is None else json.loads(json.dumps(dict(dataset.options), default=str)),
            held_out=dataset.held_out,
        ),
        config,
    )


def _describe_features(dataset: Dataset, streams: Sequence[str]) -> FeatureDescription:
    by_stream = {stream: {video.timebase_of(stream) for video in dataset.videos} for stream in streams}
    timebases = {name: own.pop() for name, own in by_stream.items() if len(own) == 1}
    finest = min(timebases.values(), key=lambda timebase: timebase.snippet_seconds) if timebases else None
    same = len(timebases) == len(streams)  # every stream has one timebase in all videos
    extraction = dataset.extraction
    known = {} if extraction is None else extraction.streams
    return FeatureDescription(
        widths={stream: dataset.dims[stream] for stream in streams},
        timebase=finest if same else None,
        own_timebases={name: own for name, own in timebases.items() if own != finest} if same else {},
        extractors={stream: known[stream] for stream in streams if stream in known},
        fps=None if extraction is None else extraction.fps,
        stride=None if extraction is None else extraction.stride,
    )


def read_run(run: Path | str) -> RunDescription:
    """Read a run's config.json. FileNotFoundError or ValueError where the folder is not a run."""
    described = read_json(Path(run) / "config.json")
    if not isinstance(described, dict) or not {"data", "config"} <= described.keys():
        raise ValueError(f"{run}/config.json was not written by amsx; expected the keys 'data' and 'config'")
    data = described["data"]
    if not isinstance(data, dict) or not isinstance(data.get("streams"), list):
        raise ValueError(f"{run}/config.json was not written by amsx train; its 'data' names no streams")
    return RunDescription(
        DataDescription(
            root=data.get("root"),
            layout=data.get("layout"),
            streams=tuple(data["streams"]),
            classes=tuple(data.get("classes", ())),
            videos=data.get("videos", {}),
            features=_features_of(data, run),
            options=data.get("options"),
            held_out=_held_out_of(data, run),
        ),
        from_dict(described["config"]),
        _epochs_of(described, run),
    )


def _epochs_of(described: Mapping[str, Any], run: Path | str) -> EpochsChosen | None:
    if "stopping" not in described:
        return None
    try:
        return EpochsChosen.from_json(described["stopping"])
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{run}/config.json: its 'stopping' is none that amsx writes ({error!r})") from error


def _features_of(data: Mapping[str, Any], run: Path | str) -> FeatureDescription | None:
    if "features" not in data:
        return None
    try:
        return FeatureDescription.from_json(data["features"])
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise ValueError(f"{run}/config.json: its 'features' are none that amsx writes ({error!r})") from error


def _held_out_of(data: Mapping[str, Any], run: Path | str) -> HeldOut | None:
    try:
        return HeldOut(**data["held_out"]) if data.get("held_out") is not None else None
    except TypeError as error:
        raise ValueError(f"{run}/config.json: its 'held_out' is none that amsx writes ({error})") from error


def read_activations(run: Path | str, streams: Sequence[str]) -> list[StreamActivations]:
    """The saved activations of a run's streams, in their order; FileNotFoundError where the training did not end."""
    return [load_activations(Path(run) / stream / "activations.safetensors") for stream in streams]


def ground_truth(videos: Sequence[Video]) -> dict[str, Any]:
    """The annotation of the videos in the ActivityNet form: the content of ground_truth.json.

    Videos of which only the labels are known have no annotation there; their labels stand beside the database.
    """
    database = {
        video.id: {
            "subset": video.subset,
            "duration": video.end if video.duration is None else video.duration,
            "annotations": [{"label": s.label, "segment": [s.start, s.end]} for s in video.segments],
        }
        for video in videos
    }
    unplaced = {video.id: list(video.labels) for video in videos if video.labels and not video.segments}
    return {"version": "VERSION 1.3", **({UNPLACED: unplaced} if unplaced else {}), "database": database}
