"""Two streams that lie side by side in one array."""

from collections.abc import Sequence
from dataclasses import replace

from amsx.data.features import FeatureArray, FeatureFile
from amsx.data.layouts.assembly import Opened

TWO_STREAM = 2048  # channels of I3D features with rgb in the first half and flow in the second


def split_streams(opened: Sequence[Opened], split: bool | None) -> tuple[list[Opened], list[str]]:
    """The videos with their one array split into rgb and flow where it holds both, and notes."""
    widths = {v.streams["features"].shape[1] for v in opened}
    if split is False or (split is None and widths != {TWO_STREAM}):
        return list(opened), []
    odd = sorted(width for width in widths if width % 2)
    if odd:
        raise ValueError(f"split: features of {odd[0]} channels have no two halves")
    halves = [replace(video, streams=two_halves(video.streams["features"])) for video in opened]
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
