"""Snippets on the frames of a video, and the clip of frames around each that an extractor sees."""

from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

FPS, STRIDE = 25.0, 16  # the field's habit for THUMOS14 and I3D: frames a second, frames from one snippet to the next


def snippet_count(frames: int, stride: int) -> int:
    """n: a snippet for every `stride` frames, one more where at least half of one is left over, and at least one."""
    return max(1, (2 * frames + stride) // (2 * stride))


class Clips:
    """Cuts a stream of frames into clips without keeping more than one clip's frames.

    Snippet i covers the frames [i * stride, (i + 1) * stride). Its clip of `length` frames has the same centre, or half
    a frame later where their numbers differ by an odd one. Before the first frame and behind the last, those are
    repeated.
    """

    def __init__(self, stride: int, length: int) -> None:
        self.stride, self.length = stride, length
        self._kept: deque[NDArray[Any]] = deque()
        self._first = 0  # the number of the first frame that is kept
        self._frames = 0  # how many have come
        self._snippets = 0  # how many clips have been given out

    def add(self, frame: NDArray[Any]) -> Iterator[NDArray[Any]]:
        """Take the next frame; yields the clips (length, ...) that are complete with it."""
        self._kept.append(frame)
        self._frames += 1
        while self._frames >= self._begin + self.length and 2 * self._frames >= (2 * self._snippets + 1) * self.stride:
            yield self._next()

    def rest(self) -> Iterator[NDArray[Any]]:
        """The clips that end behind the last frame."""
        if self._frames == 0:
            return
        while self._snippets < snippet_count(self._frames, self.stride):
            yield self._next()

    @property
    def _begin(self) -> int:
        return self._snippets * self.stride + (self.stride - self.length + 1) // 2

    def _next(self) -> NDArray[Any]:
        numbers = np.clip(np.arange(self._begin, self._begin + self.length), 0, self._frames - 1)
        clip = np.stack([self._kept[number - self._first] for number in numbers.tolist()])
        self._snippets += 1
        while self._first < min(self._begin, self._frames - 1):
            self._kept.popleft()
            self._first += 1
        return clip
