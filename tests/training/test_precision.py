"""Training in 16 bits: what is computed in them, that nothing is lost, and that it resumes to the bit."""

from dataclasses import replace

import pytest
import torch

from amsx.data.batching import FeatureSet
from amsx.data.synthetic import SyntheticConfig, make_dataset
from amsx.model.backbone import Backbone
from amsx.training import checkpoint
from amsx.training.config import Config, override
from amsx.training.setup import autocast
from amsx.training.trainer import Trainer

SETTINGS = [
    *("model.hidden=16", "model.dropout=0", "optimization.batch_size=4", "optimization.learning_rate=1e-3"),
    *("phases.base_epochs=2", "phases.alternate_epochs=2", "phases.iterations=1", "sampling.interp_factor=2"),
]


@pytest.fixture(scope="module")
def features() -> FeatureSet:
    dataset = make_dataset(SyntheticConfig(classes=3, train_videos=8, test_videos=2, length=(24, 40)))
    return FeatureSet.load(dataset.subset("train"), "rgb", dataset.classes)


def make(features: FeatureSet, precision: str, *settings: str) -> Trainer:
    config = override(Config(), [*SETTINGS, *settings, f"optimization.precision={precision}"])
    return Trainer(features, config, stream="rgb", classes=["a", "b", "c"], progress=False)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_losses_are_close_and_every_weight_learns(features, precision):
    exact, rough = make(features, "float32"), make(features, precision)
    before = {name: value.clone() for name, value in rough.model.state_dict().items()}
    exact.train()
    rough.train()
    for a, b in zip(exact.history, rough.history, strict=True):
        assert b.loss == pytest.approx(a.loss, rel=0.02)
    assert rough.history[-1].loss != exact.history[-1].loss
    after = rough.model.state_dict()
    assert all(value.dtype == torch.float32 for value in after.values())
    frozen = {"base.shift", "base.scale", "supplementary.shift", "supplementary.scale"}
    assert {name for name, value in after.items() if torch.equal(value, before[name])} == frozen


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_it_resumes_to_the_bit(features, tmp_path, precision):
    whole, half = make(features, precision), make(features, precision)
    whole.train()
    half.train(until=3)
    checkpoint.save(tmp_path / "c.safetensors", *half.state(), kind="checkpoint")
    resumed = make(features, precision)
    resumed.restore(*checkpoint.load(tmp_path / "c.safetensors", kind="checkpoint"))
    resumed.train()
    (tensors, header), (expected, expected_header) = resumed.state(), whole.state()
    assert all(torch.equal(tensors[name], expected[name]) for name in expected)
    assert header.get("scaler") == expected_header.get("scaler")
    assert ("scaler" in header) == (precision == "float16")


def test_a_branch_returns_float32_and_a_large_mean_is_no_loss():
    torch.manual_seed(0)
    branch = Backbone(6, 3, hidden=16, dropout=0.0, top_k_divisor=4, attention=True).eval()
    branch.standardize_by(torch.full((6,), 1000.0), torch.full((6,), 0.5))
    features, lengths = 1000 + 0.5 * torch.randn(2, 20, 6), torch.tensor([20, 12])
    exact = branch(features, lengths)
    with autocast("bfloat16", torch.device("cpu")):
        rough = branch(features, lengths)
    assert all(value.dtype == torch.float32 for value in rough)
    assert not torch.equal(rough.cas, exact.cas)
    torch.testing.assert_close(rough.cas, exact.cas, atol=0.02, rtol=0)
    torch.testing.assert_close(rough.log_probs, exact.log_probs, atol=0.02, rtol=0)


def test_standardized_features_train_alike(features):
    shifted = replace(features, rows=features.rows + 500)
    exact, rough = (make(shifted, precision, "model.standardize=true") for precision in ("float32", "bfloat16"))
    exact.train(until=2)
    rough.train(until=2)
    assert rough.history[-1].loss == pytest.approx(exact.history[-1].loss, rel=0.02)
