"""A data set and settings small enough to run whole experiments in tests."""

import json
from pathlib import Path

import numpy as np
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


@pytest.fixture(scope="session")
def data_folder(dataset, tmp_path_factory) -> Path:
    """The data set as files, rgb alone: windows of four to a video, whose ids end in _w0 to _w3."""
    folder = tmp_path_factory.mktemp("windows")
    (folder / "features").mkdir()
    database = {}
    for i, video in enumerate(dataset.videos):
        name = f"video{i // 4}_w{i % 4}"
        features = video.streams["rgb"].load()
        np.save(folder / "features" / f"{name}.npy", features)
        database[name] = {
            "subset": "Test" if video.subset == "test" else "Validation",
            "duration": len(features) * 0.64,
            "fps": 25.0,
            "frames": len(features) * 16,
            "annotations": [{"label": s.label, "segment": [s.start, s.end]} for s in video.segments],
        }
    (folder / "windows.json").write_text(json.dumps({"version": "made up", "database": database}))
    return folder
