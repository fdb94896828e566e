"""Which windows of frames the rows of features stand for: tested against the videos' frames, never assumed.

Windows of w frames every s frames leave frames - s * (rows - 1) of a video, from the first frame of its last window on.
Where frames that fill no window are dropped, that lies in [w, w + s); where the last window is padded, in (w - s, w];
and where windows side by side (w = s) are rounded, in [s / 2, 3 s / 2). So what the videos leave shows the windows, the
more surely the more lengths there are.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CLIP = 16  # frames of an I3D clip
NETWORKS = (16, 32, 48, 64)  # frames of windows that overlap, besides two strides
STRIDES = (1, 2, 4, 8, 16, 32, 64)  # the usual ones
MULTIPLES = range(3, 9)  # strides in a window, where no usual window fits
FITTING = 0.9  # share of videos that windows must explain where the numbers of frames may be off
ODD_ONE = 4  # videos of which one may be odd, where the others show that it is: its streams may have been cut
DRIFT = 0.0015  # of the frames; what 30 frames per second written for 29.97 makes of them, and a little more
WHOLE = 0.02  # frames by which a whole number of frames may differ from one

Frames = NDArray[np.float64]


@dataclass(frozen=True, order=True)
class Windows:
    """Windows of `frames` frames, with `stride` frames from one to the next."""

    stride: float
    frames: float

    @property
    def range(self) -> float:
        """How much more than the least they may leave: under a stride, in whole frames where that is whole."""
        return self.stride - (1 if float(self.stride).is_integer() else 1e-6)

    def least_left(self) -> Iterator[float]:
        """The least that they leave, where the rest is dropped, padded or rounded."""
        yield self.frames
        yield self.frames - self.range
        if self.frames == self.stride:
            yield self.stride / 2


def fitting_windows(
    frames: Frames, rows: Frames, *, stride: float | None, window: float | None, counted: bool
) -> list[Windows]:
    """The windows that explain the rows of the videos; several where the videos do not tell them apart, or none.

    frames, rows: (V,) of the videos and of their features. `stride` and `window` are taken as they are where they are
    given. `counted`: the annotation states the frames, else they are duration times a rate, which may be rounded.

    Candidates are windows side by side, of 16, 32, 48 or 64 frames and of two strides, at the usual strides, then at
    others. Where all frames are whole numbers, windows must explain all videos exactly; where none do, at the usual
    strides with one frame more or less in every video, and at others as windows of several strides. Where frames are no
    whole numbers, or leave more than any windows do, they may be off in every video; in one or a tenth by any number.
    """
    strides = [stride] if stride is not None else _possible_strides(frames, rows)
    usual, others, odd = (
        {Windows(s, w) for s in strides for w in _windows(s, rank, window)} for rank in ("usual", "other", "multiple")
    )
    plain_others = {one for one in others if window is not None or one.frames <= 2 * one.stride}
    if not are_whole(frames):
        return _near(frames, rows, usual, 2, DRIFT) or _near(frames, rows, plain_others, 2, DRIFT)
    frames = np.round(frames)
    found = _exact(frames, rows, usual) or _exact(frames, rows, others)
    if found and not any(fit.frames in (fit.stride, CLIP) for fit in found):
        # Features that lack a frame, as those of optical flow do, leave as much as wider windows with padding.
        at_hand = {fit.stride for fit in found}
        plain = {one for one in usual | others if one.stride in at_hand and one.frames in (one.stride, CLIP)}
        found |= _exact(frames - 1, rows, plain)
    found = found or _exact(frames - 1, rows, usual) | _exact(frames + 1, rows, usual) or _exact(frames, rows, odd)
    if found or any(np.ptp(leaves(frames, rows, s)) < s for s in strides):
        return sorted(found)  # if empty, windows that are not usual explain the rows
    slack, drift = (1, 0.0) if counted else (2, DRIFT)
    share = min(FITTING, 1 - 1 / len(frames)) if len(frames) >= ODD_ONE else FITTING
    return _near(frames, rows, usual, slack, drift, share) or _near(frames, rows, plain_others, slack, drift, share)


def are_whole(frames: Frames) -> bool:
    """Whether all numbers of frames are whole, as those that are counted are."""
    return bool((np.abs(frames - np.round(frames)) < WHOLE).all())


def leaves(frames: Frames, rows: Frames, stride: float) -> Frames:
    """(V,) frames of each video from the first frame of its last window on."""
    return frames - stride * (rows - 1)


def explains(frames: Frames, rows: Frames, windows: Windows) -> bool:
    """Whether windows explain nine videos in ten, frames being off by two and by what rounded rates make of them."""
    slack = 2 + DRIFT * frames
    return max(_share(frames, rows, windows, low, slack) for low in windows.least_left()) >= FITTING


def _exact(frames: Frames, rows: Frames, candidates: Iterable[Windows]) -> set[Windows]:
    none = np.zeros_like(frames)
    return {one for one in candidates if any(_share(frames, rows, one, low, none) == 1 for low in one.least_left())}


def _near(
    frames: Frames, rows: Frames, candidates: Iterable[Windows], slack: float, drift: float, share: float = FITTING
) -> list[Windows]:
    """Those that explain enough videos, and what short videos leave in the median.

    What videos leave is spread evenly over a stride, so its median is in the middle of that, the more nearly the more
    videos there are; but the longer they are, the more do rounded rates and durations shift it. As many of the shortest
    are taken as make the sum of both errors least.
    """
    order = np.argsort(frames, kind="stable")
    lengths = frames[order]
    count = np.arange(1, len(frames) + 1)
    medians = (lengths[(count - 1) // 2] + lengths[count // 2]) / 2  # of the first `count` of them
    found: dict[Windows, float] = {}  # and the least that they leave
    for one in candidates:
        errors = slack / 2 + drift * medians + one.stride * np.minimum(0.5, 1 / np.sqrt(count))
        best = int(errors.argmin())
        median = float(np.median(leaves(frames, rows, one.stride)[order[: best + 1]]))
        for low in one.least_left():
            enough = _share(frames, rows, one, low, slack + drift * frames) >= share
            if enough and abs(median - (low + one.range / 2)) <= errors[best]:
                found.setdefault(one, low)
    if found.get(Windows(CLIP, CLIP)) == CLIP:
        found.pop(Windows(CLIP, 2 * CLIP), None)  # which would be padded; nearly all such features are of the former
    return sorted(found)


def _share(frames: Frames, rows: Frames, windows: Windows, low: float, slack: Frames) -> float:
    """The share of videos that leave from `low` frames on what the windows may leave."""
    left = leaves(frames, rows, windows.stride)
    return float(((left >= low - slack - 1e-9) & (left <= low + windows.range + slack + 1e-9)).mean())


def _windows(stride: float, rank: str, given: float | None) -> Iterator[float]:
    """The windows of a rank at a stride: at a "usual" one, at an "other" one, or a "multiple" of it."""
    own = "usual" if stride in STRIDES else "other"
    if given is not None:
        yield from [given] if rank == own else []
    elif rank == own:
        yield stride
        yield from (float(w) for w in NETWORKS if w > stride and (own == "usual" or w != 48))
        yield from [2 * stride] if 2 * stride >= CLIP else []
    elif rank == "multiple" and own == "other":
        yield from (factor * stride for factor in MULTIPLES)


def _possible_strides(frames: Frames, rows: Frames) -> list[float]:
    """Whole strides near frames per row, whatever the window is; none where videos of two rows or less show nothing."""
    if np.median(rows) < 3:
        return []
    high = float(np.median(frames / (rows - 1).clip(1)))
    low = float(np.median(np.minimum((frames - max(NETWORKS)) / rows, frames / (rows + MULTIPLES.stop))))
    return [float(s) for s in range(max(int(low) - 1, 1), int(high) + 2)]
