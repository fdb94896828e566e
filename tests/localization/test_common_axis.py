"""Streams of different rates on one time axis."""

import numpy as np
import pytest

from amsx.data.videos import Timebase
from amsx.localization.common_axis import finest_streams, on_axis


def test_the_axis_of_a_video_is_that_of_its_shortest_snippets():
    rgb, flow = [Timebase(0.64), Timebase(0.5)], [Timebase(0.16), Timebase(0.5)]
    assert finest_streams([rgb, flow]) == [1, 0]  # of equals, the first


def test_values_stand_at_the_centres_of_snippets_and_are_interpolated_between_them():
    coarse = np.array([0.0, 1.0, 5.0], np.float32)  # centres 0.5, 1.5 and 2.5 s
    moved = on_axis(coarse, np.array([2, 1]), [Timebase(1.0)] * 2, np.array([4, 2]), [Timebase(0.5)] * 2)
    np.testing.assert_allclose(
        moved, [0, 0.25, 0.75, 1, 5, 5]
    )  # centres 0.25, 0.75, 1.25 and 1.75 s, and a second video
    assert moved.dtype == np.float32


def test_a_straight_line_in_time_stays_where_it_is_whatever_the_offsets():
    own, other = Timebase(0.64, 0.24), Timebase(0.16, -0.1)
    times = own.to_seconds(np.arange(20) + 0.5)
    cas = np.stack([times, -2 * times], axis=1).astype(np.float32)
    moved = on_axis(cas, np.array([20]), [own], np.array([90]), [other])
    at = np.clip(other.to_seconds(np.arange(90) + 0.5), times[0], times[-1])
    np.testing.assert_allclose(moved, np.stack([at, -2 * at], axis=1), rtol=1e-5, atol=1e-5)


def test_what_lies_on_the_axis_already_keeps_its_bits():
    cas = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    same = on_axis(cas, np.array([3, 4]), [Timebase(0.3, 0.1)] * 2, np.array([3, 4]), [Timebase(0.3, 0.1)] * 2)
    np.testing.assert_array_equal(same, cas)


@pytest.mark.parametrize("rows", [1, 2])
def test_short_streams_hold_their_values(rows):
    moved = on_axis(np.ones((rows, 2)), np.array([rows]), [Timebase(2.0)], np.array([5]), [Timebase(0.4)])
    np.testing.assert_array_equal(moved, np.ones((5, 2)))
