"""What a run keeps of its iterations and of its input, by hand."""

import numpy as np
import pytest
import torch

from amsx.data.batching import FeatureSet
from amsx.training.config import PhasesConfig
from amsx.training.phases import schedule
from amsx.training.snapshots import both_trained, feature_change, load_input, load_snapshots, snapshot_epochs


def test_which_epochs_end_an_iteration():
    phases = schedule(PhasesConfig(base_epochs=20, alternate_epochs=5, iterations=3))
    assert snapshot_epochs(phases) == {20: 0, 30: 1, 40: 2}  # the last is the run's own
    assert not both_trained(phases, 20)
    assert both_trained(phases, 30)
    alone = schedule(PhasesConfig(branches="base", base_epochs=20, alternate_epochs=5, iterations=3))
    assert snapshot_epochs(alone) == {20: 0, 25: 1, 30: 2}
    assert not both_trained(alone, 30)
    both = schedule(PhasesConfig(base_epochs=20, supplementary_epochs=10, alternate_epochs=5, iterations=1))
    assert snapshot_epochs(both) == {30: 0}
    assert both_trained(both, 30)


def test_feature_change_by_hand():
    rows = torch.tensor([[1.0, 0], [2, 0], [0, 3], [0, -1], [0, 0], [5, 5], [7, 7]])
    features = FeatureSet(("a", "b", "c"), rows, np.array([0, 4, 5, 7]), torch.zeros(3, 1))
    # Within a: the same direction, a right angle, the opposite; b is a single snippet; c does not turn.
    assert feature_change(features) == pytest.approx([0, 0.5, 1.5, 2, 0, 0, 0], abs=1e-6)
    gap = FeatureSet(("a",), torch.tensor([[1.0, 0], [0, 0], [0, 1]]), np.array([0, 3]), torch.zeros(1, 1))
    assert feature_change(gap).tolist() == [0, 0, 0]


def test_a_run_that_kept_nothing(tmp_path):
    assert load_snapshots(tmp_path) == {}
    assert load_input(tmp_path / "input.safetensors") is None
