"""Estimates: they count the schedule as it is, read few features, and come near a real training."""

import itertools
import re
import tempfile
from dataclasses import dataclass, replace

import pytest
import torch
from torch import nn

from amsx.cli import main
from amsx.data.batching import FeatureSet, train_batches
from amsx.data.features import FeatureArray
from amsx.data.synthetic import SyntheticConfig, make_dataset
from amsx.model.backbone_class import name_of
from amsx.training import expectations
from amsx.training.config import override
from amsx.training.expectations import READ, Expectation, describe, expect
from amsx.training.presets import for_dataset
from amsx.training.trainer import Trainer

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def dataset():
    return make_dataset(SyntheticConfig(train_videos=40, test_videos=10))


@pytest.fixture(scope="module")
def config(dataset):
    return override(for_dataset(dataset)[0], ["phases.iterations=2", "phases.supplementary_epochs=4"])


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


@dataclass(frozen=True)
class Counted:
    """Features that count how often they are read."""

    array: FeatureArray
    reads: list[None]
    parts = "no"

    @property
    def shape(self):
        return self.array.shape

    def load(self):
        self.reads.append(None)
        return self.array.load()


def test_a_few_videos_are_read(dataset, config):
    reads: list[None] = []
    videos = tuple(replace(v, streams={k: Counted(s, reads) for k, s in v.streams.items()}) for v in dataset.videos)
    assert expect(replace(dataset, videos=videos), config, "rgb", CPU).seconds > 0
    assert 1 <= len(reads) <= READ


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
    mapped = expect(dataset, override(config, ["optimization.storage=mapped"]), "rgb", CPU)
    assert (mapped.memory, mapped.temporary) == (plain - features, features)
    wider = override(config, ["model.hidden=512"])  # a snippet of the largest batch, and parameters with moments
    assert expect(dataset, wider, "rgb", CPU).memory > plain + 256 * 4 * (8 * 16 * 100)


class Deep(nn.Module):
    """A backbone that keeps `layers` hidden layers for its gradients."""

    layers = 1

    def __init__(self, in_features, num_classes, *, hidden, dropout, top_k_divisor):
        super().__init__()
        sizes = [in_features] + [hidden] * self.layers
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))
        self.heads = nn.Linear(hidden, 2 * num_classes)

    def forward(self, feats, lengths):
        for layer in self.hidden:
            feats = layer(feats).relu()
        cas, category = self.heads(feats).chunk(2, dim=2)
        valid = (torch.arange(cas.shape[1]) < lengths[:, None])[..., None]
        return cas.sigmoid(), ((category * valid).sum(dim=1) / lengths[:, None]).log_softmax(dim=1)


class Deeper(Deep):
    """The same with seven."""

    layers = 7


def test_a_backbone_of_ones_own_is_counted_by_what_it_keeps(dataset, config):
    own = replace(config, model=replace(config.model, hidden=64))
    found = [
        expect(dataset, replace(own, model=replace(own.model, backbone=name_of(network))), "rgb", CPU)
        for network in (Deep, Deeper)
    ]
    batch = found[0].snippets / 3  # of the three batches of an epoch, with the padding, which such a network computes
    more = batch * 6 * 4 * 64  # bytes of six more layers
    parameters = 2 * 6 * (64 * 64 + 64)
    assert more < found[1].memory - found[0].memory - 16 * parameters < 2.5 * more


def test_features_are_held_as_the_memory_at_hand_allows(dataset, config, monkeypatch):
    plain, features = expect(dataset, config, "rgb", CPU), 4 * 64 * sum(video.length for video in dataset.videos)
    monkeypatch.setattr(expectations, "available_memory", lambda: 0)
    found = expect(dataset, config, "rgb", CPU)
    assert (found.memory, found.temporary) == (plain.memory - features, features) and plain.temporary == 0


@pytest.mark.parametrize(("seconds", "said"), [(12.3, "12 s"), (600, "10 min"), (7200, "2.0 h")])
def test_the_text(seconds, said):
    text = describe([Expectation("rgb", seconds, 3 << 29, 7 << 20, 0, 100, 5000)], CPU)
    assert f"rgb: about {said} for 100 steps, 1.5 GiB beyond what Python and torch take, 7 MiB on disk\n" in text
    text = describe([Expectation("rgb", seconds, 3 << 29, 7 << 20, 5 << 30, 100, 5000)], CPU)
    assert f", 7 MiB on disk, 5.0 GiB of temporary files in {tempfile.gettempdir()}\n" in text
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
