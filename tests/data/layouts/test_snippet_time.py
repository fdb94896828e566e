"""How long a snippet is: when the usual value stays, when another is derived, when the data is refused."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amsx.data.layouts.shared.annotation_json import read_database
from amsx.data.layouts.shared.frame_grid import frame_stride, spanned_frames
from amsx.data.layouts.shared.snippet_time import seconds_per_snippet

USUAL = 16 / 25


def thumos(shared_data, fps=25.0) -> tuple[list[int], list[float]]:
    """Snippets and last segment ends of THUMOS14's training videos, as features at `fps` would have them."""
    folder = shared_data("thumos14-wtalc") / "Thumos14reduced-Annotations"
    names = np.load(folder / "videoname.npy", allow_pickle=False).astype(str)
    seconds = np.load(folder / "duration.npy", allow_pickle=False)[:, 0]
    durations = dict(zip(names.tolist(), seconds.tolist(), strict=True))
    entries = read_database(shared_data("thumos14-basnet") / "gt.json").entries
    train = {name: entry for name, entry in entries.items() if entry.subset == "train"}
    lengths = [int(durations[name] * fps / 16) for name in train]
    return lengths, [max(s.end for s in entry.segments) for entry in train.values()]


def test_thumos14_keeps_the_usual_value_without_a_word(shared_data):
    assert seconds_per_snippet(*thumos(shared_data), USUAL) == (USUAL, None)


@pytest.mark.parametrize("shift", [-2, -1, 1, 2])
def test_a_snippet_more_or_less_changes_nothing(shared_data, shift):
    lengths, ends = thumos(shared_data)
    assert seconds_per_snippet([n + shift for n in lengths], ends, USUAL) == (USUAL, None)


def test_thumos14_at_another_rate_is_refused_or_remarked_upon(shared_data):
    with pytest.raises(ValueError, match=r"pass the features' end .* give snippet_seconds .*at least 1\.6"):
        seconds_per_snippet(*thumos(shared_data, fps=10), USUAL)
    value, note = seconds_per_snippet(*thumos(shared_data, fps=30), USUAL)
    assert value == USUAL and note is not None and "reach at most 83%" in note


@given(
    st.sampled_from([0.1, 0.2, 0.25, 0.4, 0.5, 0.8, 1.0, 1.28, 2.0]),
    st.lists(st.integers(20, 400), min_size=12, max_size=60),
    st.integers(0, 10**6),
)
def test_windows_that_actions_fill_tell_their_rate(d, lengths, seed):
    rng = np.random.default_rng(seed)
    n: Any = np.array(lengths)
    ends: Any = np.where(rng.random(len(n)) < 0.2, rng.uniform(0.2, 0.9, len(n)), 1.0) * n * d
    ends[:5] = n[:5] * d
    value, note = seconds_per_snippet(n, ends.round(4), USUAL)
    assert value == d and note is not None and f"snippet_seconds = {d:g}, derived" in note


@given(st.lists(st.integers(20, 1000), min_size=1, max_size=80), st.integers(0, 10**6))
def test_annotation_that_fits_the_usual_value_keeps_it(lengths, seed):
    n: Any = np.array(lengths)
    ends: Any = np.random.default_rng(seed).uniform(0.05, 1.0, len(n)) * n * USUAL
    assert seconds_per_snippet(n, ends, USUAL)[0] == USUAL


def test_a_few_wrong_annotations_change_nothing():
    n: Any = np.full(100, 200)
    ends: Any = np.full(100, 199 * USUAL)
    ends[:5] *= 3
    assert seconds_per_snippet(n, ends, USUAL) == (USUAL, None)
    assert seconds_per_snippet(n[:12], ends[3:15], USUAL) == (USUAL, None)


def test_short_or_few_videos_prove_nothing():
    assert seconds_per_snippet([19] * 100, [19 * 0.4] * 100, USUAL) == (USUAL, None)
    assert seconds_per_snippet([100] * 9, [40.0] * 9, USUAL) == (USUAL, None)
    assert seconds_per_snippet([], [], USUAL) == (USUAL, None)
    assert seconds_per_snippet([100] * 10, [40.0] * 10, USUAL)[0] == 0.4


@given(
    st.integers(1, 16),
    st.lists(st.integers(1100, 4000), min_size=1, max_size=40),
    st.sampled_from([1.0, 0.999]),
)
def test_padded_features_tell_their_stride(stride, frames, rate):
    """Frames come from a duration times rounded fps, up to 0.1 % off."""
    f = np.array(frames, dtype=np.float64)
    strides, span = frame_stride(f / rate, np.ceil(f / stride), None)
    assert (strides == stride).all() and span == stride


@given(st.integers(1, 8), st.lists(st.integers(200, 9000), min_size=1, max_size=40))
def test_sliding_windows_tell_their_stride_and_width(stride, frames):
    f = np.array(frames, dtype=np.float64)
    strides, span = frame_stride(f, (f - 16) // stride + 1, None)
    assert (strides == stride).all() and span == 16


def test_features_rescaled_to_one_length_have_strides_of_their_own():
    frames = np.array([300.0, 900.0, 4500.0])
    strides, span = frame_stride(frames, np.full(3, 100.0), None)
    assert strides.tolist() == [3, 9, 45] and span is None


def test_rows_that_no_stride_explains_are_refused():
    with pytest.raises(ValueError, match=r"no one stride explains .* give stride"):
        frame_stride(np.array([300.0, 900.0, 4500.0]), np.array([100.0, 110.0, 120.0]), None)


def test_num_frames_given_is_num_frames_taken():
    assert spanned_frames(np.array([400.0]), np.array([100.0]), 4.0, 32) == 32
    assert spanned_frames(np.array([400.0]), np.array([100.0]), 4.0, None) == 4
    assert spanned_frames(np.array([412.0]), np.array([100.0]), 4.0, None) == 16


def test_rounded_fps_do_not_hide_how_many_frames_a_snippet_spans():
    frames = np.array([900.0, 1200.0, 30_000.0, 60_000.0, 90_000.0, 100_000.0])
    assert frame_stride(frames * 1.001, np.ceil(frames / 4), None)[1] == 4
    assert frame_stride(frames * 0.999, (frames - 16) // 4 + 1, None)[1] == 16
