"""From video files to the features that a run was trained on: by the extractors that it recorded, and no others."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from amsx.data.features import FeatureArray
from amsx.data.videos import Timebase, Video
from amsx.inference.model import TrainedModel, new_video
from amsx.video.extraction import describe, extract_video
from amsx.video.extractors import Extractor, make_extractor, settings_of
from amsx.video.flow import FlowSettings
from amsx.video.settings import read_settings

FLOW = "flow"  # the setting of an extractor's identity that says how the optical flow before it was computed


class VideoReader:
    """Reads video files for a model. What it reads them with is built once, and held against the run's record."""

    def __init__(self, model: TrainedModel, settings: Mapping[str, Mapping[str, Any]]) -> None:
        """`settings` are those that no run records, stream -> setting -> value: where a file of weights is.

        ValueError where the run does not know what made its features, and where what is built here differs from that;
        RuntimeError where a package is missing.
        """
        features = model.description.data.features
        unknown = [name for name in model.streams if name not in model.extractors]
        if features is None or unknown or features.fps is None or features.stride is None:
            raise ValueError(
                f"{model.run} has no record of what made its features of {', '.join(unknown or model.streams)}, so "
                "they cannot be made from a video; make them as the run's were made, and give those (a run knows its "
                "extractors where it was trained on what amsx extract wrote)"
            )
        if strange := [name for name in settings if name not in model.streams]:
            raise ValueError(f"unknown stream {strange[0]!r}; {model.run} has {', '.join(model.streams)}")
        self.fps, self.stride = features.fps, features.stride
        self.flow = _flow_of(model)
        self.extractors: dict[str, Extractor] = {}
        for name in model.streams:
            identity = model.extractors[name]
            known = settings_of(identity.extractor)
            recorded = {key: value for key, value in identity.settings.items() if key in known}
            try:
                self.extractors[name] = make_extractor(
                    identity.extractor, {**recorded, **settings.get(name, {})}, model.device
                )
            except ValueError as error:
                raise ValueError(f"{error} (--extractor-option {name}.KEY=VALUE gives a setting)") from error
        built = describe(self.extractors, self.fps, self.stride, self.flow).streams
        for name, identity in model.extractors.items():
            if name in built and (differing := built[name].differences(identity)):
                raise ValueError(
                    f"the extractor {identity.extractor!r} of the stream {name} is not the one that made the features "
                    f"of {model.run}; this one and the run's differ in {'; '.join(differing)}"
                )

    def read(self, path: Path, name: str) -> tuple[Video, tuple[str, ...]]:
        """The features of a video file, and what was odd about the file; errors are those of `extract_video`."""
        extracted = extract_video(path, self.extractors, fps=self.fps, stride=self.stride, flow=self.flow)
        streams = {stream: FeatureArray(rows) for stream, rows in extracted.streams.items()}
        return new_video(name, streams, Timebase(extracted.snippet_seconds), {}), extracted.notes


def _flow_of(model: TrainedModel) -> FlowSettings:
    """How the run's streams had their optical flow computed, which is alike for all."""
    for identity in model.extractors.values():
        if isinstance(recorded := identity.settings.get(FLOW), Mapping):
            return read_settings(FlowSettings, recorded, f"the record of {model.run}: flow")
    return FlowSettings()
