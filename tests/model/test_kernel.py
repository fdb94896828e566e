"""Temporal convolution in the first layer of a branch: what it computes, and what it may not see."""

import pytest
import torch

from amsx.model.backbone import Backbone
from amsx.training.config import Config, override
from amsx.training.setup import build_model

LENGTHS = torch.tensor([11, 1, 6])


def branch(kernel: int) -> Backbone:
    torch.manual_seed(0)
    made = Backbone(5, 3, hidden=8, dropout=0.0, top_k_divisor=4, kernel=kernel).double()
    made.standardize_by(torch.full((5,), 0.5, dtype=torch.float64), torch.full((5,), 2.0, dtype=torch.float64))
    return made


@pytest.fixture
def feats() -> torch.Tensor:
    return torch.randn(3, 11, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("kernel", [3, 5])
def test_against_the_sum_written_out(feats, kernel):
    made, half = branch(kernel), kernel // 2
    found = made(feats, LENGTHS).embedding
    standardized = (feats - 0.5) / 2
    weight = made.embed.weight.view(8, kernel, 5)
    for b, n in enumerate(LENGTHS.tolist()):
        for t in range(n):
            near = [s for s in range(t - half, t + half + 1) if 0 <= s < n]  # beyond the ends: the mean, which is 0
            parts = [weight[:, s - t + half] @ standardized[b, s] for s in near]
            torch.testing.assert_close(found[b, t], (sum(parts) + made.embed.bias).relu())


def test_padding_never_matters_to_value_or_gradient(feats):
    valid = torch.arange(11) < LENGTHS[:, None]
    results = []
    for padding in (0.0, 17.0):
        made = branch(3)
        output = made(torch.where(valid[..., None], feats, torch.full_like(feats, padding)), LENGTHS)
        (output.cas[valid].square().sum() + output.log_probs.sum()).backward()
        gradients = [p.grad for p in made.parameters()]
        results.append([output.cas[valid].detach(), output.log_probs.detach(), *gradients])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_the_setting_reaches_both_branches_and_must_be_odd():
    config = override(Config(), ["model.kernel=5", "model.hidden=4"])
    weights = dict(build_model(6, 2, config).named_parameters())
    assert weights["base.embed.weight"].shape == weights["supplementary.embed.weight"].shape == (4, 5 * 6)
    with pytest.raises(ValueError, match=r"model\.kernel must be an odd number, at least 1, got 2"):
        override(Config(), ["model.kernel=2"])


def test_a_backbone_of_ones_own_has_no_kernel():
    config = override(Config(), ["model.kernel=3", "model.backbone=torch.nn:Linear"])
    with pytest.raises(
        ValueError, match=r"model\.kernel=3 is for .* paper's backbone, and torch\.nn:Linear has its own"
    ):
        build_model(6, 2, config)
