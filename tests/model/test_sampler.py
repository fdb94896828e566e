"""The sampler between the branches: padding, draws, erasing, and eta = 0."""

import numpy as np
import pytest
import torch

from amsx.model.sampler import Sampler, erasing_weights, samples_per_snippet

LENGTHS = torch.tensor([11, 1, 6, 9])
LABELS = torch.tensor([[1, 0, 1], [1, 0, 0], [0, 1, 1], [0, 1, 0]], dtype=torch.float64)


@pytest.fixture
def feats() -> torch.Tensor:
    return torch.randn(4, 11, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.fixture
def cas() -> torch.Tensor:
    return torch.rand(4, 11, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def sampled_times(sampler, feats, cas):
    """Where the sampler reads, per video, without the padding."""
    torch.manual_seed(0)
    _, timestamps = sampler.sample(feats, cas, LABELS, LENGTHS)
    return [row[:n] for row, n in zip(timestamps, LENGTHS.tolist(), strict=True)]


@pytest.mark.parametrize("weights", ["rolled", "reversed", "random", "erase"])
def test_padding_never_matters_to_other_weights(feats, cas, weights):
    sampler = Sampler(weights=weights)
    valid = torch.arange(11) < LENGTHS[:, None]
    times = [sampled_times(sampler, feats, torch.where(valid[..., None], cas, padding)) for padding in (0.0, 1.0)]
    for a, b in zip(*times, strict=True):
        assert torch.equal(a, b)
    for row, n in zip(times[0], LENGTHS.tolist(), strict=True):
        assert row.min() >= -0.5
        assert row.max() <= n - 0.5


@pytest.mark.parametrize("normalize", [False, True])
def test_controls_lay_the_same_weights_elsewhere(cas, normalize):
    adaptive, rolled, reverse = (
        Sampler(weights=weights, normalize=normalize).sampling_weights(cas, LABELS, LENGTHS)
        for weights in ("adaptive", "rolled", "reversed")
    )
    for video, n in enumerate(LENGTHS.tolist()):
        own = adaptive[video, :n]
        assert torch.equal(rolled[video, :n], torch.roll(own, -(n // 2)))
        assert torch.equal(reverse[video, :n], own.flip(0))
    assert not torch.equal(rolled[0], adaptive[0])


def test_normalized_weights_reach_from_eta_to_one_more(cas):
    weights = Sampler(normalize=True, eta=0.25).sampling_weights(cas, LABELS, LENGTHS)
    plain = Sampler(eta=0.25).sampling_weights(cas, LABELS, LENGTHS)
    for video, n in enumerate(LENGTHS.tolist()):
        own, given = weights[video, :n], plain[video, :n]
        if n == 1:
            torch.testing.assert_close(own, torch.tensor([0.25], dtype=own.dtype))
            continue
        torch.testing.assert_close(own.min(), torch.tensor(0.25, dtype=own.dtype))
        torch.testing.assert_close(own.max(), torch.tensor(1.25, dtype=own.dtype))
        assert torch.equal(own.argsort(), given.argsort())
    flat = Sampler(normalize=True, eta=0.25).sampling_weights(torch.full_like(cas, 0.3), LABELS, LENGTHS)
    valid = torch.arange(11) < LENGTHS[:, None]
    torch.testing.assert_close(flat[valid], torch.full_like(flat[valid], 0.25))


def test_random_weights_are_drawn_anew_and_seeded(feats, cas):
    sampler = Sampler(weights="random")
    first, again = sampled_times(sampler, feats, cas), sampled_times(sampler, feats, cas)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    _, other = sampler.sample(feats, cas, LABELS, LENGTHS)  # the generator went on
    assert not torch.equal(first[0], other[0])
    _, flat = sampler.sample(feats, torch.zeros_like(cas), LABELS, LENGTHS)
    assert not torch.equal(flat[0], torch.arange(11.0))  # they do not come from the CAS


@pytest.mark.parametrize("mode", ["grid", "continuous"])
@pytest.mark.parametrize("aggregate", ["max", "mean", "random"])
@pytest.mark.parametrize("weights", ["adaptive", "rolled", "reversed", "random", "erase"])
def test_timestamps_alone_are_those_of_the_sampled_features(feats, cas, weights, aggregate, mode):
    sampler = Sampler(weights=weights, aggregate=aggregate, mode=mode, eta=0.3)
    torch.manual_seed(0)
    sampled = sampler.sample(feats, cas, LABELS, LENGTHS)
    torch.manual_seed(0)
    assert torch.equal(sampler.timestamps(cas, LABELS, LENGTHS), sampled.timestamps)


def test_erasing_reads_nothing_where_a_named_class_is_high():
    cas = torch.zeros(3, 8, 2)
    cas[0, 2:5, 0] = 0.9  # named: erased
    cas[1, 2:5, 1] = 0.9  # not named: kept
    cas[2, :, 0] = 0.5  # all of it above 0.7 times the mean: left as it is
    named = torch.tensor([[1.0, 0], [1, 0], [1, 0]])
    lengths = torch.full((3,), 8)
    kept = erasing_weights(cas, named, lengths, 0.7)
    assert kept[0].tolist() == [1, 1, 0, 0, 0, 1, 1, 1]
    assert kept[1:].tolist() == [[1.0] * 8] * 2
    _, timestamps = Sampler(weights="erase", mode="continuous").sample(torch.rand(3, 8, 5), cas, named, lengths)
    inside = (timestamps[0] > 2) & (timestamps[0] < 4)
    assert not inside.any()
    assert torch.allclose(timestamps[1:], torch.arange(8.0).expand(2, 8), atol=1e-5)


def test_without_eta_a_constant_cas_is_sampled_uniformly():
    sampler, lengths, channels = Sampler(eta=0.0, mode="continuous"), torch.tensor([8]), torch.ones(1, 2)
    constant = torch.full((1, 8, 2), 0.25)
    _, timestamps = sampler.sample(torch.rand(1, 8, 5), constant, channels, lengths)
    assert torch.allclose(timestamps[0], torch.arange(8.0), atol=1e-4)
    constant[0, 3, 0] = 1.0  # and the peak gets no time at all
    _, timestamps = sampler.sample(torch.rand(1, 8, 5), constant, channels, lengths)
    assert not ((timestamps[0] > 2.9) & (timestamps[0] < 3.1)).any()


def test_samples_per_snippet_by_hand():
    """Equal activation: one sample a snippet. A half that is never active is slowed down, by Eq. 4's weights."""
    sampler = Sampler(eta=0.5, mode="continuous")
    channels, lengths = torch.tensor([[1.0, 0.0]]), torch.tensor([40])
    flat = torch.full((1, 40, 2), 0.3)
    timestamps = sampler.timestamps(flat, channels, lengths)
    assert samples_per_snippet(timestamps[0].numpy()) == pytest.approx(np.ones(40), abs=1e-3)
    step = torch.zeros(1, 40, 2)
    step[0, :20, 0] = 1.0
    density = samples_per_snippet(sampler.timestamps(step, channels, lengths)[0].numpy())
    assert density.sum() == pytest.approx(40)
    assert density[2:18] == pytest.approx(np.full(16, 0.5), abs=0.02)  # weights 0.5 and 1.5, mean 1
    assert density[22:38] == pytest.approx(np.full(16, 1.5), abs=0.02)
