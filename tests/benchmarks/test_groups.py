"""Every benchmark runs, at sizes at which its figures say nothing."""

import contextlib
import functools
import io
import json

import pytest

import amsx.evaluation
from benchmarks import sampler
from benchmarks.__main__ import GROUPS, Group
from benchmarks.evaluation import synthetic as detections
from benchmarks.postprocessing import synthetic as activations
from benchmarks.rows import Row
from benchmarks.settings import Settings

QUICK = Settings(threads=1, repeats=2, quick=True)
# rival -> where a missing figure is right, a part of the reason
EXCUSED = {
    "launches": "CUDA alone",
    "kernels": "CUDA alone",
    "machine-code": "no nv",
    "memory": "cannot be reset here",
    "evaluation": "pip install pandas",
}


@functools.cache
def run_once(group: Group) -> tuple[list[Row], str]:
    """The rows of the group, and what it printed."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        rows = group.run(QUICK)
    return rows, printed.getvalue()


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_it_runs(group: Group) -> None:
    rows, printed = run_once(group)
    assert rows
    for row in rows:
        assert row.group == group.name
        assert row.rival in printed
        assert (row.spread is None) == (row.note is not None) or row.unit == "B"
        if row.spread is None and not row.rival.startswith("compiled"):
            assert row.note is not None
            assert EXCUSED.get(group.name, "nothing is excused") in row.note
        if row.spread is not None:
            assert row.spread.median >= 0
        json.dumps(row.to_json(), allow_nan=False)


def test_all_rivals_of_the_sampler_have_a_row() -> None:
    rows, _ = run_once(next(group for group in GROUPS if group.name == sampler.GROUP))
    forward = {row.rival for row in rows if row.parameters["direction"] == "forward"}
    assert forward == {"clone", "amsx", "eager gather", "compiled gather", "literal float32", "reference"}
    backward = {row.rival for row in rows if row.parameters["direction"] == "backward"}
    assert backward == forward | {"amsx, bare adjoint"}
    copies = [row for row in rows if row.rival == "clone"]
    assert all(row.ratio == 1 and row.copy_percent == 100 for row in copies)


def test_the_synthetic_detections_can_be_scored() -> None:
    truth, predictions = detections(12, 300, 4)
    metrics = amsx.evaluation.evaluate(predictions, truth, tiou=[0.1, 0.5])
    assert metrics.counts.detections == 300
    assert metrics.counts.videos == 12
    assert 0 < metrics.mean_ap[1] < metrics.mean_ap[0] < 100


def test_the_synthetic_activations_fit_together() -> None:
    first, second = activations(7, 3, 0), activations(7, 3, 1)
    assert (first.lengths == second.lengths).all()
    assert first.cas.shape == (first.lengths.sum(), 3)
    assert not (first.cas == second.cas).all()
