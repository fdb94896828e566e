"""A run whose branches are of a class of the user's: trained, resumed, loaded, exported, and refused where unnamed."""

import json
import sys

import numpy as np
import pytest
import torch

import amsx
from amsx.cli import main
from amsx.data.batching import FeatureSet
from amsx.data.synthetic import SyntheticConfig, make_dataset
from amsx.export.exporting import export_branch
from amsx.model.backbone_class import import_backbone
from amsx.training import checkpoint
from amsx.training.config import Config, override
from amsx.training.run import train_run
from amsx.training.run_directory import read_run
from amsx.training.trainer import Trainer

NAME = "net_of_a_test:Net"
MODULE = """
import torch
from torch import nn
from amsx.model.masking import top_k_mean

class Net(nn.Module):
    def __init__(self, in_features, num_classes, *, hidden, **others):
        super().__init__()
        self.kept = nn.Linear(in_features, in_features).requires_grad_(False)
        self.embed = nn.Linear(in_features, hidden)
        self.head = nn.Linear(hidden, 2 * num_classes)

    def forward(self, features, lengths):
        embedding = self.embed(self.kept(features)).relu()
        scores, evidence = self.head(embedding).chunk(2, dim=2)
        return scores.sigmoid(), top_k_mean(evidence, lengths, 8).log_softmax(dim=1), embedding

class Wrong(Net):
    def forward(self, features, lengths):
        return features, lengths
"""
BRIEF = ["phases.base_epochs=1", "phases.supplementary_epochs=1", "phases.alternate_epochs=1", "phases.iterations=1"]
BRIEF += ["model.hidden=8", "sampling.interp_factor=2"]


@pytest.fixture
def net(tmp_path, monkeypatch):
    """A module on Python's path that no one has imported."""
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "net_of_a_test.py").write_text(MODULE)
    monkeypatch.syspath_prepend(folder)
    yield
    sys.modules.pop("net_of_a_test", None)


@pytest.fixture(scope="module")
def dataset():
    return make_dataset(SyntheticConfig(classes=2, train_videos=4, test_videos=2, length=(20, 24)))


def quiet(text: str) -> None:
    """What a training says is of no interest here."""


def test_a_run_from_end_to_end(net, dataset, tmp_path):
    run = tmp_path / "run"
    amsx.train(dataset, run, backbone=NAME, overrides=BRIEF, streams=["rgb"], progress=False, say=quiet)
    assert json.loads((run / "config.json").read_text())["config"]["model"]["backbone"] == NAME
    features = dataset.subset("test")[0].streams["rgb"].load()
    found = amsx.load(run).cas(features, snippet_seconds=1.0).cas  # this program has imported the module
    exported = export_branch(run, tmp_path / "branch.pt", to="torchscript")
    assert exported.differences.acceptable
    sys.modules.pop("net_of_a_test")
    with pytest.raises(ValueError, match=f"if you trust it, add --backbone {NAME}"):
        amsx.load(run)
    assert "net_of_a_test" not in sys.modules
    with pytest.raises(ValueError, match=f"was trained with the backbone {NAME}; got other:Net"):
        amsx.load(run, backbone="other:Net")
    again = amsx.load(run, backbone=NAME)
    np.testing.assert_array_equal(again.cas(features, snippet_seconds=1.0).cas, found)
    given = amsx.load(run, backbone=sys.modules["net_of_a_test"].Net)
    np.testing.assert_array_equal(given.cas(features, snippet_seconds=1.0).cas, found)


def test_commands_import_what_they_are_told(net, tmp_path, capsys):
    data = ["synthetic", "--data-option=classes=2", "--data-option=train_videos=4", "--data-option=test_videos=2"]
    data += ["--data-option=length=[20, 24]", "--data-option=duration=[4, 8]"]
    train = ["train", *data, "--stream=rgb", "--quiet", *(f"--set={setting}" for setting in BRIEF)]
    run = str(tmp_path / "run")
    assert main([*train, "--out", run, "--backbone", NAME]) == 0
    sys.modules.pop("net_of_a_test")
    np.save(tmp_path / "new.npy", np.random.default_rng(0).random((20, 64), np.float32))
    capsys.readouterr()
    localize = ["localize", run, str(tmp_path / "new.npy")]
    assert main(localize) != 0
    assert f"add --backbone {NAME}" in capsys.readouterr().err
    assert main([*localize, "--backbone", NAME]) == 0
    config = ["--config", f"{run}/config.json"]
    sys.modules.pop("net_of_a_test")
    assert main([*train, *config, "--out", str(tmp_path / "second")]) != 0
    assert "net_of_a_test" not in sys.modules
    assert not (tmp_path / "second").exists()
    assert main([*train, *config, "--out", str(tmp_path / "second"), f"--set=model.backbone={NAME}"]) == 0


def test_a_faulty_one_is_refused_before_anything_is_written(net, dataset, tmp_path):
    with pytest.raises(ValueError, match=r"net_of_a_test:Wrong .* CAS is a tensor \(3, 7, 64\)"):
        amsx.train(dataset, tmp_path / "run", backbone="net_of_a_test:Wrong", overrides=BRIEF, say=quiet)
    assert not (tmp_path / "run").exists()


def test_it_resumes_to_the_bit_and_leaves_frozen_parts_alone(net, dataset, tmp_path):
    import_backbone(NAME)
    config = override(Config(), [*BRIEF, f"model.backbone={NAME}", "model.standardize=true"])

    kept = {}

    def kill(trainer: Trainer) -> None:
        kept[trainer.epoch] = trainer.model.base.state_dict()["network.kept.weight"].clone()
        checkpoint.save(tmp_path / "half" / "rgb" / "checkpoint.safetensors", *trainer.state(), kind="checkpoint")

    whole = tmp_path / "whole"
    train_run(dataset, config, whole, streams=["rgb"], progress=False, say=quiet)
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "config.json").write_bytes((whole / "config.json").read_bytes())
    features = FeatureSet.load(dataset.subset("train"), "rgb", dataset.classes)
    Trainer(features, config, stream="rgb", classes=dataset.classes, progress=False).train(kill, until=2)
    train_run(dataset, config, tmp_path / "half", streams=["rgb"], progress=False, resume=True, say=quiet)
    expected, _ = checkpoint.load(whole / "rgb" / "checkpoint.safetensors", kind="checkpoint")
    tensors, _ = checkpoint.load(tmp_path / "half" / "rgb" / "checkpoint.safetensors", kind="checkpoint")
    assert tensors.keys() == expected.keys()
    assert all(torch.equal(tensors[name], expected[name]) for name in expected)
    assert torch.equal(kept[1], expected["model.base.network.kept.weight"])
    assert read_run(whole).config.model.backbone == NAME
