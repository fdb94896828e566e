"""The warp of time that a sampler makes: none without one, what Eq. 4 allows with it, and zeros where weights are 0."""

import numpy as np
import pytest

from amsx.data.videos import Timebase
from amsx.experiments.warp import UNBENT, Warp, mean_warp, measure_warp
from amsx.localization.fusion import Activations
from amsx.training.activations import StreamActivations
from amsx.training.config import Config, override


@pytest.fixture(scope="module")
def activations():
    """Two videos of 40 and 24 snippets: the CAS of the first is a box of height 1, that of the second constant."""
    cas = np.zeros((64, 2), np.float32)
    cas[10:20, 0] = 1.0
    cas[40:, 1] = 0.4
    probs = np.array([[0.9, 0.1], [0.1, 0.9]], np.float32)
    part = Activations(cas, probs, np.array([40, 24]))
    return StreamActivations("rgb", ("a", "b"), ("x", "y"), (Timebase(1.0), Timebase(1.0)), part, part)


@pytest.mark.parametrize(("eta", "ratio"), [(0.75, (1.75 / 0.75 + 1) / 2), (0.25, (1.25 / 0.25 + 1) / 2)])
def test_the_ratio_is_that_of_the_weights(activations, eta, ratio):
    warp = measure_warp(activations, override(Config(), [f"sampling.eta={eta}"]))
    assert warp.ratio == pytest.approx(ratio)
    assert warp.displacement > 0.3


def test_a_stronger_warp_moves_samples_further(activations):
    mild, strong = (measure_warp(activations, override(Config(), [f"sampling.eta={eta}"])) for eta in (0.75, 0.25))
    assert strong.displacement > mild.displacement


def test_without_a_sampler_time_stays(activations):
    assert measure_warp(activations, override(Config(), ["phases.sampler=false"])) == UNBENT
    assert str(UNBENT) == "1.00x, 0.00"


def test_erasing_has_no_ratio_and_random_weights_are_the_same_each_time(activations):
    assert measure_warp(activations, override(Config(), ["sampling.weights=erase"])).ratio is None
    random = override(Config(), ["sampling.weights=random"])
    assert measure_warp(activations, random) == measure_warp(activations, random)
    assert mean_warp([Warp(None, 1.0), Warp(2.0, 3.0)]) == Warp(None, 2.0)
