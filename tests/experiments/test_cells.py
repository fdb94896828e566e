"""Cells: what they depend on, what they share, and that a shared or resumed one is what training it alone gives."""

import pytest
import torch

from amsx.experiments.cell_trainer import CellTrainer
from amsx.experiments.cells import Cell, is_finished, unfinished
from amsx.files import read_json, write_json
from amsx.training import checkpoint
from amsx.training.config import override
from amsx.training.run import train_run


def cell(config, *settings, stream="rgb"):
    return Cell(stream, override(config, settings))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (["phases.sampler=false"], ["phases.sampler=false", "sampling.eta=1.5", "sampling.weights=random"]),
        (["phases.supervision=none"], ["phases.supervision=none", "loss.localization_weight=3"]),
        (["phases.branches=base"], ["phases.branches=base", "phases.sampler=false", "phases.supervision=none"]),
        (["sampling.weights=random"], ["sampling.weights=random", "sampling.eta=1.5", "sampling.aggregate=mean"]),
        ([], ["localization.beta=0.9", "evaluation.tiou=0.5", "sampling.erase_threshold=2"]),
    ],
)
def test_what_does_not_matter_does_not_tell_cells_apart(config, first, second):
    assert cell(config, *first).folder == cell(config, *second).folder


@pytest.mark.parametrize(
    "setting",
    [
        "sampling.eta=1.5",
        "sampling.weights=erase",
        "sampling.class_threshold=0.4",
        "phases.sampler=false",
        "phases.supervision=none",
        "phases.iterations=3",
        "loss.localization_weight=3",
        "optimization.seed=1",
        "model.hidden=8",
        "model.kernel=3",
    ],
)
def test_what_matters_tells_cells_apart(config, setting):
    assert cell(config, setting).folder != cell(config).folder


def test_a_default_is_left_out_of_the_name(config):
    """A setting that the configuration gains later, at its default, must not rename what is trained already."""
    plain = cell(config)
    assert plain.settings["sampling"]["aggregate"] == "max"
    known = type(plain).settings.fget
    without = type("Before", (Cell,), {"settings": property(lambda self: _without(known(self)))})
    assert without(plain.stream, plain.config).folder == plain.folder


def _without(settings):
    del settings["sampling"]["aggregate"]
    return settings


def test_names_are_made_once(config):
    """A pool asks for the names of all its cells at every event of a training."""
    whole = cell(config)
    assert whole.folder is whole.folder
    assert whole.beginning is not None and whole.beginning.folder is whole.beginning.folder


def test_beginnings_are_shared(config):
    c, f = cell(config, "phases.supervision=none"), cell(config)
    plain, other = cell(config, "phases.sampler=false"), cell(config, "sampling.eta=1.5")
    alone = cell(config, "phases.branches=base")
    assert c.beginning.folder == f.beginning.folder  # phase zero of both branches
    assert len({x.beginning.folder for x in (f, plain, other, alone)}) == 4
    zero = {x.beginning.beginning.folder for x in (c, f, plain, other)} | {alone.beginning.folder}
    assert len(zero) == 1  # of the base branch
    assert alone.beginning.beginning is None


def test_beginnings_come_first_and_once(config, tmp_path):
    cells = [cell(config), cell(config, "phases.supervision=none"), cell(config)]
    found = unfinished(cells, tmp_path)
    assert [c.part for c in found] == ["base", "supplementary", "whole", "whole"]


def train_all(trainer, cells, out):
    for one in unfinished(cells, out):
        trainer.train(one, out)


@pytest.fixture(scope="module")
def trained(dataset, config, tmp_path_factory):
    """Four cells with shared beginnings."""
    out = tmp_path_factory.mktemp("cells")
    cells = {
        "A": cell(config, "phases.branches=base", "phases.supervision=none"),
        "C": cell(config, "phases.supervision=none"),
        "F": cell(config),
        "random": cell(config, "sampling.weights=random"),
    }
    train_all(CellTrainer(dataset), list(cells.values()), out)
    return out, cells


@pytest.mark.parametrize("key", ["A", "C", "F", "random"])
def test_a_cell_is_what_training_it_alone_gives(trained, dataset, tmp_path, key):
    out, cells = trained
    run = train_run(dataset, cells[key].config, tmp_path, streams=["rgb"], progress=False)
    alone, _ = checkpoint.load(run.out / "rgb" / "activations.safetensors", kind="activations")
    shared, _ = checkpoint.load(out / cells[key].folder / "iteration2.safetensors", kind="activations")
    assert alone.keys() == shared.keys()
    for name, value in alone.items():
        assert torch.equal(value, shared[name]), name


def test_what_is_left_of_a_cell(trained):
    out, cells = trained
    for key, one in cells.items():
        assert is_finished(one, out)
        finished = read_json(out / one.folder / "finished.json")
        assert finished["iterations"] == [0, 1, 2]
        assert len(finished["log"]) == (4 if key == "A" else 7)
        names = {path.name for path in (out / one.folder).iterdir()}
        assert names == {"cell.json", "finished.json", "model.safetensors"} | {
            f"iteration{i}.safetensors" for i in (0, 1, 2)
        }


def test_a_killed_cell_goes_on_where_it_stood(trained, dataset, config, tmp_path):
    out, cells = trained

    class Killed(Exception):
        pass

    def kill(done, goal):
        if done == 5:
            raise Killed

    trainer = CellTrainer(dataset)
    one = cells["F"]
    for beginning in unfinished([one], tmp_path)[:-1]:
        trainer.train(beginning, tmp_path)
    with pytest.raises(Killed):
        trainer.train(one, tmp_path, kill)
    assert not is_finished(one, tmp_path)
    seen = []
    trainer.train(one, tmp_path, lambda done, goal: seen.append((done, goal)))
    assert seen == [(5, 7), (6, 7), (7, 7)]  # and not from the beginning's 3
    for i in (0, 1, 2):
        name = f"iteration{i}.safetensors"
        assert (tmp_path / one.folder / name).read_bytes() == (out / one.folder / name).read_bytes()


def test_a_folder_of_another_cell_is_refused(trained, tmp_path):
    out, cells = trained
    one = cells["F"]
    kept = read_json(out / one.folder / "cell.json")
    kept["sampling"]["eta"] = 9.0
    write_json(tmp_path / one.folder / "cell.json", kept)
    with pytest.raises(ValueError, match=r"sampling\.eta is 9\.0 there"):
        is_finished(one, tmp_path)
