"""The search sees training videos alone, goes on where it was killed, and leaves settings that can be trained with."""

import json
import shutil
import sys
import time
from dataclasses import replace
from typing import Any

import optuna
import pytest
from experiments import searching
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from amsx.cli import main
from amsx.data.validation import carve
from amsx.experiments import tuning
from amsx.experiments.cells import Cell
from amsx.experiments.tuning import tune
from amsx.localization.fusion import weights_fault
from amsx.training.activations import load_activations
from amsx.training.config import from_dict, override, to_dict
from amsx.training.run import score
from amsx.training.run_directory import ground_truth

QUIET: dict[str, Any] = {"streams": ["rgb"], "jobs": 2, "say": lambda _: None}


@pytest.fixture(scope="module")
def short(config):
    return override(config, ["phases.iterations=1", "phases.base_epochs=1"])


class Untouchable:
    """Features with a shape and nothing else."""

    def __init__(self, shape):
        self.shape = shape

    def load(self):
        raise AssertionError("a test video was read")


def without_test_features(dataset):
    videos = tuple(
        replace(video, streams={name: Untouchable(s.shape) for name, s in video.streams.items()}, segments=())
        if video.subset == "test"
        else video
        for video in dataset.videos
    )
    return replace(dataset, videos=videos)


@pytest.fixture(scope="module")
def searched(dataset, short, tmp_path_factory):
    out = tmp_path_factory.mktemp("tune")
    return out, tune(without_test_features(dataset), short, out, trials=3, **QUIET)


def trials_of(out):
    backend = JournalFileBackend(str(out / "study.log"))
    return optuna.load_study(study_name="amsx", storage=JournalStorage(backend)).trials


def test_the_first_trial_is_what_it_began_with_and_the_best_is_written(searched, short):
    out, best = searched
    trials = trials_of(out)
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 3
    assert trials[0].params == {"lambda": short.loss.localization_weight, "eta": short.sampling.eta, "H": 20}
    assert len({tuple(trial.params.values()) for trial in trials}) == 3
    top = max(trials, key=lambda trial: trial.value)
    assert best == override(short, top.user_attrs["settings"])
    written = json.loads((out / "config.json").read_text())
    assert from_dict(written["config"]) == best
    assert written["validation"] == {"mAP": top.value, "trial": top.number, "trials": 3}


def average(*arguments: Any) -> float:
    scored = score(*arguments)
    assert scored is not None
    return scored.average


def test_late_settings_are_searched_without_training(searched, dataset, short):
    """A trial trains once; its value is that of its late settings, and nothing that the grids hold scores more."""
    out, _ = searched
    trained = list((out / "cells").glob("*/*/whole-*"))
    assert len(trained) == 3  # one stream, one seed, three trials
    first = trials_of(out)[0]
    held_out = carve(dataset)
    truth = ground_truth(held_out.subset("test"))
    config = override(short, first.user_attrs["settings"])
    parts = [load_activations(out / Cell("rgb", config).folder / "iteration1.safetensors")]
    assert set(parts[0].ids) == {video.id for video in held_out.subset("test")}
    assert average(parts, config, truth) == first.value
    for threshold in tuning.CLASS_THRESHOLD:
        other = override(config, [f"localization.class_threshold={threshold}"])
        assert average(parts, other, truth) <= first.value


@pytest.mark.parametrize("streams", [2, 3, 4, 6, 20])
def test_the_grid_of_weights_is_small_and_holds_every_stream_alone(streams):
    grid = tuning.weight_grid(streams)
    assert 0 < len(grid) <= tuning.FEW
    assert all(weights_fault(dict(zip("abcdefghijklmnopqrst", weights, strict=False))) is None for weights in grid)
    assert {tuple(float(i == j) for j in range(streams)) for i in range(streams)} <= set(grid)


def test_the_weights_of_three_streams_are_searched(short):
    scorer = object.__new__(tuning._TrialScorer)
    scorer.streams = ("rgb", "flow", "clip")
    late = scorer._late_settings(short)
    assert late[0][0] == "localization.weights=rgb:0.5,flow:0.25,clip:0.25"  # where the search begins
    weights = {tuple(override(short, settings).localization.weights.values()) for settings in late}
    assert weights == {(0.5, 0.25, 0.25), *tuning.weight_grid(3)}


def test_a_killed_search_goes_on(searched, dataset, short, tmp_path, monkeypatch):
    out, _ = searched
    measure, count = tuning._TrialScorer.measure, 0

    def dies(self, config):
        nonlocal count
        count += 1
        if count == 2:
            raise KeyboardInterrupt
        return measure(self, config)

    monkeypatch.setattr(tuning._TrialScorer, "measure", dies)
    with pytest.raises(KeyboardInterrupt):
        tune(dataset, short, tmp_path, trials=2, **QUIET)
    interrupted = trials_of(tmp_path)[1]
    assert interrupted.state.name == "RUNNING"
    monkeypatch.undo()
    tune(dataset, short, tmp_path, trials=3, **QUIET)
    trials = trials_of(tmp_path)
    assert [trial.state.name for trial in trials] == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert trials[2].params == interrupted.params
    # What an undisturbed search draws and scores; the test videos, which that one did not have, make no difference.
    complete = [trial for trial in trials if trial.state.name == "COMPLETE"]
    assert [(trial.params, trial.value) for trial in complete] == [(t.params, t.value) for t in trials_of(out)]
    with pytest.raises(ValueError, match=r"holds another search, .* it differs in model.hidden: \d+, 8"):
        tune(dataset, override(short, ["model.hidden=8"]), tmp_path, trials=2, **QUIET)


def test_without_its_record_a_search_draws_the_same_trials_and_trains_none_of_them_again(
    searched, dataset, short, tmp_path
):
    """So goes on a folder whose trials were recorded in another way."""
    shutil.copytree(searched[0], tmp_path / "copy")
    (tmp_path / "copy" / "study.log").unlink()
    trained = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("finished.json")}
    assert tune(dataset, short, tmp_path / "copy", trials=3, **QUIET) == searched[1]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("finished.json")} == trained
    before, after = trials_of(searched[0]), trials_of(tmp_path / "copy")
    assert [(trial.params, trial.value) for trial in after] == [(trial.params, trial.value) for trial in before]


def test_two_processes_share_a_search_and_one_is_killed(dataset, short, tmp_path, forked_workers):
    """Each measures trials of its own. What the killed one measured, and nothing else, is drawn again by the other."""
    context = forked_workers("forkserver")
    out, go = tmp_path / "out", [context.Event(), context.Event()]
    processes = [context.Process(target=searching.search, args=(dataset, short, out, 4, event)) for event in go]
    processes[0].start()
    wait_until(lambda: running(out) == [0])
    processes[1].start()
    wait_until(lambda: running(out) == [0, 1])
    processes[0].kill()
    processes[0].join()
    assert running(out) == [0, 1]
    with (out / "study.log").open("ab") as file:
        file.write(b'{"op_code": 4, "worker_id"')  # it was writing
    (out / "study.log.lock").touch()
    go[1].set()
    processes[1].join(60)
    assert processes[1].exitcode == 0
    trials = trials_of(out)
    assert [trial.state.name for trial in trials] == ["FAIL", *["COMPLETE"] * 4]
    assert sorted(trial.user_attrs["draw"] for trial in trials[1:]) == [0, 1, 2, 3]
    assert trials[2].params == trials[0].params != trials[1].params
    assert not list(out.glob(".*.lock")) and json.loads((out / "config.json").read_text())["validation"]["trials"] == 4


def running(out):
    if not (out / "study.log").exists():
        return []
    try:
        return [trial.number for trial in trials_of(out) if trial.user_attrs.get("draw") is not None and trial.params]
    except (KeyError, ValueError):  # the study is being made
        return []


def wait_until(holds):
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_without_optuna_it_says_what_to_install(dataset, short, tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "amsx.experiments.shared_study", raising=False)
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(RuntimeError, match=r"pip install 'amsx\[tune\]'"):
        tune(dataset, short, tmp_path, trials=1, **QUIET)


def test_the_command_without_the_test_features_and_training_with_its_settings(tmp_path, data_folder, capsys):
    """The search runs on a copy of the set in which the features of the test videos are missing."""
    copy = tmp_path / "data"
    (copy / "features").mkdir(parents=True)
    annotation = json.loads((data_folder / "windows.json").read_text())
    (copy / "windows.json").write_text(json.dumps(annotation))
    train = [name for name, entry in annotation["database"].items() if entry["subset"] != "Test"]
    for name in train:
        (copy / "features" / f"{name}.npy").symlink_to(data_folder / "features" / f"{name}.npy")
    settings = ["model.hidden=8", "phases.base_epochs=1", "phases.supplementary_epochs=0", "phases.alternate_epochs=1"]
    sets = [part for setting in [*settings, "phases.iterations=1"] for part in ("--set", setting)]
    out, data = tmp_path / "tune", ["--data-option", "missing=skip", "--quiet"]
    arguments = ["tune", str(copy), *data, "--trials", "1", "--group", r"(.*)_w\d+", "--jobs", "2", "--out", str(out)]
    assert main([*arguments, *sets]) == 0, capsys.readouterr().err
    held = set(json.loads((out / "search.json").read_text())["held_out"])
    assert held < set(train)
    videos = {name.rpartition("_w")[0] for name in held}
    assert videos.isdisjoint({name.rpartition("_w")[0] for name in set(train) - held})
    run = ["train", str(data_folder), "--quiet", "--config", str(out / "config.json"), "--out", str(tmp_path / "run")]
    assert main(run) == 0
    trained = json.loads((tmp_path / "run" / "config.json").read_text())["config"]
    assert trained == to_dict(from_dict(json.loads((out / "config.json").read_text())["config"]))


def test_no_processes_are_refused(dataset, short, tmp_path):
    with pytest.raises(ValueError, match="jobs must be at least 1, one for each device, got 0"):
        tune(dataset, short, tmp_path, trials=1, **{**QUIET, "jobs": 0})
