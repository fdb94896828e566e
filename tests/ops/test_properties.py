"""What must hold of the sampler whatever the input."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from ops.cases import Case, cases

import amsx
from amsx.choices import Mode


@pytest.mark.parametrize("value", [0.75, 0.7, 1e-30, 3e20])
@pytest.mark.parametrize("n", [1, 2, 5, 129, 1000])
@pytest.mark.parametrize("interp_factor", [1, 2, 3, 20, 1024])
def test_constant_weights_give_the_identity(value: float, n: int, interp_factor: int) -> None:
    weights = torch.full((1, n), value)
    identity = torch.arange(n)[None].float()
    assert torch.equal(amsx.sampling_timestamps(weights, mode="continuous"), identity)
    grid = amsx.sampling_timestamps(weights, interp_factor=interp_factor)
    assert (grid - identity).abs().max() <= 0.5 / interp_factor + 1e-4


@given(cases(dims=[1]), st.sampled_from(["grid", "continuous"]))
def test_timestamps_are_ordered_and_inside_the_video(case: Case, mode: Mode) -> None:
    sampled = amsx.adaptive_sample(
        case.feats, case.cas, labels=case.labels, lengths=case.lengths, eta=case.eta, mode=mode
    )
    for b, n in enumerate(case.valid):
        t = sampled.timestamps[b, :n]
        assert (t[1:] >= t[:-1]).all()
        assert t.min() >= -0.5
        assert t.max() <= n - 0.5


def test_grid_approaches_continuous_as_the_factor_grows() -> None:
    weights = torch.rand(4, 50, dtype=torch.float64) + 0.1
    limit = amsx.sampling_timestamps(weights, mode="continuous")
    for factor in (1, 8, 64, 512):
        gap = (amsx.sampling_timestamps(weights, interp_factor=factor) - limit).abs().max()
        assert gap <= 1.5 / factor


def test_low_activation_is_slowed_down() -> None:
    cas = torch.zeros(1, 100)
    cas[:, 40:60] = 1.0
    timestamps = amsx.adaptive_sample(torch.zeros(1, 100, 1), cas).timestamps
    high = ((timestamps >= 39.5) & (timestamps < 59.5)).sum().item()
    # The weight is eta on 20 snippets and 1 + eta on 80.
    assert high == pytest.approx(100 * 20 * 0.75 / (20 * 0.75 + 80 * 1.75), abs=2)


def test_mass_beyond_the_range_of_one_weight_is_ignored() -> None:
    weights = torch.tensor([[1e-300, 1.0, 1e-300, 1.0]], dtype=torch.float64)
    timestamps = amsx.sampling_timestamps(weights, mode="continuous")
    assert torch.isfinite(timestamps).all()
    torch.testing.assert_close(timestamps.diff(dim=1).min(), timestamps.diff(dim=1).min().clamp(min=0))


def test_hard_erasing_never_samples_inside_the_erased_part() -> None:
    weights = torch.ones(1, 40)
    weights[:, 10:30] = 0
    for mode in ("grid", "continuous"):
        t = amsx.sampling_timestamps(weights, mode=mode)
        assert not ((t > 11) & (t < 28)).any()


def test_random_aggregation_keeps_to_one_positive_channel() -> None:
    torch.manual_seed(0)
    cas = torch.rand(3, 20, 6)
    labels = torch.tensor([[0, 1, 0, 1, 0, 0], [0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0]])
    single = torch.stack([amsx.sampling_weights(cas[:, :, c]) for c in range(6)], dim=1)  # (B, C, T)
    drawn: list[set[int]] = [set(), set(), set()]
    for _ in range(40):
        weights = amsx.sampling_weights(cas, labels=labels, aggregate="random")
        for b in (0, 1):
            drawn[b].update(c for c in range(6) if torch.equal(weights[b], single[b, c]))
        assert torch.equal(weights[2], torch.full((20,), 0.75))
    assert drawn[0] == {1, 3}
    assert drawn[1] == {5}


def test_the_same_bits_on_every_run_and_thread_count() -> None:
    feats, cas = torch.randn(4, 300, 256), torch.rand(4, 300, 7)
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 2, 3):
            torch.set_num_threads(threads)
            x = feats.clone().requires_grad_()
            c = cas.clone().requires_grad_()
            sampled = amsx.adaptive_sample(x, c, mode="continuous")
            aligned = amsx.align_cas(c, sampled.timestamps)
            (sampled.feats.square().sum() + aligned.square().sum()).backward()
            results.append((sampled.feats, sampled.timestamps, aligned, x.grad, c.grad))
    finally:
        torch.set_num_threads(before)
    for result in results[1:]:
        for a, b in zip(results[0], result, strict=True):
            assert a is not None
            assert b is not None
            assert torch.equal(a, b)
