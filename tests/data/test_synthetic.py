"""The synthetic set: what it promises, and that it gives nothing away."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amsx.data.convert import convert
from amsx.data.layouts import read_dataset
from amsx.data.synthetic import SyntheticConfig, make_dataset

SMALL = SyntheticConfig(train_videos=24, test_videos=12)


@pytest.fixture(scope="module")
def data():
    return make_dataset()


def test_the_set_is_as_configured(data):
    config = SyntheticConfig()
    assert len(data.subset("train")) == config.train_videos and len(data.subset("test")) == config.test_videos
    assert len(data.classes) == config.classes
    assert data.dims == {name: stream.dim for name, stream in config.streams.items()}
    lengths = [v.length for v in data.videos]
    assert config.length[0] <= min(lengths) < max(lengths) <= config.length[1]
    assert {len(v.labels) for v in data.videos} == {1, 2}
    for video in data.videos:
        assert {s.label for s in video.segments} == set(video.labels) and video.labels
        assert all(0 <= s.start < s.end <= video.duration + 0.1 for s in video.segments)
        for stream in video.streams.values():
            features = stream.load()
            assert features.min() >= 0 and 0.1 < (features == 0).mean() < 0.9  # as after a ReLU


def test_the_same_seed_gives_the_same_set_and_another_another():
    first, again, other = (make_dataset(dataclasses.replace(SMALL, seed=seed)) for seed in (3, 3, 4))
    for a, b, c in zip(first.videos, again.videos, other.videos, strict=True):
        assert (a.id, a.labels, a.segments) == (b.id, b.labels, b.segments)
        assert a.segments != c.segments
        for name in a.streams:
            np.testing.assert_array_equal(a.streams[name].load(), b.streams[name].load())


def test_more_videos_leave_the_others_as_they_are():
    few, many = make_dataset(SMALL), make_dataset(dataclasses.replace(SMALL, train_videos=30))
    for a, b in zip(few.subset("test"), many.subset("test"), strict=True):
        np.testing.assert_array_equal(a.streams["rgb"].load(), b.streams["rgb"].load())


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 1000),
    st.integers(1, 8),
    st.tuples(st.integers(20, 40), st.integers(40, 90)),
    st.tuples(st.integers(1, 2), st.integers(2, 6)),
    st.floats(0, 1),
)
def test_any_configuration_keeps_actions_apart_and_inside(seed, classes, length, instances, second):
    config = SyntheticConfig(
        seed=seed,
        classes=classes,
        train_videos=8,
        test_videos=2,
        length=length,
        instances=instances,
        second_label=second,
    )
    for video in make_dataset(config).videos:
        assert video.duration is not None
        spans = sorted((s.start, s.end) for s in video.segments)
        assert spans and spans[0][0] >= 0 and spans[-1][1] <= video.duration + 0.05
        assert all(left[1] <= right[0] + 0.11 for left, right in itertools.pairwise(spans))
        assert sum(end - start for start, end in spans) <= (1 - config.background + 0.02) * video.duration + 0.2


@pytest.mark.parametrize(
    "change",
    [
        {"classes": 0},
        {"length": (90, 60)},
        {"instances": (0, 2)},
        {"core_share": (0.5, 1.5)},
        {"duration": (80, 90)},
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(change):
    with pytest.raises(ValueError, match=next(iter(change)) if "duration" not in change else "no room"):
        SyntheticConfig(**change)


def test_the_set_survives_being_written(data, tmp_path):
    convert(data, tmp_path / "set", "bas_net")
    again = read_dataset(tmp_path / "set")
    assert (
        again.classes == data.classes
        and again.dims == data.dims
        and again.notes == ("snippet_seconds = 0.64, as gt.json says",)
    )
    for a, b in zip(data.videos, again.videos, strict=True):
        assert (a.id, a.subset, a.labels, a.segments, a.timebase) == (
            b.id,
            b.subset,
            b.labels,
            b.segments,
            b.timebase,
        )
        for name in a.streams:
            np.testing.assert_array_equal(a.streams[name].load(), b.streams[name].load())


def snippets(data, subset, stream):
    """Features of all snippets (N, D) and whether each is inside an action (N,)."""
    rows, inside = [], []
    for video in data.subset(subset):
        centres = video.timebase.to_seconds(np.arange(video.length) + 0.5)
        rows.append(video.streams[stream].load())
        inside.append(np.any([(s.start <= centres) & (centres < s.end) for s in video.segments], axis=0))
    return np.concatenate(rows), np.concatenate(inside)


@pytest.mark.parametrize("stream", ["rgb", "flow"])
def test_actions_can_be_told_from_background_but_not_at_a_glance(data, stream):
    """Least squares, action against rest, fitted with the truth: good on test videos, not perfect."""
    (x, y), (x_test, y_test) = snippets(data, "train", stream), snippets(data, "test", stream)
    x, x_test = (np.concatenate([a, np.ones((len(a), 1))], axis=1) for a in (x, x_test))
    weights = np.linalg.lstsq(x, y * 2.0 - 1, rcond=None)[0]
    score = x_test @ weights
    order = np.argsort(score)
    ranks = np.empty(len(order))
    ranks[order] = np.arange(1, len(order) + 1)
    positive = int(y_test.sum())
    auc = (ranks[y_test].sum() - positive * (positive + 1) / 2) / (positive * (len(order) - positive))
    assert 0.65 < auc < 0.97
    norms = np.linalg.norm(x_test, axis=1)
    ranks[np.argsort(norms)] = np.arange(1, len(order) + 1)
    energy = (ranks[y_test].sum() - positive * (positive + 1) / 2) / (positive * (len(order) - positive))
    assert 0.3 < energy < 0.75  # loudness alone says little: clutter is as loud as actions
