"""Clips are centred on their snippets, and come from a stream without keeping more than they need."""

import numpy as np
import pytest

from amsx.video.snippets import Clips, snippet_count


@pytest.mark.parametrize(
    ("frames", "stride", "count"),
    [(1, 16, 1), (23, 16, 1), (24, 16, 2), (32, 16, 2), (877, 64, 14), (5, 1, 5)],
)
def test_half_a_snippet_counts_as_one(frames: int, stride: int, count: int) -> None:
    assert snippet_count(frames, stride) == count


@pytest.mark.parametrize("stride", [1, 3, 4, 16])
@pytest.mark.parametrize("length", [1, 2, 5, 16, 21])
@pytest.mark.parametrize("frames", [1, 2, 7, 16, 40])
def test_clips_are_those_of_the_whole_video(frames: int, length: int, stride: int) -> None:
    video = np.arange(frames)
    begins = [i * stride + (stride - length + 1) // 2 for i in range(snippet_count(frames, stride))]
    expected = [video[np.clip(np.arange(begin, begin + length), 0, frames - 1)].tolist() for begin in begins]
    clips = Clips(stride, length)
    made = [clip.tolist() for frame in video for clip in clips.add(np.asarray(frame))]
    kept = len(clips._kept)
    made += [clip.tolist() for clip in clips.rest()]
    assert made == expected
    assert kept <= length + stride
