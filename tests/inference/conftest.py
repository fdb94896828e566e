"""One small run of two streams, which the tests of this folder apply to its own test videos in other clothes."""

from pathlib import Path

import pytest

from amsx.data.synthetic import SyntheticConfig, make_dataset
from amsx.data.videos import Dataset
from amsx.inference.model import TrainedModel, load
from amsx.training.config import override
from amsx.training.presets import for_dataset
from amsx.training.run import train_run

BRIEF = [
    *("phases.base_epochs=2", "phases.supplementary_epochs=1", "phases.alternate_epochs=1", "phases.iterations=1"),
    *("model.hidden=16", "optimization.learning_rate=5e-3", "localization.thresholds=0.8,1.0,1.2"),
    *("localization.nms=soft", "localization.score=outer-inner-contrast"),
]


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    return make_dataset(SyntheticConfig(classes=3, train_videos=8, test_videos=4, length=(20, 40)))


@pytest.fixture(scope="session")
def run(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "run"
    return train_run(dataset, override(for_dataset(dataset)[0], BRIEF), out, progress=False, say=lambda _: None).out


@pytest.fixture(scope="session")
def model(run: Path) -> TrainedModel:
    return load(run)
