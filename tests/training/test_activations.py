"""What a run keeps of its iterations and of its input, by hand."""

import numpy as np
import pytest
import torch

from amsx.data.batching import FeatureSet
from amsx.training.activations import feature_change, load_input, load_snapshots


def test_feature_change_by_hand():
    rows = torch.tensor([[1.0, 0], [2, 0], [0, 3], [0, -1], [0, 0], [5, 5], [7, 7]])
    features = FeatureSet(("a", "b", "c"), rows, np.array([0, 4, 5, 7]), torch.zeros(3, 1))
    # Within a: the same direction, a right angle, the opposite; b is a single snippet; c does not turn.
    assert feature_change(features) == pytest.approx([0, 0.5, 1.5, 2, 0, 0, 0], abs=1e-6)
    gap = FeatureSet(("a",), torch.tensor([[1.0, 0], [0, 0], [0, 1]]), np.array([0, 3]), torch.zeros(1, 1))
    assert feature_change(gap).tolist() == [0, 0, 0]


def test_a_run_that_kept_nothing(tmp_path):
    (tmp_path / "iterations").mkdir()
    (tmp_path / "iterations" / "._0.safetensors").write_bytes(b"of macOS")
    assert load_snapshots(tmp_path) == {}
    assert load_input(tmp_path / "input.safetensors") is None
