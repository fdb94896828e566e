"""A data set and settings small enough to run whole experiments in tests."""

import pytest

from amsx.data.synthetic import SyntheticConfig, make_dataset
from amsx.training.config import override
from amsx.training.presets import for_dataset

SETTINGS = [
    "model.hidden=16",
    "phases.base_epochs=2",
    "phases.supplementary_epochs=1",
    "phases.alternate_epochs=1",
    "phases.iterations=2",
    "optimization.learning_rate=3e-3",
]


@pytest.fixture(scope="session")
def dataset():
    return make_dataset(SyntheticConfig(classes=3, train_videos=16, test_videos=8, length=(30, 50)))


@pytest.fixture(scope="session")
def config(dataset):
    return override(for_dataset(dataset)[0], SETTINGS)


@pytest.fixture(scope="session", autouse=True)
def quick_start(forked_workers: object) -> None:
    """The workers of all tests in this folder start quickly."""
