"""The mean teacher: what the averages are, who is taught by them, and that a resumed run has the same."""

import pytest
import torch

from amsx.data.batching import FeatureSet
from amsx.data.synthetic import SyntheticConfig, make_dataset
from amsx.training import checkpoint
from amsx.training.config import Config, override
from amsx.training.phases import Phase
from amsx.training.trainer import Trainer

SETTINGS = [
    "model.hidden=8",
    "phases.base_epochs=2",
    "phases.alternate_epochs=1",
    "phases.iterations=2",
    "optimization.batch_size=4",
    "optimization.learning_rate=1e-2",
    "loss.pseudo_threshold=1.0",
]


@pytest.fixture(scope="module")
def features() -> FeatureSet:
    made = make_dataset(SyntheticConfig(classes=3, train_videos=8, test_videos=2, length=(16, 24)))
    return FeatureSet.load(made.subset("train"), "rgb", made.classes)


def make(features: FeatureSet, *settings: str) -> Trainer:
    config = override(Config(), [*SETTINGS, *settings])
    return Trainer(features, config, stream="rgb", classes=["a", "b", "c"], progress=False)


def test_averages_follow_a_branch_step_by_step(features):
    trainer = make(features, "loss.teacher_decay=0.75")
    expected: dict[str, torch.Tensor] = {}

    def after_step(optimizer, *_):
        branch = next(name for name, one in trainer.optimizers.items() if one is optimizer)
        for name, value in getattr(trainer.model, branch).named_parameters():
            if (key := f"teacher.{branch}.{name}") in expected:
                expected[key] = 0.75 * expected[key] + 0.25 * value.detach()

    for optimizer in trainer.optimizers.values():
        optimizer.register_step_post_hook(after_step)
    trainer.train(until=2)  # phase zero, in which nobody teaches
    assert not any(name.startswith("teacher.") for name in trainer.state()[0])
    expected |= {f"teacher.{name}": value.clone() for name, value in trainer.model.state_dict().items()}
    trainer.train()
    found = {name: value for name, value in trainer.state()[0].items() if name.startswith("teacher.")}
    assert found.keys() == expected.keys()
    for name, value in found.items():
        torch.testing.assert_close(value, expected[name])
    assert not torch.allclose(found["teacher.base.embed.weight"], trainer.state()[0]["model.base.embed.weight"])


@pytest.mark.parametrize(
    ("trains", "teacher"), [("supplementary", "base"), ("base", "supplementary"), ("base", "base")]
)
def test_the_averages_of_the_teaching_branch_give_the_pseudo_labels(features, trains, teacher):
    """Whatever the branches themselves say, the localization loss changes with the averages of the teacher alone."""
    losses = []
    for changed in (None, teacher, {"base": "supplementary", "supplementary": "base"}[teacher]):
        trainer = make(features, "loss.teacher_decay=0.9")
        trainer.phases = (Phase("one", 1, trains, teacher, 1),)
        trainer._teacher.begin(trainer.model)
        if changed:
            with torch.no_grad():
                getattr(trainer._teacher.model, changed).activation_head.bias += torch.tensor([3.0, -3.0, 0.0, 1.0])
                getattr(trainer._teacher.model, changed).activation_head.weight *= -2
        trainer.train()
        losses.append(trainer.history[0].localization)
    assert losses[0] == losses[2] != losses[1]


@pytest.mark.parametrize("stop", [2, 3, 5])
def test_a_resumed_run_is_the_uninterrupted_run_to_the_bit(features, tmp_path, stop):
    settings = ("loss.teacher_decay=0.9", "loss.confidence=true", "model.attention=true")
    whole, part, resumed = (make(features, *settings) for _ in range(3))
    whole.train()
    part.train(until=stop)
    checkpoint.save(tmp_path / "c.safetensors", *part.state(), kind="checkpoint")
    resumed.restore(*checkpoint.load(tmp_path / "c.safetensors", kind="checkpoint"))
    resumed.train()
    found, expected = resumed.state()[0], whole.state()[0]
    assert any(name.startswith("teacher.") for name in expected)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_without_averages_a_run_is_what_it_was_and_with_them_it_is_another(features):
    runs = [make(features, *settings) for settings in ((), ("loss.teacher_decay=0.9",), ("loss.confidence=true",))]
    for trainer in runs:
        trainer.train()
    plain, averaged, weighed = ([record.localization for record in trainer.history] for trainer in runs)
    assert not any(name.startswith("teacher.") for name in runs[0].state()[0])
    assert averaged[:3] == plain[:3]  # phase zero, and the first phase one, whose teacher has not moved yet
    assert averaged[3] != plain[3]
    assert weighed[:2] == plain[:2] == [0, 0]
    assert weighed[2] != plain[2]
