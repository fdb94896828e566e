"""Smoothing of finished activations: what it computes, and that videos and their ends are kept apart."""

import numpy as np
import pytest
import torch

from amsx.localization.fusion import Activations
from amsx.localization.smoothing import smoothed
from amsx.model.masking import smooth

LENGTHS = np.array([11, 1, 6])


@pytest.fixture
def activations() -> Activations:
    rng = np.random.default_rng(0)
    return Activations(rng.random((18, 2), np.float32), rng.random((3, 2), np.float32), LENGTHS)


@pytest.mark.parametrize("sigma", [0.3, 1.5, 40.0])
def test_against_the_sum_written_out_video_by_video(activations, sigma):
    found = smoothed(activations, sigma)
    for own, rows in zip(np.split(found.cas, [11, 12]), np.split(activations.cas, [11, 12]), strict=True):
        times = np.arange(len(rows))
        away = np.abs(times[:, None] - times)
        weights = np.exp(-0.5 * (away / sigma) ** 2) * (away <= np.ceil(3 * sigma))
        np.testing.assert_allclose(own, weights @ rows / weights.sum(axis=1, keepdims=True), rtol=1e-6)
    assert found.cas.dtype == np.float32
    np.testing.assert_array_equal(found.probs, activations.probs)
    np.testing.assert_array_equal(found.lengths, activations.lengths)


def test_it_is_the_rule_by_which_a_branch_smooths_its_features(activations):
    padded = torch.zeros(3, 11, 2)
    padded[torch.arange(11) < torch.from_numpy(LENGTHS)[:, None]] = torch.from_numpy(activations.cas)
    expected = smooth(padded, torch.from_numpy(LENGTHS), 2.0)
    found = smoothed(activations, 2.0).cas
    np.testing.assert_allclose(found[:11], expected[0], rtol=1e-5)
    np.testing.assert_allclose(found[12:], expected[2, :6], rtol=1e-5)


def test_a_constant_stays_and_none_is_none(activations):
    flat = Activations(np.full((18, 2), 0.3, np.float32), activations.probs, LENGTHS)
    np.testing.assert_allclose(smoothed(flat, 3.0).cas, flat.cas, rtol=1e-7)
    assert smoothed(activations, 0.0) is activations
