"""Batches: every video once, pairs that share a class, no padding leaks, the same sequence again."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from amsx.data.batching import FeatureSet, full_batches, multi_hot, pair_order, train_batches
from amsx.data.features import FeatureArray
from amsx.data.layouts import read_dataset
from amsx.data.videos import Timebase, Video


def make_set(lengths, labels, width=3) -> FeatureSet:
    """Row t of video i is (i + 1, t + 1, 1, ...): every row tells where it is from, and none is zero."""
    names = [f"c{c}" for c in range(labels.shape[1])]
    videos = []
    for i, n in enumerate(lengths):
        rows = np.ones((n, width), "f4")
        rows[:, 0], rows[:, 1] = i + 1, np.arange(n) + 1
        own = tuple(name for name, there in zip(names, labels[i], strict=True) if there)
        videos.append(Video(f"v{i}", "train", {"rgb": FeatureArray(rows)}, own, (), Timebase(1.0)))
    return FeatureSet.load(videos, "rgb", names)


@st.composite
def sets(draw):
    count = draw(st.integers(1, 25))
    lengths = draw(st.lists(st.integers(1, 30), min_size=count, max_size=count))
    labels = draw(hnp.arrays(bool, (count, draw(st.integers(1, 5)))))
    return make_set(lengths, labels)


def check_contents(features, batch, longest):
    """Every row of the batch is the row that it says it is, and the rest is zero."""
    assert batch.features.dtype == torch.float32 and batch.lengths.dtype == torch.int64
    assert batch.features.shape == (len(batch.ids), int(batch.lengths.max()), features.rows.shape[1])
    assert torch.equal(batch.labels, features.labels[batch.indices])
    for b, i in enumerate(batch.indices.tolist()):
        n, first = int(batch.lengths[b]), int(batch.first[b])
        assert batch.ids[b] == features.ids[i]
        assert n == min(features.lengths[i], longest) and 0 <= first <= features.lengths[i] - n
        assert (batch.features[b, :n, 0] == i + 1).all()
        assert torch.equal(batch.features[b, :n, 1], torch.arange(first + 1, first + n + 1.0))
        assert (batch.features[b, n:] == 0).all()


@given(sets(), st.sampled_from([2, 4, 16]), st.integers(1, 40), st.integers(0, 99), st.integers(0, 99))
def test_an_epoch_has_every_video_once_cropped_and_padded_as_it_says(features, size, longest, seed, epoch):
    arguments = {"batch_size": size, "max_snippets": longest, "seed": seed, "epoch": epoch}
    batches = list(train_batches(features, **arguments))
    assert sorted(i for batch in batches for i in batch.indices.tolist()) == list(range(len(features)))
    assert [len(batch.ids) for batch in batches[:-1]] == [size] * (len(batches) - 1)
    for batch in batches:
        check_contents(features, batch, longest)
    for batch, again in zip(batches, train_batches(features, **arguments), strict=True):
        assert torch.equal(batch.features, again.features) and batch.ids == again.ids


@given(sets(), st.integers(1, 100))
def test_full_batches_have_every_video_once_in_full_within_the_budget(features, budget):
    seen = []
    for batch in full_batches(features, budget=budget):
        check_contents(features, batch, longest=10**6)
        assert (batch.first == 0).all()
        assert batch.features[..., 0].numel() <= budget or len(batch.ids) == 1
        for i, rows in zip(batch.indices.tolist(), batch.split(batch.features), strict=True):
            assert torch.equal(rows, features.rows[features.edges[i] : features.edges[i + 1]])
            seen.append(i)
    assert sorted(seen) == list(range(len(features)))
    assert (np.diff(features.lengths[seen]) >= 0).all()


@given(hnp.arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 6))), st.integers(0, 10**6))
def test_pairs_share_a_class_wherever_they_can(labels, seed):
    order = pair_order(labels, np.random.default_rng(seed))
    assert sorted(order) == list(range(len(labels)))
    pairs = order[: len(order) // 2 * 2].reshape(-1, 2)
    sharing = (labels[pairs[:, 0]] & labels[pairs[:, 1]]).any(axis=1)
    left = np.concatenate([pairs[~sharing].ravel(), order[len(order) // 2 * 2 :]])
    common = labels[left].astype(int) @ labels[left].T.astype(int)
    assert (common[~np.eye(len(left), dtype=bool)] == 0).all()  # nobody left alone could have paired


@settings(max_examples=30)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(0, 10**6))
def test_with_one_label_each_only_odd_classes_leave_one_alone(counts, seed):
    labels = np.repeat(np.eye(len(counts), dtype=bool), counts, axis=0)
    order = pair_order(labels, np.random.default_rng(seed))
    pairs = order[: len(order) // 2 * 2].reshape(-1, 2)
    sharing = int((labels[pairs[:, 0]] & labels[pairs[:, 1]]).any(axis=1).sum())
    assert sharing == sum(count // 2 for count in counts)


def test_orders_partners_and_crops_change_from_epoch_to_epoch_and_with_the_seed():
    features = make_set([50] * 40, np.eye(4, dtype=bool)[np.arange(40) % 4])

    def epoch(seed, number):
        batches = list(train_batches(features, batch_size=8, max_snippets=10, seed=seed, epoch=number))
        return torch.cat([b.indices for b in batches]).tolist(), torch.cat([b.first for b in batches]).tolist()

    runs = [epoch(0, 0), epoch(0, 1), epoch(1, 0)]
    orders = {tuple(order) for order, _ in runs}
    assert len(orders) == 3
    partners = {frozenset(frozenset(order[i : i + 2]) for i in range(0, 40, 2)) for order, _ in runs}
    assert len(partners) == 3
    assert len({tuple(np.array(first)[np.argsort(order)]) for order, first in runs}) == 3


def test_crops_reach_every_place_alike():
    features = make_set([12], np.ones((1, 1), bool))
    firsts = [
        int(next(train_batches(features, batch_size=2, max_snippets=10, seed=3, epoch=e)).first) for e in range(600)
    ]
    counts = np.bincount(firsts, minlength=3)
    assert len(counts) == 3 and (abs(counts - 200) < 60).all()


def test_every_video_comes_early_and_late_alike():
    labels = np.eye(3, dtype=bool)[[0] * 9 + [1] * 4 + [2]]  # the last is always alone
    places = np.zeros(14)
    for seed in range(800):
        places[pair_order(labels, np.random.default_rng(seed))] += np.arange(14) / 800
    assert (abs(places[:13] - 6.5) < 1).all()


def test_a_label_that_is_no_class_leaves_no_mark():
    assert multi_hot([("a", "x"), (), ("b",)], ("a", "b")).tolist() == [[1, 0], [0, 0], [0, 1]]


def test_a_batch_moves_as_a_whole():
    features = make_set([3, 2], np.ones((2, 1), bool))
    batch = next(full_batches(features)).to("meta")
    assert {batch.features.device.type, batch.lengths.device.type, batch.labels.device.type} == {"meta"}
    assert batch.indices.device.type == "cpu"


@pytest.mark.parametrize(
    ("change", "message"),
    [({"batch_size": 3}, "even"), ({"batch_size": 0}, "even"), ({"max_snippets": 0}, "max_snippets")],
)
def test_bad_settings_are_refused(change, message):
    features = make_set([3], np.ones((1, 1), bool))
    arguments = {"batch_size": 2, "max_snippets": 5, "seed": 0, "epoch": 0, **change}
    with pytest.raises(ValueError, match=message):
        next(train_batches(features, **arguments))


def test_bad_requests_are_refused():
    features = make_set([3], np.ones((1, 1), bool))
    with pytest.raises(ValueError, match="budget"):
        next(full_batches(features, budget=0))
    with pytest.raises(ValueError, match="no videos"):
        FeatureSet.load([], "rgb", [])
    video = Video("v", "train", {"rgb": FeatureArray(np.ones((2, 2), "f4"))}, (), (), Timebase(1))
    with pytest.raises(ValueError, match=r"'v' has no stream 'flow', only \['rgb'\]"):
        FeatureSet.load([video], "flow", [])


def test_real_videos_come_through_unchanged(shared_data):
    data = read_dataset(shared_data("salads-windows"))
    train = data.subset("train")
    features = FeatureSet.load(train, "flow", data.classes)
    assert features.rows.shape == (sum(v.length for v in train), 30)
    for batch in train_batches(features, batch_size=16, max_snippets=1000, seed=0, epoch=0):
        for rows, i in zip(batch.split(batch.features), batch.indices.tolist(), strict=True):
            np.testing.assert_array_equal(rows.numpy(), train[i].streams["flow"].load())
        labels = batch.labels.numpy()
        for row, i in zip(labels, batch.indices.tolist(), strict=True):
            assert tuple(np.array(data.classes)[row > 0]) == train[i].labels


@given(sets(), st.sampled_from(["uniform", "jittered"]), st.integers(1, 40), st.integers(0, 99))
def test_spread_samples_show_the_whole_of_every_video_in_order(features, sampling, longest, epoch):
    arguments = {"batch_size": 4, "max_snippets": longest, "seed": 5, "epoch": epoch, "sampling": sampling}
    seen = []
    for batch in train_batches(features, **arguments):
        assert batch.snippets is not None
        for b, i in enumerate(batch.indices.tolist()):
            n, total = int(batch.lengths[b]), int(features.lengths[i])
            assert n == min(total, longest)
            own = batch.snippets[b, :n]
            assert (batch.features[b, :n, 0] == i + 1).all()
            assert torch.equal(batch.features[b, :n, 1], own + 1.0) and (batch.features[b, n:] == 0).all()
            parts = torch.arange(n + 1) * total / n  # one sample in each part, and all of them where n is total
            assert (own >= parts[:-1].floor()).all() and (own < parts[1:].ceil()).all()
            assert (own.diff() >= 0).all() and (n < total or torch.equal(own, torch.arange(total)))
            assert int(batch.first[b]) == int(own[0])
            seen.append(i)
    assert sorted(seen) == list(range(len(features)))


def test_jitter_changes_from_epoch_to_epoch_and_uniform_samples_do_not():
    features = make_set([50], np.ones((1, 1), bool))

    def snippets(sampling, epoch):
        arguments = {"batch_size": 2, "max_snippets": 10, "seed": 0, "epoch": epoch, "sampling": sampling}
        drawn = next(train_batches(features, **arguments)).snippets
        assert drawn is not None
        return drawn.tolist()

    assert snippets("uniform", 0) == snippets("uniform", 1) == [list(range(2, 50, 5))]
    assert snippets("jittered", 0) == snippets("jittered", 0) != snippets("jittered", 1)
    counts = np.bincount(np.concatenate([snippets("jittered", e)[0] for e in range(500)]), minlength=50)
    assert (abs(counts - 100) < 45).all()  # every snippet of a part is as likely


def test_an_unknown_sampling_is_refused():
    features = make_set([3], np.ones((1, 1), bool))
    with pytest.raises(ValueError, match="sampling must be one of 'crop', 'jittered', 'uniform', got 'stride'"):
        next(train_batches(features, batch_size=2, max_snippets=2, seed=0, epoch=0, sampling="stride"))  # type: ignore[arg-type]
