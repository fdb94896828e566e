"""A row that is added to a table in `plans.py`, and nowhere else, is trained, scored, written and reported."""

from dataclasses import replace

from amsx.experiments.plans import TABLES, Row, cells_of
from amsx.experiments.reproduce import reproduce
from amsx.experiments.reproduction import read_reproduction
from amsx.report.experiment_section import experiments as section
from amsx.training.config import override


def test_a_new_row(dataset, config, tmp_path, monkeypatch):
    new = Row("thirds", "maximum, eta a third", ("sampling.eta=0.33",))
    table = replace(TABLES[5], rows=(TABLES[5].rows[-1], new))
    monkeypatch.setitem(TABLES, 5, table)
    short = override(config, ["phases.iterations=1", "phases.base_epochs=1"])
    cells = cells_of([table], short, 1, ["rgb"])
    assert [cell.config.sampling.eta for cell in cells] == [0.75, 0.33]
    result = reproduce(
        dataset, short, tmp_path, tables=[5], seeds=1, streams=["rgb"], jobs=1, quiet=True, say=lambda _: None
    )["table5"]
    assert [(row.key, row.name) for row in result.rows] == [("maximum", "maximum"), ("thirds", "maximum, eta a third")]
    score = f"{result.rows[1].scores['rgb'].average.mean:.1f}"
    for suffix in ("txt", "md"):
        lines = (tmp_path / f"table5.{suffix}").read_text().splitlines()
        assert any("maximum, eta a third, iteration 1" in line and score in line for line in lines)
    page = section(read_reproduction(tmp_path), "experiments-1")
    assert "maximum, eta a third" in page
    assert "sampling.eta=0.33" in page  # among the trainings
