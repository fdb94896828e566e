"""Features of several crops of every frame, (n, 10, D) or (10, n, D): one array a video, as the reader is told.

The options `crops` and `crop_axis` decide. Which axis counts the crops is seen from all videos together: it is as long
in all of them, while their numbers of snippets differ. Where that does not show it, it is the axis of length 5 or 10,
as five-crop and ten-crop features have it; where both axes may be it, or neither, the reader asks.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from amsx.data.features import Crops, FeatureArray, FeatureFile, SeveralCrops

USUAL = (5, 10)  # crops of a frame: its corners and centre, and these mirrored

Rule = Literal["mean"] | int


def check_crops(rule: Rule | None, axis: int | None) -> None:
    """ValueError unless the options `crops` and `crop_axis` are what they may be."""
    if rule is not None and rule != "mean" and (not isinstance(rule, int) or isinstance(rule, bool) or rule < 0):
        raise ValueError(f"crops must be mean, or the number of one crop from 0 on, got {rule!r}")
    if axis not in (None, 0, 1) or isinstance(axis, bool):
        raise ValueError(f"crop_axis must be 0 for (crops, snippets, channels), 1 for the others, got {axis!r}")
    if axis is not None and rule is None:
        raise ValueError("crop_axis says where the crops are; give crops, too: mean, or the number of one crop")


def one_of_crops(
    found: Mapping[str, SeveralCrops], rule: Rule, axis: int | None
) -> tuple[dict[str, FeatureFile | FeatureArray], str]:
    """Video -> its features after the `rule`, and a note; ValueError where either axis may count the crops."""
    chosen = _axis([several.shape for several in found.values()]) if axis is None else axis
    if chosen is None:
        shapes = [several.shape for several in found.values()]
        raise ValueError(
            f"either axis of the features {shapes[0]} may count crops; give crop_axis=0 for (crops, snippets, "
            "channels), crop_axis=1 for (snippets, crops, channels)"
        )
    crops = Crops(rule, 1 if chosen else 0)
    streams = {video: several.choose(crops) for video, several in found.items()}
    counts = sorted({several.shape[chosen] for several in found.values()})
    count = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    what = "their mean is taken" if rule == "mean" else f"crop {rule} is taken"
    return streams, f"{count} crops of each snippet in {len(found)} videos, on axis {chosen}: {what}"


def _axis(shapes: Sequence[tuple[int, ...]]) -> int | None:
    """The axis that counts crops; None where that is not certain."""
    constant = [axis for axis in (0, 1) if len({shape[axis] for shape in shapes}) == 1]
    if len(constant) == 2:
        constant = [axis for axis in constant if shapes[0][axis] in USUAL]
    return constant[0] if len(constant) == 1 else None
