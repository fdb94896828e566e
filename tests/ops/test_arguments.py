"""The forms in which `lengths`, `eta` and `interp_factor` may be given."""

from typing import Any

import numpy as np
import pytest
import torch

import amsx

FEATS, CAS = torch.randn(2, 6, 3), torch.rand(2, 6, 4)
MASK = torch.tensor([[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1]], dtype=torch.bool)
LENGTHS: list[Any] = [
    [4, 6],
    (4, 6),
    [np.int64(4), 6],
    [torch.tensor(4), torch.tensor(6)],
    np.array([4, 6]),
    np.array([4, 6], dtype=np.uint16),
    torch.tensor([4, 6], dtype=torch.int32),
    torch.tensor([4, 0, 6, 0])[::2],
    MASK,
    MASK.numpy(),
    MASK.tolist(),
]


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_lengths(lengths: Any) -> None:
    expected = amsx.adaptive_sample(FEATS, CAS, lengths=torch.tensor([4, 6]))
    sampled = amsx.adaptive_sample(FEATS, CAS, lengths=lengths)
    assert torch.equal(sampled.feats, expected.feats)
    assert torch.equal(sampled.timestamps, expected.timestamps)
    weights = amsx.sampling_weights(CAS, lengths=lengths)
    assert torch.equal(amsx.sampling_timestamps(weights, lengths=lengths), expected.timestamps)
    aligned = amsx.align_cas(CAS, expected.timestamps, torch.tensor([4, 6]))
    assert torch.equal(amsx.align_cas(CAS, expected.timestamps, lengths), aligned)
    assert torch.equal(amsx.gather(FEATS, expected.timestamps, lengths), expected.feats)


@pytest.mark.parametrize("length", [4, np.int32(4), torch.tensor(4), torch.tensor([4]), [4], MASK[0], MASK[0].tolist()])
def test_the_length_of_one_video(length: Any) -> None:
    expected = amsx.adaptive_sample(FEATS, CAS, lengths=[4, 6])
    assert torch.equal(amsx.adaptive_sample(FEATS[0], CAS[0], lengths=length).feats, expected.feats[0])


def test_one_length_for_all_videos() -> None:
    expected = amsx.adaptive_sample(FEATS, CAS, lengths=[4, 4])
    assert torch.equal(amsx.adaptive_sample(FEATS, CAS, lengths=4).feats, expected.feats)
    assert amsx.adaptive_sample(FEATS[:0], CAS[:0], lengths=[]).feats.shape == (0, 6, 3)


@pytest.mark.parametrize("number", [np.float32(0.5), np.float64(0.5), torch.tensor(0.5), torch.tensor([0.5]).double()])
def test_eta(number: Any) -> None:
    assert torch.equal(amsx.sampling_weights(CAS, eta=number), amsx.sampling_weights(CAS, eta=0.5))
    assert torch.equal(
        amsx.adaptive_sample(FEATS, CAS, eta=number).feats, amsx.adaptive_sample(FEATS, CAS, eta=0.5).feats
    )
    assert torch.equal(amsx.sampling_weights(CAS, eta=np.int64(1)), amsx.sampling_weights(CAS, eta=1))


def test_eta_may_be_as_large_as_the_weights_can_be() -> None:
    """Weights of float16 are float32, so an eta beyond float16 is none beyond them."""
    assert amsx.sampling_weights(CAS.half(), eta=1e5).isfinite().all()
    assert amsx.sampling_weights(CAS.double(), eta=1e39).isfinite().all()
    with pytest.raises(ValueError, match=r"eta is 1e\+39.*cas of torch.float16"):
        amsx.sampling_weights(CAS.half(), eta=1e39)
    with pytest.raises(ValueError, match="a range that with eta is too large"):
        amsx.sampling_weights(1e38 * CAS, eta=3.4e38)


@pytest.mark.parametrize("number", [np.int32(7), np.uint8(7), torch.tensor(7), torch.tensor([7])])
def test_interp_factor(number: Any) -> None:
    expected = amsx.adaptive_sample(FEATS, CAS, interp_factor=7).timestamps
    assert torch.equal(amsx.adaptive_sample(FEATS, CAS, interp_factor=number).timestamps, expected)
