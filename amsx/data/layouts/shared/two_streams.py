"""Two streams that lie side by side in one array: taken apart when read, joined when written."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from amsx.data.features import FeatureArray, FeatureFile
from amsx.data.layouts.shared.assembly import OpenedVideo
from amsx.data.layouts.shared.layout import RGB_FLOW
from amsx.data.videos import Dataset, Video

TWO_STREAM = 2048  # channels of I3D features with rgb in the first half and flow in the second


def split_streams(opened: Sequence[OpenedVideo], split: bool | None) -> tuple[list[OpenedVideo], list[str]]:
    """The videos with their one array split into rgb and flow where it holds both, and notes.

    `split` is the reader's option: None splits where all arrays have 2048 channels and no name says a stream's.
    """
    names = sorted({name for video in opened for name in video.streams})
    if split is False or not names or (split is None and names != ["features"]):
        return list(opened), []
    if len(names) > 1:
        raise ValueError(f"split: the features are apart already, as {' and '.join(names)}; expected one array a video")
    name = names[0]
    widths = {v.streams[name].shape[1] for v in opened}
    if split is None and widths != {TWO_STREAM}:
        return list(opened), []
    odd = sorted(width for width in widths if width % 2)
    if odd:
        raise ValueError(f"split: features of {odd[0]} channels have no two halves")
    halves = [replace(video, streams=two_halves(video.streams[name])) for video in opened]
    width = max(widths)
    return halves, [f"{width} channels taken as two streams: rgb the first {width // 2}, flow the rest"]


def two_halves(stream: FeatureFile | FeatureArray) -> dict[str, FeatureFile | FeatureArray]:
    """The first half of the columns as rgb, the second as flow."""
    n, width = stream.shape[0], stream.shape[1] // 2
    if isinstance(stream, FeatureArray):
        return {"rgb": FeatureArray(stream.array[:, :width]), "flow": FeatureArray(stream.array[:, width:])}
    return {
        name: replace(stream, shape=(n, width), columns=(first, first + width))
        for name, first in (("rgb", 0), ("flow", width))
    }


def joined(dataset: Dataset, video: Video) -> NDArray[np.float32]:
    """(n, D) all streams of `video` side by side, rgb first."""
    return np.concatenate([video.streams[name].load() for name in dataset.stream_names], axis=1)


def split_option(dataset: Dataset) -> bool | None:
    """The reader's option `split` for what `joined` wrote, or None where the default is right."""
    halves = dataset.stream_names == RGB_FLOW and len(set(dataset.dims.values())) == 1
    return None if halves == (sum(dataset.dims.values()) == TWO_STREAM) else halves
