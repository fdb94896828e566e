"""The trainer: frozen branches, resumption to the bit, seeds."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from amsx.data.batching import FeatureSet
from amsx.data.synthetic import SyntheticConfig, make_dataset
from amsx.model import valid_rows
from amsx.model.backbone import Backbone
from amsx.training import checkpoint
from amsx.training.config import Config, override
from amsx.training.phases import Phase
from amsx.training.setup import choose_device, moments
from amsx.training.trainer import Trainer

SETTINGS = [
    "model.hidden=16",
    "phases.base_epochs=2",
    "phases.alternate_epochs=2",
    "phases.iterations=1",
    "optimization.batch_size=4",
    "optimization.learning_rate=1e-3",
    "optimization.max_snippets=30",
]


@pytest.fixture(scope="module")
def features() -> FeatureSet:
    dataset = make_dataset(SyntheticConfig(classes=3, train_videos=12, test_videos=2, length=(24, 40)))
    return FeatureSet.load(dataset.subset("train"), "rgb", dataset.classes)


def make(features: FeatureSet, *settings: str) -> Trainer:
    config = override(Config(), [*SETTINGS, *settings])
    return Trainer(features, config, stream="rgb", classes=["a", "b", "c"], progress=False)


def weights(trainer: Trainer, branch: str) -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in getattr(trainer.model, branch).state_dict().items()}


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def untimed(history: list[dict]) -> list[dict]:
    return [{k: v for k, v in entry.items() if k != "seconds"} for entry in history]


@pytest.mark.parametrize("supervision", ["mutual", "self"])
@pytest.mark.parametrize("sampler", ["true", "false"])
def test_one_branch_trains_and_the_other_is_frozen_to_the_bit(features, supervision, sampler):
    trainer = make(features, f"phases.supervision={supervision}", f"phases.sampler={sampler}")
    before = {name: weights(trainer, name) for name in ("base", "supplementary")}

    def check(trainer: Trainer) -> None:
        trains = trainer.history[-1].trains
        frozen = "supplementary" if trains == "base" else "base"
        assert equal(weights(trainer, frozen), before[frozen])
        assert not equal(weights(trainer, trains), before[trains])
        assert all(p.grad is None or not p.requires_grad for p in getattr(trainer.model, frozen).parameters())
        before[trains] = weights(trainer, trains)

    trainer.train(after_epoch=check)
    assert [(h.phase, h.trains) for h in trainer.history] == [
        ("zero", "base"),
        ("zero", "base"),
        ("one", "supplementary"),
        ("one", "supplementary"),
        ("two", "base"),
        ("two", "base"),
    ]


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        # The guide and teacher without dropout, then the student with it.
        (
            Phase("one", 1, "supplementary", "base", 1),
            {("base", False, False), ("supplementary", True, True)},
        ),
        # The student with dropout; the teacher and its guide (the student as it would be tested) without.
        (
            Phase("two", 1, "base", "supplementary", 1),
            {("base", True, True), ("base", False, False), ("supplementary", False, False)},
        ),
    ],
)
def test_the_frozen_branch_runs_without_dropout(features, phase, expected, monkeypatch):
    trainer = make(features)
    trainer.phases = (phase,)
    seen = set()
    read = Backbone._read

    def watched(branch, *arguments):
        name = "base" if branch is trainer.model.base else "supplementary"
        result = read(branch, *arguments)
        seen.add((name, branch.training, result[0].requires_grad))
        return result

    monkeypatch.setattr(Backbone, "_read", watched)
    trainer.train()
    assert seen == expected


@pytest.mark.parametrize(("restart", "steps"), [("true", 3), ("false", 6)])
def test_adam_begins_anew_with_a_phase_if_asked(features, restart, steps):
    trainer = make(features, f"optimization.restart={restart}")
    trainer.phases = (Phase("zero", 0, "base", None, 1), Phase("two", 1, "base", "base", 1))
    trainer.train()
    assert trainer.state()[0]["optimizer.base.embed.weight.step"] == steps  # 12 videos are 3 batches an epoch


def test_every_epoch_has_random_numbers_of_its_own(features):
    trainer = make(features)
    seeds = []
    for branch in (trainer.model.base, trainer.model.supplementary):
        branch.register_forward_hook(lambda *_: seeds.append(torch.initial_seed()))
    trainer.train()
    assert len(set(seeds)) == 6


@pytest.mark.parametrize("stop", [1, 2, 3, 5])
@pytest.mark.parametrize("restart", ["true", "false"])
def test_a_resumed_run_is_the_uninterrupted_run_to_the_bit(features, tmp_path, stop, restart):
    whole = make(features, f"optimization.restart={restart}")
    whole.train()

    class Killed(Exception):
        pass

    def kill(trainer: Trainer) -> None:
        checkpoint.save(tmp_path / "c.safetensors", *trainer.state(), kind="checkpoint")
        if trainer.epoch == stop:
            raise Killed

    with pytest.raises(Killed):
        make(features, f"optimization.restart={restart}").train(after_epoch=kill)
    torch.manual_seed(stop)  # whatever else a process does with torch's random numbers
    resumed = make(features, f"optimization.restart={restart}")
    resumed.restore(*checkpoint.load(tmp_path / "c.safetensors", kind="checkpoint"))
    assert resumed.epoch == stop
    resumed.train()
    (tensors, header), (expected, expected_header) = resumed.state(), whole.state()
    assert equal(tensors, expected)
    assert any(name.startswith("optimizer.base.") for name in tensors)
    assert untimed(header["history"]) == untimed(expected_header["history"])


def test_the_seed_decides_everything_and_disturbs_nothing(features):
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    first = make(features)
    first.train()
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(6)
    again = make(features)
    again.train()
    other = make(features, "optimization.seed=1")
    other.train()
    assert equal(first.state()[0], again.state()[0])
    assert not equal(first.state()[0], other.state()[0])


def test_phase_zero_does_not_depend_on_what_follows(features):
    """What lets the rows of an ablation share it."""
    rows = [
        ("phases.branches=base",),
        ("phases.supervision=none",),
        ("phases.sampler=false", "phases.iterations=2"),
    ]
    states = []
    for row in rows:
        trainer = make(features, *row)
        trainer.phases = trainer.phases[:1]
        trainer.train()
        states.append(trainer.state()[0])
    assert equal(states[0], states[1])
    assert equal(states[0], states[2])


@pytest.mark.parametrize("kind", ["softmax", "binary"])
def test_the_log_counts_epochs_and_terms(features, kind):
    trainer = make(features, f"loss.cas_classification={kind}", "loss.cas_weight=0.5")
    trainer.train()
    assert [h.epoch for h in trainer.history] == [1, 2, 3, 4, 5, 6]
    for entry in trainer.history:
        expected = entry.classification + 0.5 * entry.cas_classification + entry.similarity
        assert entry.loss == pytest.approx(expected + entry.localization, rel=1e-5)
        assert (entry.localization > 0) == (entry.phase != "zero")


def test_a_checkpoint_of_other_data_is_refused(features):
    tensors, header = make(features).state()
    with pytest.raises(ValueError, match="the checkpoint's stream is 'flow', the data's is 'rgb'"):
        make(features).restore(tensors, {**header, "stream": "flow"})
    with pytest.raises(ValueError, match="the checkpoint does not fit the configured model"):
        make(features, "model.hidden=8").restore(tensors, header)


def test_a_diverging_run_stops(features):
    rows = torch.full_like(features.rows, 3e38)
    trainer = make(replace(features, rows=rows))
    where = r"in epoch 1 of 6 \(phase zero, .* base branch\), in batch 1 of \d \(videos \w+, .*after epoch 0 is whole"
    with pytest.raises(FloatingPointError, match=rf"rgb: the loss became .* {where}.*learning_rate \(it is "):
        trainer.train()


def test_weights_that_diverge_in_the_last_batch_are_not_saved(features):
    """The losses of the epoch were computed before, and are finite."""
    trainer = make(features, "optimization.batch_size=1000")
    saved: list[int] = []
    trainer.train(lambda trainer: saved.append(trainer.epoch), until=1)
    before = trainer.state()[0]
    for group in trainer.optimizers["base"].param_groups:
        group["lr"] = 1e39
    with pytest.raises(
        FloatingPointError, match=r"the weights became infinite or NaN in epoch 2 of 6 .* epoch 1 is whole"
    ):
        trainer.train(lambda trainer: saved.append(trainer.epoch))
    assert saved == [1]
    assert all(value.isfinite().all() for value in before.values())


def test_moments():
    rows = torch.from_numpy(np.random.default_rng(0).normal(3, 2, (1000, 4)).astype(np.float32))
    rows[:, 2] = 7.0
    mean, deviation = moments(rows)
    torch.testing.assert_close(mean, rows.mean(dim=0))
    torch.testing.assert_close(deviation[[0, 1, 3]], rows[:, [0, 1, 3]].std(dim=0, correction=0))
    assert deviation[2] == 1


def test_devices():
    assert choose_device("cpu").type == "cpu"
    with pytest.raises(ValueError, match="unknown device 'gpu'"):
        choose_device("gpu")
    if not torch.cuda.is_available():
        assert choose_device().type == "cpu"
        with pytest.raises(ValueError, match="sees no GPU"):
            choose_device("cuda")


def test_progress_in_a_log_is_a_line_now_and_then(features, capsys):
    trainer = make(features)
    trainer.progress = True
    trainer.train()
    lines = capsys.readouterr().err.replace("\r", "\n").split("\n")
    shown = [line for line in lines if "6" in line and line.startswith("rgb")]
    assert "6/6" in shown[-1]
    assert "phase two, iteration 1, loss" in shown[-1]
    assert len(shown) <= 2  # the first and the last, unless an epoch takes a minute


class Synchronizations(TorchDispatchMode):
    """Counts the operations for whose result a host waits where they run on another device."""

    WAITING = ("_local_scalar_dense", "is_nonzero", "nonzero", "masked_select", "equal", "_unique2", "bincount")

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.__name__.split(".")[0]
        masks = isinstance(args[1], (list, tuple)) if name in ("index", "index_put_") else False
        if name in self.WAITING or (masks and any(i is not None and i.dtype == torch.bool for i in args[1])):
            self.seen.append(name)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("sampling", ["crop", "jittered"])
def test_an_epoch_does_not_wait_for_a_device(features, monkeypatch, sampling):
    """Batches are computed as a whole here, as on a GPU: on the CPU, where nothing waits, their lengths are read."""
    monkeypatch.setattr(valid_rows, "blocks_of", lambda lengths, size: [(slice(0, len(lengths)), size)])
    trainer = make(features, f"optimization.sampling={sampling}")
    with Synchronizations() as counter:
        torch.ones(2)[torch.tensor([True, False])].sum().item()
        assert counter.seen == ["index", "_local_scalar_dense"]
        counter.seen.clear()
        trainer.train()
    assert counter.seen == []
