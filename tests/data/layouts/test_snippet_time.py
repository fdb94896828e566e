"""How long a snippet is: when the usual value stays, when another is derived, when the data is refused."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from data.layouts import made_up
from hypothesis import given
from hypothesis import strategies as st

from amsx.data.layouts import read_dataset
from amsx.data.layouts.shared.annotation_json import read_database
from amsx.data.layouts.shared.snippet_time import seconds_per_snippet
from amsx.data.videos import Timebase

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


def test_a_few_short_videos_that_end_alike_prove_nothing():
    shares = [0.23, 0.51, 0.57, 0.59, 0.67, 0.71, 0.81, 0.83, 0.855, 0.86, 0.875]  # of the features, by the last end
    seconds, note = seconds_per_snippet([20] * 11, [20 * USUAL * share for share in shares], USUAL)
    assert seconds == USUAL
    assert note is not None and "reach at most 88% of their features" in note


def test_short_or_few_videos_prove_nothing():
    assert seconds_per_snippet([19] * 100, [19 * 0.4] * 100, USUAL) == (USUAL, None)
    assert seconds_per_snippet([100] * 9, [40.0] * 9, USUAL) == (USUAL, None)
    assert seconds_per_snippet([], [], USUAL) == (USUAL, None)
    assert seconds_per_snippet([100] * 10, [40.0] * 10, USUAL)[0] == 0.4


@pytest.mark.parametrize("layout", ["bas_net", "acm_net", "wtalc", "a2cl_pt", "dgam"])
@pytest.mark.parametrize(("factor", "fits"), [(1.0, True), (1.05, True), (2.0, False)])
def test_stated_durations_test_the_usual_value_in_every_layout(tmp_path, layout, factor, fits):
    videos = [replace(v, duration=v.duration * factor) for v in made_up.make(width=2, train=3, test=2)]
    getattr(made_up, layout)(tmp_path, videos)
    for path in tmp_path.glob("annotation.json"):  # A2CL-PT's says the usual value, which would be taken
        path.write_text(json.dumps({**json.loads(path.read_text()), "miscellany": None}))
    for path in tmp_path.glob("gt.json"):
        content = json.loads(path.read_text())
        for video in videos:
            content["database"][video.id]["duration"] = video.duration
        path.write_text(json.dumps(content))
    if fits:
        assert read_dataset(tmp_path).videos[0].timebase == Timebase(USUAL)
    else:
        with pytest.raises(
            ValueError, match=r"durations suggest 1\.\d+ s per snippet, not 0\.64; give snippet_seconds"
        ):
            read_dataset(tmp_path)
    assert read_dataset(tmp_path, snippet_seconds=1.28).videos[0].timebase == Timebase(1.28)
