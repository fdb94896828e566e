"""Several commands share one folder: no cell is trained twice, and what a dead command left is taken over."""

import json
from contextlib import ExitStack

import pytest

from amsx.experiments import parallel
from amsx.experiments.cell_trainer import CellTrainer
from amsx.experiments.cells import unfinished
from amsx.experiments.parallel import train_cells
from amsx.experiments.plans import TABLES, cells_of, chosen_rows
from amsx.files import LOCK
from amsx.locks import hold
from amsx.training.config import override


@pytest.fixture(scope="module")
def cells(config):
    """Of two seeds, phase zero of the base branch and the whole schedule that continues it."""
    short = override(config, ["phases.iterations=1", "phases.base_epochs=1"])
    return cells_of([chosen_rows(TABLES[3], ["A"])], short, 2, ["rgb"])


@pytest.fixture
def frequent_looks(monkeypatch):
    monkeypatch.setattr(parallel, "LOOK", 0.05)


def of_kind(events, kind):
    return [event.cell for event in events if event.kind == kind]


def test_a_cell_that_another_command_trains_is_left_to_it_and_taken_over_when_it_is_gone(
    dataset, cells, tmp_path, frequent_looks
):
    base = cells[0].beginning
    with hold(tmp_path / base.folder):
        events = list(train_cells(cells, dataset, tmp_path, workers=["cpu"], wait=False))
        assert of_kind(events, "elsewhere") == [base]
        assert of_kind(events, "finished") == [cells[1].beginning, cells[1]]
        assert unfinished(cells, tmp_path) == [base, cells[0]]
    with ExitStack() as other:
        other.enter_context(hold(tmp_path / base.folder))
        events = []
        for event in train_cells(cells, dataset, tmp_path, workers=["cpu"]):
            events.append(event)
            if event.kind == "elsewhere":
                other.close()
    assert of_kind(events, "elsewhere") == [base]
    assert of_kind(events, "finished") == [base, cells[0]]
    assert not list(tmp_path.rglob(f"*{LOCK}"))


def test_a_cell_that_another_command_finished_is_not_trained_again(dataset, cells, tmp_path, frequent_looks):
    base = cells[0].beginning
    with hold(tmp_path / base.folder):
        events = []
        for event in train_cells(cells[:1], dataset, tmp_path, workers=["cpu"]):
            events.append(event)
            if event.kind == "elsewhere":
                CellTrainer(dataset).train(base, tmp_path)
    assert [event.seconds is None for event in events if event.kind == "finished"] == [True, False]
    assert CellTrainer(dataset).train(base, tmp_path) is None


def test_a_process_that_lost_its_cell_writes_nothing_more(dataset, cells, tmp_path, frequent_looks):
    """It stood still for so long that a process of another machine took the cell over."""
    base = cells[0].beginning
    lock = tmp_path / base.folder / LOCK
    kinds = []
    for event in train_cells([base], dataset, tmp_path, workers=["cpu"]):
        kinds.append(event.kind)
        if kinds == ["begun"]:
            while not lock.exists() or not lock.read_text():
                pass
            lock.write_text(json.dumps({**json.loads(lock.read_text()), "host": "far", "boot": "other"}))
        if event.kind == "elsewhere":
            assert {path.name for path in lock.parent.iterdir()} == {LOCK, "cell.json"}
            lock.unlink()
    assert kinds == ["begun", "elsewhere", "epoch", "epoch", "finished"]
