"""The epoch that a run keeps is chosen on held-out training videos, and a training ends that no longer gains."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

import amsx
from amsx.data.synthetic import SyntheticConfig, make_dataset
from amsx.data.videos import Dataset
from amsx.experiments.cell_trainer import CellTrainer
from amsx.experiments.cells import Cell, iteration_file
from amsx.experiments.parallel import train_cells
from amsx.report.page import write_report
from amsx.report.run_groups import read_groups
from amsx.training import checkpoint
from amsx.training import run as runs
from amsx.training.activations import load_activations
from amsx.training.config import Config, StoppingConfig, override
from amsx.training.epoch_log import EpochRecord, read_log
from amsx.training.run_directory import read_run
from amsx.training.stopping import chosen, has_stopped, split

SETTINGS = [
    *("model.hidden=8", "sampling.interp_factor=2", "optimization.learning_rate=3e-3", "optimization.batch_size=4"),
    *("phases.base_epochs=1", "phases.alternate_epochs=2", "phases.iterations=2", "localization.class_threshold=0.1"),
    *("stopping.on=segments", "stopping.folds=3", "stopping.patience=3"),
]


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return make_dataset(SyntheticConfig(classes=2, train_videos=12, test_videos=3, length=(24, 30), duration=(4, 8)))


@pytest.fixture(scope="module")
def config() -> Config:
    return override(Config(), SETTINGS)


def train(dataset, config, out, **options):
    said: list[str] = []
    result = runs.train_run(dataset, config, out, streams=["flow"], progress=False, say=said.append, **options)
    return result, said


@pytest.fixture(scope="module")
def trained(dataset, config, tmp_path_factory):
    result, said = train(dataset, config, tmp_path_factory.mktemp("stopping") / "run")
    return result.out, said


def record(epoch: int, validation: float | None) -> EpochRecord:
    return EpochRecord(epoch, "one", 1, "base", 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, validation)


def test_the_best_epoch_and_of_equals_the_last():
    history = [record(i, score) for i, score in enumerate((None, 50.0, 70.0, 70.0, 60.0, 65.0), start=1)]
    best = chosen(history)
    assert best is not None
    assert best.epoch == 4
    assert chosen(history[:1]) is None
    assert [has_stopped(history, patience) for patience in (0, 1, 2, 3)] == [False, True, True, False]
    assert not has_stopped(history[:1], 1)
    assert EpochRecord.from_json(history[0].to_json()) == history[0]
    assert "validation" not in history[0].to_json()


def test_what_is_held_out(dataset):
    parted = split(dataset, StoppingConfig(on="labels", folds=3))
    assert {video.id for video in (*parted.train, *parted.held)} == {video.id for video in dataset.subset("train")}
    assert len(parted.held) == 4
    assert {label for video in parted.held for label in video.labels} == set(dataset.classes)
    assert parted == split(dataset, StoppingConfig(on="labels", folds=3))
    assert parted != split(dataset, StoppingConfig(on="labels", folds=3, seed=1))
    assert split(dataset, StoppingConfig()).held == ()
    groups = split(dataset, StoppingConfig(on="labels", folds=3, group=r"_\d{3}(\d)$"))
    number = {video.id[-1] for video in groups.held}
    assert not number & {video.id[-1] for video in groups.train}


def test_what_cannot_choose(dataset):
    bare = replace(dataset, videos=tuple(replace(video, segments=()) for video in dataset.videos))
    with pytest.raises(ValueError, match=r"stopping.on=segments: none of the . held-out training videos has segments"):
        split(bare, StoppingConfig(on="segments"))
    assert split(bare, StoppingConfig(on="labels")).held
    silent = replace(dataset, videos=tuple(replace(video, segments=(), labels=()) for video in dataset.videos))
    with pytest.raises(ValueError, match=r"stopping.on=labels: none of the"):
        split(silent, StoppingConfig(on="labels"))
    with pytest.raises(ValueError, match=r"stopping.group='person': .* matches nothing in the video id"):
        split(dataset, StoppingConfig(on="labels", group="person"))
    with pytest.raises(ValueError, match=r"stopping.folds=20, .* would hold out nothing"):
        split(dataset, StoppingConfig(on="labels", folds=20))


def test_a_run_keeps_the_model_of_the_chosen_epoch(dataset, config, trained):
    out, said = trained
    stopping = read_run(out).stopping
    assert stopping is not None
    log = read_log(out / "flow" / "log.jsonl")
    best = chosen(log)
    assert best is not None
    kept = stopping.chosen["flow"]
    assert (kept.epoch, kept.trained, kept.validation) == (best.epoch, len(log), best.validation)
    assert kept.trained == 9 or kept.trained - kept.epoch == 3
    assert [entry.validation is None for entry in log] == [entry.iteration == 0 for entry in log]
    assert set(stopping.held_out) == {video.id for video in split(dataset, config.stopping).held}
    assert any("4 of 12 training videos are held out" in line and "segments are used" in line for line in said)
    assert any(f"flow: epoch {kept.epoch} of {kept.trained} chosen" in line for line in said)
    model = amsx.load(out)
    saved = load_activations(out / "flow" / "activations.safetensors")
    again = model.stream_activations("flow", dataset.subset("test"))
    np.testing.assert_array_equal(again.base.cas, saved.base.cas)
    weights, header = checkpoint.load(out / "flow" / "chosen.safetensors", kind="checkpoint")
    assert header["epoch"] == kept.epoch
    state = model.network("flow").state_dict()
    assert all(torch.equal(state[name.removeprefix("model.")], value) for name, value in weights.items())
    held = model.stream_activations("flow", split(dataset, config.stopping).held)
    assert runs.epoch_measure(split(dataset, config.stopping).held, config)(held) == pytest.approx(kept.validation)
    assert not (out / "flow" / "iterations").exists()


def test_the_report_says_which_epoch(trained, tmp_path):
    out, _ = trained
    page = write_report(read_groups([out]), tmp_path / "report.html", videos=1, say=lambda text: None).read_text()
    assert "chosen on 4 held-out training videos by their mAP of localization. Flow: epoch" in page or (
        "chosen on 4 held-out training videos by their mAP of localization. flow: epoch" in page
    )


@pytest.mark.parametrize("killed_after", ["flow/checkpoint.safetensors", "flow/chosen.safetensors"])
def test_a_killed_run_chooses_the_same(dataset, config, trained, tmp_path, monkeypatch, killed_after):
    """Killed in the first epoch that is better than others, after its model or after its checkpoint was written."""
    out, _ = trained

    class Killed(Exception):
        pass

    save, saved = checkpoint.save, []

    def kill(path, tensors, header, *, kind):
        save(path, tensors, header, kind=kind)
        saved.append(header.get("epoch"))
        if saved[-1] == 3 and str(path).endswith(killed_after):
            raise Killed

    monkeypatch.setattr(checkpoint, "save", kill)
    try:
        train(dataset, config, tmp_path / "run")
    except Killed:
        monkeypatch.setattr(checkpoint, "save", save)
        train(dataset, config, tmp_path / "run", resume=True)
    for name in ("config.json", "metrics.json", "flow/chosen.safetensors", "flow/activations.safetensors"):
        if name.endswith("chosen.safetensors"):
            a, b = (checkpoint.load(folder / name, kind="checkpoint")[0] for folder in (out, tmp_path / "run"))
            assert all(torch.equal(a[key], b[key]) for key in a)
        else:
            assert (out / name).read_bytes() == (tmp_path / "run" / name).read_bytes()


def test_a_finished_run_is_not_trained_further(dataset, config, trained, tmp_path):
    out, _ = trained
    shutil.copytree(out, tmp_path / "run")
    train(dataset, config, tmp_path / "run", resume=True)
    assert read_run(tmp_path / "run") == read_run(out)
    described = json.loads((tmp_path / "run" / "config.json").read_text())
    described["stopping"]["held_out"][0] = "another"
    (tmp_path / "run" / "config.json").write_text(json.dumps(described))
    with pytest.raises(ValueError, match=r"stopping\.held_out"):
        train(dataset, config, tmp_path / "run", resume=True)


def test_cells_choose_as_runs_do(dataset, config, trained, tmp_path):
    out, _ = trained
    cell = Cell("flow", config)
    trainer = CellTrainer(dataset)
    assert cell.beginning is not None
    trainer.train(cell.beginning, tmp_path)
    trainer.train(cell, tmp_path)
    activations = load_activations(iteration_file(tmp_path / cell.folder, 2))
    saved = load_activations(out / "flow" / "activations.safetensors")
    np.testing.assert_array_equal(activations.base.cas, saved.base.cas)
    assert not list(train_cells([cell], dataset, tmp_path, workers=["cpu"]))
    other = Cell("flow", override(config, ["stopping.on=none"]))
    assert other.folder == Cell("flow", override(other.config, ["stopping.folds=7"])).folder
    assert other.folder != cell.folder
    late = Cell("flow", override(config, ["localization.threshold=0.5"]))
    assert late.folder != cell.folder
    assert late.beginning is not None
    assert late.beginning.folder == cell.beginning.folder
