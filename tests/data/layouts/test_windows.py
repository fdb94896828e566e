"""Windows of frames: found where the videos show them, several where they do not tell them apart, else none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amsx.data.layouts.shared.windows import Windows, fitting_windows

KNOWN = [(16, 16), (16, 4), (32, 16), (50, 25), (64, 8), (4, 4), (1, 1), (16, 8), (25, 25)]


def find(frames, rows, stride=None, window=None, counted=True):
    return fitting_windows(
        np.asarray(frames, dtype=np.float64),
        np.asarray(rows, dtype=np.float64),
        stride=stride,
        window=window,
        counted=counted,
    )


def rows_of(frames, window, stride, padded):
    left = np.asarray(frames) - window
    return -(-left // stride) + 1 if padded else left // stride + 1


@pytest.mark.parametrize(("window", "stride"), KNOWN)
def test_videos_of_every_length_show_their_windows(window, stride):
    frames = np.arange(1000, 1400)
    assert find(frames, rows_of(frames, window, stride, False)) == [Windows(stride, window)]


@pytest.mark.parametrize(("window", "stride"), [(16, 16), (16, 4), (64, 8), (4, 4), (1, 1), (16, 8), (25, 25)])
def test_padding_changes_nothing(window, stride):
    frames = np.arange(1000, 1400)
    assert find(frames, rows_of(frames, window, stride, True)) == [Windows(stride, window)]


@pytest.mark.parametrize(("window", "stride"), [(32, 16), (50, 25)])
def test_padding_of_two_strides_looks_like_side_by_side_without_a_frame(window, stride):
    frames = np.arange(1000, 1400)
    assert find(frames, rows_of(frames, window, stride, True)) == [Windows(stride, stride), Windows(stride, window)]


@given(
    st.sampled_from(KNOWN),
    st.booleans(),
    st.lists(st.integers(700, 9000), min_size=3, max_size=30),
)
def test_the_true_windows_are_always_among_those_found(pair, padded, frames):
    window, stride = pair
    found = find(frames, rows_of(frames, window, stride, padded))
    assert Windows(stride, window) in found


@pytest.mark.parametrize(("window", "stride"), [(16, 16), (16, 4), (4, 4), (1, 1)])
@pytest.mark.parametrize("rate", [1.001, 0.9993])
def test_rounded_rates_do_not_hide_the_usual_windows(window, stride, rate):
    frames = np.linspace(900, 9000, 200).round()
    found = find(frames * rate, rows_of(frames, window, stride, False), counted=False)
    assert found == [Windows(stride, window)]


def test_features_that_lack_a_frame():
    frames = np.arange(1000, 1400)
    assert find(frames, rows_of(frames - 1, 16, 4, False)) == [Windows(4, 16)]
    assert find(frames, rows_of(frames - 1, 16, 16, False)) == [Windows(16, 16), Windows(16, 32)]


def test_windows_of_several_strides_where_no_usual_ones_fit():
    frames = np.arange(1000, 1400)
    assert find(frames, rows_of(frames, 40, 10, False)) == [Windows(10, 40)]
    assert find(frames, rows_of(frames, 36, 10, False)) == []
    assert find(frames, rows_of(frames, 22, 4, False)) == []


def test_one_video_shows_little():
    assert find([1000], rows_of([1000], 32, 16, False)) == [Windows(16, w) for w in (32, 48)]
    assert find([239], [14]) == [Windows(16, 16), Windows(16, 32)]
    assert find([100], [1]) == []


def test_what_is_given_is_not_varied():
    frames = np.arange(1000, 1400)
    rows = rows_of(frames, 22, 4, False)
    assert find(frames, rows, window=22) == [Windows(4, 22)]
    assert find(frames, rows, stride=4) == []
    assert find(frames, rows_of(frames, 16, 4, False), stride=4) == [Windows(4, 16)]
    assert find(frames, frames * 5 // 16, stride=3.2) == [Windows(3.2, 3.2)]


def test_rows_that_no_stride_explains():
    assert find([300, 900, 4500], [100, 110, 120]) == []
    assert find([300, 900, 4500], [100, 100, 100]) == []
    frames = np.arange(1000, 9000, 7)
    assert find(frames, frames // 19.2) == []
