"""A row that is added to a table in `plans.py`, and nowhere else, is trained, scored, written and reported."""

from dataclasses import replace

import pytest

from amsx.experiments import plans
from amsx.experiments.plans import CHOICES, TABLES, Row, cells_of, readings
from amsx.experiments.reproduce import reproduce
from amsx.experiments.reproduction import read_reproduction
from amsx.report.experiment_section import experiments as section
from amsx.training.config import differences, override


def test_readings_differ_from_the_settings_in_one_choice_each(config):
    rows = readings(config).rows
    assert rows[0].settings == ()
    assert len(rows) == 1 + sum(len(choice.values) - 1 for choice in CHOICES) + 1  # one epoch is neither 0 nor 20
    for row in rows[1:]:
        assert len(differences(config, override(config, row.settings))) == 1
    assert {row.key.partition("=")[0] for row in rows[1:]} == {choice.setting for choice in CHOICES}


def test_readings_are_compared_to_the_settings_and_late_ones_share_their_trainings(
    dataset, config, tmp_path, monkeypatch
):
    monkeypatch.setattr(plans, "CHOICES", (CHOICES[0], CHOICES[2], CHOICES[4]))
    short = override(config, ["phases.iterations=1", "phases.base_epochs=1", "phases.supplementary_epochs=0"])
    result = reproduce(
        dataset,
        short,
        tmp_path,
        with_readings=True,
        seeds=2,
        streams=["rgb"],
        jobs=1,
        quiet=True,
        say=lambda _: None,
    )["readings"]
    assert len(list(tmp_path.glob("cells/rgb/*/whole-*"))) == 2 * 2  # with and without a background
    differences = {comparison.row.key: comparison.difference("rgb") for comparison in result.comparisons}
    assert list(differences) == [row.key for row in result.rows[1:]]
    first, last = result.rows[0].scores["rgb"].average, result.rows[-1].scores["rgb"].average
    assert differences[result.rows[-1].key].mean == pytest.approx(last.mean - first.mean)
    text = (tmp_path / "readings.txt").read_text()
    assert "minus 'the settings as given', ± standard error, p of a paired t-test" in text
    page = section(read_reproduction(tmp_path), "experiments-1")
    assert "avg(M) of theta_loc: all-mean" in page
    assert "mean ± its standard error" in page


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
