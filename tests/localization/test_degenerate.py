"""Detections that cover whole videos, and none: what is warned of."""

import numpy as np
import pytest

from amsx.data.videos import Timebase
from amsx.evaluation.columns import Columns
from amsx.localization.degenerate import Coverage

SECOND = Timebase(1.0, offset=0.5)


def coverage(*segments, snippets=(10, 20, 1)):
    """That of detections (video, start, end) of one class in three videos, the last of one snippet."""
    video, start, end = (np.array([s[i] for s in segments], dtype=float) for i in range(3))
    ids = [f"v{i}" for i in range(len(snippets))]
    zeros = np.zeros(len(segments), dtype=np.int64)
    columns = Columns.from_arrays(
        ids, ["a"], video=video.astype(np.int64), label=zeros, start=start, end=end, score=zeros + 0.5
    )
    return Coverage.of_videos(columns, snippets, [SECOND] * len(snippets))


def test_detections_that_cover_their_whole_video_are_counted():
    found = coverage((0, 0.5, 10.5), (0, 2.5, 5.5), (1, 0.5, 20.5), (1, 1.5, 20.5), (2, 0.5, 1.5))
    assert found == Coverage(videos=2, detections=4, whole=3)
    each = Coverage.of_video([10.0, 3.0], 10, SECOND) + Coverage.of_video([20.0, 19.0], 20, SECOND)
    assert each + Coverage.of_video([1.0], 1, SECOND) == found
    [warning] = found.warnings()
    assert warning.startswith("3 of 4 detections cover their whole video")
    assert "--preset small" in warning and "amsx test RUN --set localization.threshold=1" in warning


def test_half_of_them_is_not_most():
    assert coverage((0, 0.5, 10.5), (0, 2.5, 5.5)).warnings() == []


def test_nothing_detected():
    [warning] = coverage().warnings()
    assert warning.startswith("nothing was detected in any of 2 videos") and "localization.threshold=0.3" in warning
    assert Coverage().warnings() == []


@pytest.mark.parametrize("share", [0.5, 0.9, 1.0])
def test_a_video_of_which_much_is_detected(share):
    assert bool(coverage((1, 0.5, 0.5 + 20 * share)).warnings()) == (share >= 0.95)
