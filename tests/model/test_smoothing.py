"""Temporal smoothing of a branch: what it computes, what it may not see, and that off is off."""

import pytest
import torch

from amsx.model.backbone import Backbone
from amsx.model.masking import smooth

LENGTHS = torch.tensor([11, 1, 6])


def test_against_the_sum_written_out():
    x = torch.randn(3, 11, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = smooth(x, LENGTHS, 1.5)
    for b, n in enumerate(LENGTHS.tolist()):
        for t in range(n):
            near = [s for s in range(n) if abs(s - t) <= 5]  # ceil(3 * 1.5)
            weights = torch.tensor([-0.5 * ((s - t) / 1.5) ** 2 for s in near], dtype=torch.float64).softmax(dim=0)
            torch.testing.assert_close(found[b, t], (weights[:, None] * x[b, near]).sum(dim=0))


@pytest.mark.parametrize("sigma", [0.01, 1.0, 40.0])
def test_a_constant_stays(sigma):
    x = torch.full((3, 11, 2), 0.3)
    valid = torch.arange(11) < LENGTHS[:, None]
    torch.testing.assert_close(smooth(x, LENGTHS, sigma)[valid], x[valid])


def branch(smoothing: float) -> Backbone:
    torch.manual_seed(0)
    made = Backbone(5, 3, hidden=8, dropout=0.0, top_k_divisor=4, smoothing=smoothing).double()
    made.standardize_by(torch.full((5,), 0.5, dtype=torch.float64), torch.full((5,), 2.0, dtype=torch.float64))
    return made


@pytest.fixture
def feats() -> torch.Tensor:
    return torch.randn(3, 11, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_a_branch_with_smoothing_sees_smoothed_features(feats):
    valid = torch.arange(11) < LENGTHS[:, None]
    inside, before = branch(2.0)(feats, LENGTHS), branch(0.0)(smooth(feats, LENGTHS, 2.0), LENGTHS)
    torch.testing.assert_close(inside.cas[valid], before.cas[valid])
    torch.testing.assert_close(inside.log_probs, before.log_probs)
    assert not torch.allclose(inside.cas[valid], branch(0.0)(feats, LENGTHS).cas[valid])


def test_padding_never_matters_to_value_or_gradient(feats):
    valid = torch.arange(11) < LENGTHS[:, None]
    results = []
    for padding in (0.0, 17.0):
        made = branch(2.0)
        x = torch.where(valid[..., None], feats, torch.full_like(feats, padding))
        output = made(x, LENGTHS)
        (output.cas[valid].square().sum() + output.log_probs.sum()).backward()
        gradients = [p.grad for p in made.parameters()]
        results.append([output.cas[valid].detach(), output.log_probs.detach(), *gradients])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
