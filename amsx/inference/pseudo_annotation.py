"""What a run finds in its training videos, as an annotation for detectors that learn from segments.

Fully-supervised detectors (ActionFormer, TriDet and others) can be trained on the localization of a weakly-supervised
one. Only the classes that a video is labelled with are localized, whatever their probability.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from amsx.data.layouts import action_former, activity_net, opentad
from amsx.data.layouts.shared.annotation_json import write_database
from amsx.data.videos import Dataset, Segment, Video
from amsx.inference import AnnotationForm
from amsx.inference.model import Detection, TrainedModel

DATABASES: dict[AnnotationForm, Callable[[Dataset], dict[str, dict[str, Any]]]] = {
    "action_former": action_former.database,
    "opentad": opentad.database,
    "activity_net": activity_net.database,
}


@dataclass(frozen=True)
class PseudoAnnotation:
    """What was written."""

    path: Path
    videos: int  # training videos with a segment
    segments: int
    empty: tuple[str, ...]  # training videos in which nothing was found; the annotation leaves them out


def write_pseudo_annotation(
    model: TrainedModel,
    dataset: Dataset,
    path: Path | str,
    form: AnnotationForm,
    *,
    least_score: float = 0.0,
    progress: bool = True,
) -> PseudoAnnotation:
    """Localize the training videos of `dataset` and write an annotation file in the form of a layout.

    Every annotation of a training video has a "score"; those below `least_score` are left out. Test videos keep their
    own segments, so that the detector can be scored. ValueError where the data set has no training videos or not the
    run's streams, and where nothing is found.
    """
    model.check_streams(dataset.dims, dataset.origin)
    training = dataset.subset("train")
    if not training:
        raise ValueError(f"{dataset.origin} has no training videos")
    found: dict[str, list[Detection]] = {}
    for video in tqdm(training, desc="localize", unit="video", disable=not progress):
        kept = [one for one in _within(model, video) if one.score >= least_score]
        if kept:
            found[video.id] = kept
    if not found:
        raise ValueError(f"nothing was found in the {len(training)} training videos of {dataset.origin}")
    annotated = tuple(
        _with_segments(video, found[video.id]) if video.id in found else video
        for video in dataset.videos
        if video.subset == "test" or video.id in found
    )
    database = DATABASES[form](replace(dataset, videos=annotated))
    for name, detections in found.items():
        for record, detection in zip(database[name]["annotations"], detections, strict=True):
            record["score"] = detection.score
    path = Path(path)
    write_database(path, database)
    empty = tuple(video.id for video in training if video.id not in found)
    return PseudoAnnotation(path, len(found), sum(map(len, found.values())), empty)


def _within(model: TrainedModel, video: Video) -> Iterator[Detection]:
    """The detections of the video's labels, cut at its beginning and end, by time."""
    end = video.duration or video.end
    for one in sorted(model.localize_video(video, video.labels).detections, key=lambda d: (d.start, d.end, d.label)):
        start, stop = max(one.start, 0.0), min(one.end, end)
        if start < stop:
            yield replace(one, start=start, end=stop)


def _with_segments(video: Video, detections: list[Detection]) -> Video:
    segments = tuple(Segment(one.start, one.end, one.label) for one in detections)
    return replace(video, labels=tuple(sorted({one.label for one in detections})), segments=segments)
