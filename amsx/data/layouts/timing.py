"""How long a snippet is, where a layout's files do not say: derived from the data, or refused.

Both rules return what they found with a note for the user, and touch no ground truth but that of training
videos.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# The rule of `seconds_per_snippet`
ENOUGH_VIDEOS = 10  # videos below which nothing is concluded
ENOUGH_SNIPPETS = 20  # snippets below which a video's end is too coarse to count
OUTLIERS = 0.02  # share of videos whose annotation may be wrong; in 1 % of THUMOS14 it passes the video's end
OVERRUN, OVERRUN_LEAST = (
    0.05,
    3,
)  # share and number of videos with a segment past the features' end that contradict
SHORTFALL = 0.9  # of the assumed length; a data set whose best video reaches less contradicts it
WALL = 0.25  # share of videos whose last segment ends within a snippet of the derived end, to believe it

# The rule of `frame_stride`
CLIP = 16  # frames of an I3D clip, the usual num_frames
FITTING = 0.9  # share of videos that a stride must explain
ROUNDING = 0.005  # of the frames; fps are written rounded (30 for 29.97)


def seconds_per_snippet(lengths: Sequence[int], last_ends: Sequence[float], assumed: float) -> tuple[float, str | None]:
    """Seconds per snippet for features without a stated rate, and a note where there is something to say.

    `lengths` (V,) snippets and `last_ends` (V,) seconds, the end of the last segment, of the training videos.
    The `assumed` value holds unless the annotation blatantly contradicts it: more than 5 % of the videos (and
    at least 3) have a segment that passes the features' end by over two snippets, or, the highest 2 % set
    aside, no video's last segment reaches 90 % of its features' length. Then the highest remaining ratio last
    end / length is taken, but only where it is a wall: a quarter of the videos end within one snippet of it,
    as windows cut from longer videos do and action instances scattered over whole videos do not (THUMOS14:
    under a tenth). Without that wall, features that are too short for the annotation are a ValueError;
    annotation that stays far from the end is left alone and noted.
    """
    n, end = np.asarray(lengths, dtype=np.float64), np.asarray(last_ends, dtype=np.float64)
    long = n >= ENOUGH_SNIPPETS
    n, end = n[long], end[long]
    if len(n) < ENOUGH_VIDEOS:
        return assumed, None
    reached = np.sort(end / n)[len(n) - 1 - int(OUTLIERS * len(n))]
    overrun = int((end > (n + 2) * assumed).sum())
    too_short = overrun > OVERRUN * len(n) and overrun >= OVERRUN_LEAST
    if not too_short and reached >= SHORTFALL * assumed:
        return assumed, None
    rounded = _fewest_digits(reached, tolerance=0.1 * reached / n.max())
    wall = int((np.abs(end - n * reached) <= reached).sum())
    if wall >= WALL * len(n):
        return rounded, (
            f"snippet_seconds = {rounded:g}, derived: at that rate the last segment ends with the features "
            f"in {wall} of {len(n)} training videos, which contradicts the usual {assumed:g} "
            "(snippet_seconds overrides it)"
        )
    if too_short:
        raise ValueError(
            f"at {assumed:g} s per snippet, segments pass the features' end by more than two snippets "
            f"in {overrun} of {len(n)} training videos; give snippet_seconds "
            f"(the annotation suggests at least {rounded:g})"
        )
    return assumed, (
        f"snippet_seconds = {assumed:g}, the usual value, although the last segments of the training videos "
        f"reach at most {reached / assumed:.0%} of their features; give snippet_seconds if it is another"
    )


def frame_stride(
    frames: NDArray[np.float64], rows: NDArray[np.float64], num_frames: float | None
) -> tuple[NDArray[np.float64], float | None]:
    """Frames from one snippet's centre to the next, per video (V,), and the frames that a snippet spans.

    `frames` (V,) of the videos and `rows` (V,) of their features. One whole stride must explain nine videos
    in ten, either as rows = frames / stride (padded) or as rows = (frames - num_frames) / stride + 1 (sliding
    windows, 16 frames unless `num_frames` is given). Otherwise, where every video has the same number of
    rows, features were rescaled to it: each video has a stride of its own, and None spans. Else ValueError.
    """
    window = num_frames or CLIP
    candidates = {
        max(round(float(np.median(ratio))), 1) for ratio in (frames / rows, (frames - window) / np.maximum(rows - 1, 1))
    }
    stride = max(sorted(candidates), key=lambda s: _fit(frames, rows, s, window))
    if _fit(frames, rows, stride, window) >= FITTING:
        return np.full(len(frames), float(stride)), spanned_frames(frames, rows, float(stride), num_frames)
    if len(rows) > 1 and (rows == rows[0]).all():
        return frames / rows, None
    low, high = np.percentile(frames / rows, [10, 90])
    raise ValueError(
        "no one stride explains how many rows the features have "
        f"(frames per row vary from {low:.4g} to {high:.4g}); give stride"
    )


def spanned_frames(
    frames: NDArray[np.float64], rows: NDArray[np.float64], stride: float, num_frames: float | None
) -> float:
    """Frames that a snippet spans: `num_frames`, or the stride (padded features) or 16, whichever fits."""
    if num_frames is not None:
        return float(num_frames)
    short = frames <= np.percentile(frames, 25)  # where rounded fps do least
    left_over = float(np.median((frames - stride * rows)[short]))  # padded: at most 0; sliding: 16 - stride / 2
    return float(CLIP) if abs(left_over - (CLIP - stride / 2)) < abs(left_over) else float(stride)


def _fit(frames: NDArray[np.float64], rows: NDArray[np.float64], stride: int, window: float) -> float:
    """The share of videos whose rows the stride explains, padded or as sliding windows, whichever is more."""
    slack = 2 + ROUNDING * frames
    padded = np.abs(frames - stride * rows) < stride + slack
    left_over = frames - window - stride * (rows - 1)
    sliding = (left_over > -slack) & (left_over < stride + slack)
    return float(max(padded.mean(), sliding.mean()))


def _fewest_digits(value: float, tolerance: float) -> float:
    """`value` rounded to the fewest significant digits that keep it within `tolerance`."""
    magnitude = math.floor(math.log10(value))
    for digits in range(1, 16):
        rounded = round(value, digits - 1 - magnitude)
        if rounded > 0 and abs(rounded - value) <= tolerance:
            return float(rounded)
    return float(value)
