"""Several commands share one folder: no cell is trained twice, and what a dead command left is taken over."""

import json
import re
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack

import pytest

from amsx.experiments import parallel
from amsx.experiments.cell_trainer import CellTrainer
from amsx.experiments.cells import unfinished
from amsx.experiments.parallel import train_cells
from amsx.experiments.plans import TABLES, cells_of, chosen_rows
from amsx.experiments.reproduction import read_reproduction
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


def test_two_reproductions_share_a_folder_and_one_is_killed(tmp_path):
    settings = ["model.hidden=16", "phases.base_epochs=3", "phases.supplementary_epochs=2", "phases.iterations=1"]
    command = [sys.executable, "-m", "amsx", "reproduce", "synthetic", "--stream", "rgb", "--seeds", "2", "--jobs", "1"]
    command += ["--data-option", "train_videos=12", "--data-option", "test_videos=4", "--preset", "small"]
    command += [part for setting in (*settings, "phases.alternate_epochs=2") for part in ("--set", setting)]
    command += ["--table", "3", "--row", "C", "--row", "F", "--out", "shared"]
    first, second = (
        subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(2)
    )
    assert first.stdout is not None
    lines = []
    for line in first.stdout:
        lines.append(line)
        if " took " in line:
            break
    first.kill()
    killed = "".join(lines) + first.communicate()[0]
    rest, _ = second.communicate()
    assert second.returncode == 0, rest
    trained = Counter(re.findall(r"s: (.+) took ", killed + rest))
    assert set(trained.values()) == {1}, killed + rest
    assert re.findall(r"s: (.+) took ", killed) and re.findall(r"s: (.+) took ", rest)
    # A training that the first one finished just before it was killed may have no line.
    assert len(trained) in (7, 8)
    reproduction = read_reproduction(tmp_path / "shared")
    assert [row.key for row in reproduction.results[0].last_rows] == ["C", "F"]
    assert sum(len(training.seconds) for training in reproduction.trainings) == 8
    assert not list(tmp_path.rglob(f"*{LOCK}")) and not list(tmp_path.rglob("*.partial*"))
