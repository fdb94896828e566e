"""Misspelt choices: refused when called, and found before by a type checker.

`mypy` checks this file, too, and is told of unused exceptions: each of them stands for an error that it must report.
"""

from collections.abc import Callable

import pytest
import torch

import amsx
from amsx.model.sampler import Sampler
from amsx.training.config import LocalizationConfig, PhasesConfig, SamplingConfig

CAS = torch.rand(1, 5, 2)


def test_the_ops() -> None:
    with pytest.raises(ValueError, match="mode is 'gird'; expected one of 'grid', 'continuous'"):
        amsx.adaptive_sample(CAS, CAS, mode="gird")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="aggregate is 'avg'; expected one of 'max', 'mean', 'random'"):
        amsx.adaptive_sample(CAS, CAS, aggregate="avg")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="aggregate is 'Max'"):
        amsx.sampling_weights(CAS, aggregate="Max")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="mode is 'cont'"):
        amsx.sampling_timestamps(torch.ones(5), mode="cont")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Sampler(weights="eraze"), "Sampler.weights must be one of 'adaptive'"),  # type: ignore[arg-type]
        (lambda: SamplingConfig(mode="gird"), "sampling.mode must be one of 'grid'"),  # type: ignore[arg-type]
        (lambda: PhasesConfig(supervision="mutuel"), "phases.supervision must be"),  # type: ignore[arg-type]
        (lambda: LocalizationConfig(nms="softer"), "localization.nms must be one of 'none'"),  # type: ignore[arg-type]
    ],
)
def test_the_settings_of_the_method(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
