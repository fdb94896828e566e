"""Runs gathered into groups, and their figures over seeds."""

import json
import shutil

import numpy as np
import pytest

from amsx.report.run_groups import read_groups, summarize, views_of


def test_seeds_of_one_configuration_are_one_group(groups, runs):
    assert [g.name for g in groups] == ["ams", "base"]
    assert [[r.folder for r in g.runs] for g in groups] == [runs[:2], runs[2:]]
    assert groups[0].settings == ()
    assert groups[1].settings == ("phases.branches=base", "phases.supervision=none")


def test_what_is_explained_is_what_the_run_scored(groups):
    for group in groups:
        for run in group.runs:
            for view, folder in (("fused", run.folder), ("rgb", run.folder / "rgb"), ("flow", run.folder / "flow")):
                metrics = json.loads((folder / "metrics.json").read_text())
                assert run.explanations[view].evaluation.mean_ap == pytest.approx(metrics["mAP"])
                assert run.explanations[view].evaluation.protocol == metrics["protocol"]


def test_scores_of_every_iteration_end_at_the_run_s_own(groups):
    ams, base = groups[0].runs[0], groups[1].runs[0]
    for run in (ams, base):
        scores = run.iteration_scores("fused")
        assert sorted(scores) == [0, 1, 2]
        assert scores[2] == run.explanations["fused"].evaluation.average
    # Phase zero of AMS has the base branch alone, trained as the other configuration's: the same CASs.
    assert ams.iteration_scores("fused")[0] == pytest.approx(base.iteration_scores("fused")[0])


def test_summaries_by_hand():
    both = summarize([[1.0, np.nan], [3.0, 2.0]])
    assert both.mean[0] == 2.0
    assert both.deviation[0] == pytest.approx(2**0.5)
    assert np.isnan(both.mean[1])
    assert summarize([5.0]).deviation is None


def test_views():
    assert views_of(["rgb", "flow"]) == ["fused", "rgb", "flow"]
    assert views_of(["rgb"]) == ["rgb"]


def test_runs_that_cannot_be_compared(runs, tmp_path):
    with pytest.raises(ValueError, match="given more than once"):
        read_groups([runs[0], runs[0]])
    with pytest.raises(ValueError, match="at least one run"):
        read_groups([])
    other = tmp_path / "other"
    shutil.copytree(runs[0], other)
    truth = json.loads((other / "ground_truth.json").read_text())
    truth["database"].pop(next(iter(truth["database"])))
    (other / "ground_truth.json").write_text(json.dumps(truth))
    with pytest.raises(ValueError, match="tested on different videos"):
        read_groups([runs[0], other])


def test_an_unfinished_run_is_named(runs, tmp_path):
    cut = tmp_path / "cut"
    shutil.copytree(runs[0], cut)
    (cut / "predictions.json").unlink()
    with pytest.raises(FileNotFoundError, match="is not finished"):
        read_groups([cut])
    (cut / "rgb" / "activations.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="activations"):
        read_groups([cut])


def test_a_damaged_log_is_named(runs, tmp_path):
    cut = tmp_path / "cut"
    shutil.copytree(runs[0], cut)
    log = cut / "rgb" / "log.jsonl"
    log.write_text(log.read_text()[:-9])
    with pytest.raises(ValueError, match=r"rgb.log\.jsonl is damaged"):
        read_groups([cut])
