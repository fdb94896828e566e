"""Estimates: they count the schedule as it is, read no feature, and come near a real training."""

import re
from dataclasses import replace

import pytest
import torch

from amsx.cli import main
from amsx.data.batching import FeatureSet, train_batches
from amsx.data.synthetic import SyntheticConfig, make_dataset
from amsx.training.config import override
from amsx.training.expectations import Expectation, describe, expect
from amsx.training.presets import for_dataset
from amsx.training.trainer import Trainer

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def dataset():
    return make_dataset(SyntheticConfig(train_videos=40, test_videos=10))


@pytest.fixture(scope="module")
def config(dataset):
    return override(for_dataset(dataset)[0], ["phases.iterations=2", "phases.supplementary_epochs=4"])


class Unread:
    """Features that must not be read."""

    def __init__(self, shape):
        self.shape = shape


def test_steps_and_snippets_are_those_of_the_training(dataset, config):
    found = expect(dataset, config, "rgb", CPU)
    settings = config.optimization
    features = FeatureSet.load(dataset.subset("train"), "rgb", dataset.classes)
    batches = list(
        train_batches(features, batch_size=settings.batch_size, max_snippets=settings.max_snippets, seed=0, epoch=0)
    )
    assert found.steps == len(batches) * (20 + 4 + 2 * (5 + 5))
    padded = sum(batch.features.shape[0] * batch.features.shape[1] for batch in batches)
    assert found.snippets == pytest.approx(padded, rel=0.15)  # the order is another


def test_no_feature_is_read(dataset, config):
    videos = tuple(replace(v, streams={k: Unread(s.shape) for k, s in v.streams.items()}) for v in dataset.videos)
    assert expect(replace(dataset, videos=videos), config, "rgb", CPU).seconds > 0


def test_time_is_of_the_right_order(dataset, config):
    """Within a factor of 5: the machine that runs tests may be busy with other things at either time."""
    features = FeatureSet.load(dataset.subset("train"), "rgb", dataset.classes)
    trainer = Trainer(features, config, stream="rgb", classes=dataset.classes, progress=False)
    trainer.train()
    real = sum(entry.seconds for entry in trainer.history)
    assert real / 5 < expect(dataset, config, "rgb", CPU).seconds < real * 5


def test_memory_grows_with_the_data_and_the_model(dataset, config):
    plain = expect(dataset, config, "rgb", CPU).memory
    features = 4 * 64 * sum(video.length for video in dataset.videos)
    assert plain > features
    assert expect(dataset, override(config, ["optimization.storage=mapped"]), "rgb", CPU).memory == plain - features
    wider = override(config, ["model.hidden=512"])  # a snippet of the largest batch, and parameters with moments
    assert expect(dataset, wider, "rgb", CPU).memory > plain + 256 * 4 * (8 * 16 * 100)


@pytest.mark.parametrize(("seconds", "said"), [(12.3, "12 s"), (600, "10 min"), (7200, "2.0 h")])
def test_the_text(seconds, said):
    text = describe([Expectation("rgb", seconds, 3 << 29, 100, 5000)], CPU)
    assert f"rgb: about {said} for 100 steps, 1.5 GiB" in text
    assert "an estimate" in text.replace("\n", " ")


def test_the_command_trains_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ["--data-option", "train_videos=12", "--data-option", "test_videos=6", "--set", "model.hidden=8"]
    assert main(["train", "synthetic", "--expect", *options]) == 0
    said = capsys.readouterr().out
    assert re.search(r"rgb: about \d+ s for \d+ steps, [1-9]\d* MiB", said)
    assert not list(tmp_path.iterdir())
    assert main(["train", "synthetic", *options]) == 1
    assert "--out says which run directory" in capsys.readouterr().err
