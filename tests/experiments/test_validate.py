"""Settings are compared on held-out training videos, pair by pair, and no test video's features are read."""

import json
from typing import Any

import numpy as np
import pytest
from experiments.test_tuning import without_test_features

from amsx.cli import main
from amsx.experiments.plans import row_config
from amsx.experiments.results import Difference, SeedScores
from amsx.experiments.validation import BASE, _plan, choose, validate
from amsx.files import read_json
from amsx.training.config import from_dict, override, to_dict

QUIET: dict[str, Any] = {"count": 2, "seeds": 2, "streams": ["rgb"], "jobs": 2, "quiet": True, "say": lambda _: None}
TRIES = ["localization.threshold_of=all-mean", "localization.threshold=0.5 phases.iterations=2"]


@pytest.fixture(scope="module")
def short(config):
    return override(config, ["phases.iterations=1", "phases.base_epochs=1"])


@pytest.fixture(scope="module")
def compared(dataset, short, tmp_path_factory):
    out = tmp_path_factory.mktemp("validate")
    return out, validate(without_test_features(dataset), short, out, tries=TRIES, perturb=0.5, **QUIET)


def test_candidates_are_rows_over_folds_and_seeds(compared):
    out, validation = compared
    rows = validation.result.rows
    expected = {BASE: (0, 1), TRIES[0]: (0, 1), TRIES[1]: (0, 1, 2)}
    assert [(row.name, row.iteration) for row in rows] == [(name, i) for name in expected for i in expected[name]]
    assert all(len(row.scores["rgb"].average.seeds) == 4 for row in rows)
    scores = {row.name: row.scores["rgb"].average.seeds for row in validation.result.last_rows}
    assert scores[BASE] != scores[TRIES[0]]
    text = (out / "validation.txt").read_text()
    assert "16 held-out training videos in 2 folds; 2 folds, 2 seeds, mean" in text
    assert "minus 'as given', ± standard error, p of a paired t-test" in text


def test_late_settings_share_their_trainings(compared):
    out, _ = compared
    for fold in ("fold1", "fold2"):
        trained = list((out / fold).glob("cells/rgb/*/whole-*"))
        assert len(trained) == 2 * 2  # seeds, and one or two iterations


def test_the_record_says_what_was_held_out_and_what_was_chosen(compared, dataset, short):
    out, validation = compared
    record = read_json(out / "validation.json")
    held = [name for fold in record["folds"] for name in fold]
    assert sorted(held) == sorted(video.id for video in dataset.subset("train"))
    assert record["perturb"] == 0.5
    assert tuple(record["chosen"]) == validation.chosen
    assert validation.config == override(short, validation.chosen)
    written = read_json(out / "config.json")
    assert from_dict(written["config"]) == validation.config
    assert written["validation"]["criterion"] == record["criterion"]


def test_a_candidate_must_be_clearly_better(compared):
    _, validation = compared
    result = validation.result
    best = choose(result)
    differences = {comparison.row.key: comparison.difference("rgb") for comparison in result.comparisons}
    better = {key for key, d in differences.items() if d.mean > d.error}
    assert (best in better) if better else (best == "")


def test_it_goes_on_where_it_stood_and_refuses_another_comparison(compared, dataset, short):
    out, validation = compared
    before = {path: path.stat().st_mtime_ns for path in out.rglob("finished.json")}
    again = validate(dataset, short, out, tries=[*TRIES, "localization.threshold=0.6"], perturb=0.5, **QUIET)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("finished.json")} == before
    assert again.result.rows[: len(validation.result.rows)] == validation.result.rows
    with pytest.raises(ValueError, match=r"holds another comparison.*differs in perturb"):
        validate(dataset, short, out, tries=TRIES, **QUIET)


def test_one_branch_stays_one_branch(short):
    alone = override(short, ["phases.branches=base", "phases.supervision=none", "phases.sampler=false"])
    rows = _plan(alone, TRIES).rows
    assert row_config(alone, rows[0], 0) == alone
    assert row_config(alone, rows[1], 0) == override(alone, TRIES[:1])


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        ("", "--try is empty"),
        ("sampling.eat=1", "unknown configuration key 'sampling.eat'"),
        ("evaluation.tiou=0.5", "must be the same for all candidates"),
        ("optimization.seed=3", "must be the same for all candidates"),
    ],
)
def test_what_cannot_be_tried(dataset, short, tmp_path, attempt, message):
    with pytest.raises(ValueError, match=message):
        validate(dataset, short, tmp_path, tries=[attempt], **QUIET)
    assert not list(tmp_path.iterdir())


def test_differences_are_paired():
    difference = Difference.of(SeedScores.of([11.0, 21.0, 31.5]), SeedScores.of([10.0, 20.0, 30.0]))
    assert difference.mean == pytest.approx(3.5 / 3)
    assert difference.error == pytest.approx(1 / 6)
    assert difference.clear
    assert difference.p == pytest.approx(0.0198039, abs=1e-6)  # t = 7 with 2 degrees of freedom, in closed form
    assert not Difference.of(SeedScores.of([11.0]), SeedScores.of([10.0])).clear


def test_the_command(data_folder, short, tmp_path, capsys):
    start = tmp_path / "start.json"
    start.write_text(json.dumps({"config": to_dict(short)}))
    arguments = ["validate", str(data_folder), "--config", str(start), "--folds", "2", "--seeds", "1", "--quiet"]
    arguments += ["--group", r"(.*)_w\d+", "--try", TRIES[0], "--jobs", "1", "--out", str(tmp_path / "out")]
    assert main(arguments) == 0, capsys.readouterr().err
    shown = capsys.readouterr().out
    assert "fold 1 of 2: " in shown
    assert "chosen: " in shown
    record = read_json(tmp_path / "out" / "validation.json")
    videos = [{name.rpartition("_w")[0] for name in fold} for fold in record["folds"]]
    assert videos[0].isdisjoint(videos[1])


@pytest.mark.parametrize(("t", "pairs", "p"), [(2.7764451, 5, 0.05), (2.2621572, 10, 0.05), (3.2498355, 10, 0.01)])
def test_p_is_that_of_students_distribution(t, pairs, p):
    each = np.arange(pairs) - (pairs - 1) / 2  # mean 0
    each += t * each.std(ddof=1) / np.sqrt(pairs)
    difference = Difference.of(SeedScores.of(each.tolist()), SeedScores.of([0.0] * pairs))
    assert difference.p == pytest.approx(p, rel=1e-5)
    assert Difference.of(SeedScores.of((-each).tolist()), SeedScores.of([0.0] * pairs)).p == pytest.approx(p, rel=1e-5)


def test_p_where_pairs_do_not_differ():
    same = SeedScores.of([1.0, 2.0])
    assert Difference.of(same, same).p == 1
    assert Difference.of(SeedScores.of([2.0, 3.0]), same).p == 0
