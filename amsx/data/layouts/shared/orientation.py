"""Whether arrays of features are (snippets, channels) or (channels, snippets), to judge by all videos together.

Channels are as many in every video, and a video has no more snippets than frames. Where that shows that the arrays lie
the other way than they would be read, the user is asked, by an error that names the option `transpose`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from amsx.data.features import FeatureArray, FeatureFile
from amsx.data.layouts.shared.annotation_json import Entry

FASTEST = 120.0  # frames per second; the most that a video is taken to have where nothing says how many
SLACK = 0.02  # of the frames, and 2: counts of frames are often those of a rounded rate
MOST = 0.9  # share of the videos that must agree

Stream = FeatureFile | FeatureArray


def oriented(
    streams: Mapping[str, Mapping[str, Stream]], entries: Mapping[str, Entry], transpose: bool | None
) -> dict[str, dict[str, Stream]]:
    """The streams of every video, video -> name -> (n, D), with those turned that lie (D, n).

    With `transpose`, all are turned; with False, none is. Neither asks anything. None turns none and raises ValueError
    where the arrays lie (D, n).
    """
    if transpose not in (None, True, False):
        raise ValueError(f"transpose must be true or false, got {transpose!r}")
    if transpose is None:
        for name in sorted({name for own in streams.values() for name in own}):
            ids = [video for video, own in streams.items() if name in own]
            shapes = np.array([streams[video][name].shape for video in ids], dtype=np.int64)
            if channels_first(shapes, [entries[video] for video in ids]):
                raise ValueError(_question(name, ids, shapes, entries))
    if not transpose:
        return {video: dict(own) for video, own in streams.items()}
    return {video: {name: stream.turn() for name, stream in own.items()} for video, own in streams.items()}


def lying_otherwise(streams: Mapping[str, Mapping[str, Stream]]) -> dict[str, str]:
    """Video -> what is odd, for arrays (D, n) among those of others, most of which are (n, D)."""
    odd: dict[str, str] = {}
    for name in sorted({name for own in streams.values() for name in own}):
        shapes = {video: own[name].shape for video, own in streams.items() if name in own}
        width, count = Counter(shape[1] for shape in shapes.values()).most_common(1)[0]
        if 2 * count > len(shapes):
            odd |= {
                video: f"video {video!r}: shape {shape} where others have {width} channels; is it (channels, snippets)?"
                for video, shape in shapes.items()
                if shape[1] != width == shape[0]
            }
    return odd


def channels_first(shapes: NDArray[np.int64], entries: Sequence[Entry]) -> bool | None:
    """Whether arrays of the shapes (V, 2) are (D, n); None where nothing shows it.

    They are where the first axis is as long in all videos and the second is not. Where both are, they are if the first
    axis has more rows than the videos have frames, or the second has one for each frame, while the other has not.
    """
    same = [len(np.unique(axis)) == 1 for axis in shapes.T]
    if same[0] != same[1]:
        return same[0]
    if not same[0]:
        return None
    frames = np.array([_frames(entry) for entry in entries])  # (V, 2): the most there can be, and the known number
    first, second = (_agrees(shapes[:, axis], frames) for axis in (0, 1))
    if first["too many"] != second["too many"]:
        return first["too many"]
    return True if second["one a frame"] and not first["one a frame"] else None


def _frames(entry: Entry) -> tuple[float, float]:
    """The most frames that a video can have, and the number that it has; NaN where that is not known."""
    known = entry.frames or (entry.duration or np.nan) * (entry.fps or np.nan)
    return (known if np.isfinite(known) else (entry.duration or np.nan) * FASTEST), known


def _agrees(counts: NDArray[np.int64], frames: NDArray[np.float64]) -> dict[str, bool]:
    """Whether there are more of `counts` (V,) than frames, and one for each, in most videos of which that is known."""
    most, known = frames[np.isfinite(frames[:, 0]), 0], np.isfinite(frames[:, 1])
    bounded = counts[np.isfinite(frames[:, 0])]
    exact, each = frames[known, 1], counts[known]
    return {
        "too many": len(most) > 0 and bool((bounded > most * (1 + SLACK) + 2).mean() >= MOST),
        "one a frame": len(exact) > 0 and bool((np.abs(each - exact) <= exact * SLACK + 2).mean() >= MOST),
    }


def _question(stream: str, ids: Sequence[str], shapes: NDArray[np.int64], entries: Mapping[str, Entry]) -> str:
    examples = [f"{tuple(map(int, shape))} of {name!r}" for name, shape in zip(ids[:2], shapes, strict=False)]
    frames = _frames(entries[ids[0]])[1]
    examples[0] += f", a video of {frames:.0f} frames" if np.isfinite(frames) else ""
    what = "features" if stream == "features" else f"features of the stream {stream}"
    return (
        f"{what} seem to be (channels, snippets): {' and '.join(examples)}; give transpose=true where they are, or "
        "transpose=false where they are not"
    )
