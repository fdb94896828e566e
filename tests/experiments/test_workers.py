"""How many processes train, and on which device each of them."""

import pytest

from amsx.experiments import parallel
from amsx.experiments.parallel import chosen_workers, train_cells
from amsx.experiments.plans import TABLES, cells_of, chosen_rows
from amsx.training.config import override


@pytest.mark.parametrize(
    ("jobs", "device", "workers"),
    [
        (None, "cpu,cpu", ("cpu", "cpu")),
        (3, "cpu, cpu", ("cpu", "cpu", "cpu")),
        (2, None, (None, None)),
        (2, "cpu", ("cpu", "cpu")),
        (None, "cpu", ("cpu",) * 4),
    ],
)
def test_devices_are_taken_in_turn(monkeypatch, jobs, device, workers):
    monkeypatch.setattr(parallel, "_cores", lambda: 6)
    assert chosen_workers(jobs, device) == workers


@pytest.mark.parametrize(
    ("jobs", "device", "message"),
    [
        (1, "cpu,cpu", "jobs must be at least 2, one for each device, got 1"),
        (None, "cpu,gpu9", "unknown device 'gpu9'"),
        (None, "cpu,", "unknown device ''"),
    ],
)
def test_devices_that_cannot_be_used_are_refused(jobs, device, message):
    with pytest.raises(ValueError, match=message):
        chosen_workers(jobs, device)


def test_processes_share_the_cores(monkeypatch, dataset, config, tmp_path):
    started = []

    class Worker(parallel._Worker):
        def __init__(self, context, dataset, out, device, threads):
            started.append((device, threads))
            super().__init__(context, dataset, out, device, threads)

    monkeypatch.setattr(parallel, "_Worker", Worker)
    monkeypatch.setattr(parallel, "_cores", lambda: 6)
    short = override(config, ["phases.iterations=1", "phases.base_epochs=1"])
    cells = cells_of([chosen_rows(TABLES[3], ["A"])], short, 2, ["rgb"])
    list(train_cells(cells, dataset, tmp_path, workers=["cpu", "cpu:0"]))
    assert started == [("cpu", 3), ("cpu:0", 3)]
