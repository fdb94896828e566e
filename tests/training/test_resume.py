"""A run that goes on from its directory alone, and what is said where it cannot."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import amsx
from amsx.data.convert import convert
from amsx.data.synthetic import SyntheticConfig, make_dataset
from amsx.system_errors import in_words
from amsx.training import run as runs

BRIEF = ["phases.base_epochs=2", "phases.branches=base", "phases.supervision=none", "model.hidden=4"]
ASKED: dict[str, Any] = {
    "preset": "small",
    "overrides": BRIEF,
    "seed": 3,
    "streams": ["flow"],
    "layout": "activity_net",
    "validation": 0.25,
}
MADE = SyntheticConfig(classes=2, train_videos=8, test_videos=1, length=(20, 24))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder without test videos, how it is read, and a run that was begun with every option."""
    root = tmp_path_factory.mktemp("resume")
    whole = make_dataset(MADE)
    training = type(whole)(None, "memory", whole.classes, whole.subset("train"))
    options = {**convert(training, root / "data", "activity_net").options, "missing": "skip"}
    begin(root / "run", root / "data", options)
    return root, options


def begin(out, data, options):
    return amsx.train(data, out, data_options=options, progress=False, say=lambda _: None, **ASKED)


def copied(root, out):
    """A copy of the run that was killed before it wrote its activations."""
    shutil.copytree(root / "run", out)
    (out / "flow" / "activations.safetensors").unlink()
    (out / "metrics.json").unlink()
    return out


def contents(run):
    return {path.relative_to(run): path.read_bytes() for path in run.rglob("*") if path.is_file()}


def resumed(run, **options):
    said: list[str] = []
    amsx.train(resume=run, progress=False, say=said.append, **options)
    return said


def test_the_directory_is_enough(made, tmp_path):
    root, options = made
    described = json.loads((root / "run" / "config.json").read_text())["data"]
    assert described["options"] == options and described["held_out"] == {"share": 0.25, "seed": 0}
    run = copied(root, tmp_path / "run")
    said = resumed(run)
    assert any("flow: resumed after epoch" in line for line in said)
    assert contents(run) == contents(root / "run")


def test_the_whole_call_again_does_the_same(made, tmp_path):
    root, options = made
    run = copied(root, tmp_path / "run")
    resumed(run, data=root / "data", data_options=options, **ASKED)
    assert contents(run) == contents(root / "run")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"overrides": ["model.hidden=8"]}, "model.hidden is 4 in the run and 8 in this command"),
        ({"seed": 4}, "optimization.seed is 3 in the run and 4 in this command"),
        ({"preset": "thumos14"}, "model.hidden is 4 in the run and 1024 in this command"),
        ({"streams": ["rgb"]}, r"data.streams is \['flow'\] in the run and \['rgb'\] in this command"),
        ({"validation": 0.5}, "data.held_out is {'share': 0.25, 'seed': 0} in the run and {'share': 0.5, 'seed': 0}"),
    ],
)
def test_a_difference_says_which_value_is_whose(made, asked, message):
    with pytest.raises(ValueError, match=f"begun with other settings, so it cannot be resumed: .*{message}"):
        resumed(made[0] / "run", **asked)


@pytest.mark.parametrize("subset", ["train", "test"])
def test_a_feature_file_that_vanishes_during_training(tmp_path, monkeypatch, subset):
    """The error names it, whenever the file is missed, and with the file back in its place the run goes on."""
    reading = convert(make_dataset(MADE), tmp_path / "data", "activity_net").options
    video = make_dataset(MADE).subset(subset)[0].id
    (file,) = (tmp_path / "data").rglob(f"{video}.*")
    away = tmp_path / "away"
    options: dict[str, Any] = {"overrides": BRIEF, "streams": ["flow"], "data_options": reading}
    options |= {"progress": False, "say": lambda _: None}
    amsx.train(tmp_path / "data", tmp_path / "undisturbed", **options)
    step = "FeatureSet" if subset == "train" else "Trainer"
    whole: Any = getattr(runs, step)

    class Disturbed(whole):
        @classmethod
        def load(cls, *args, **kwargs):
            vanish()
            return whole.load(*args, **kwargs)

        def train(self, *args, **kwargs):
            super().train(*args, **kwargs)
            vanish()

    def vanish():
        if not away.exists():
            file.rename(away)

    with monkeypatch.context() as patch:
        patch.setattr(runs, step, Disturbed)
        with pytest.raises(FileNotFoundError) as caught:
            amsx.train(tmp_path / "data", tmp_path / "run", **options)
    assert str(file) in in_words(caught.value)
    with pytest.raises((FileNotFoundError, ValueError), match=re.escape(file.name)):
        resumed(tmp_path / "run")
    away.rename(file)
    resumed(tmp_path / "run")
    ours, theirs = contents(tmp_path / "run"), contents(tmp_path / "undisturbed")
    timed = {Path("flow/log.jsonl"), Path("flow/checkpoint.safetensors")}  # they hold the seconds of every epoch
    assert {name for name in theirs if ours.get(name) != theirs[name]} <= timed
    weights = [load_file(tmp_path / run / "flow" / "checkpoint.safetensors") for run in ("run", "undisturbed")]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_data_that_moved(made, tmp_path):
    root, options = made
    shutil.copytree(root / "data", tmp_path / "first")
    begin(tmp_path / "run", tmp_path / "first", options)
    (tmp_path / "run" / "flow" / "activations.safetensors").unlink()
    (tmp_path / "first").rename(tmp_path / "second")
    with pytest.raises(FileNotFoundError, match="where no folder is; where it has moved, give DATA, too"):
        resumed(tmp_path / "run")
    said = resumed(tmp_path / "run", data=tmp_path / "second")
    assert any("it is read from" in line and "second" in line for line in said)
    assert (tmp_path / "run" / "flow" / "activations.safetensors").exists()
    assert resumed(tmp_path / "run")  # from where the data is now
    shutil.copytree(tmp_path / "second", tmp_path / "third")
    with pytest.raises(ValueError, match=r"data.root is .*second' in the run and .*third' in this command"):
        resumed(tmp_path / "run", data=tmp_path / "third")


def test_a_run_that_does_not_record_how_its_data_was_read(made, tmp_path):
    run = copied(made[0], tmp_path / "run")
    described = json.loads((run / "config.json").read_text())
    del described["data"]["options"], described["data"]["held_out"]
    (run / "config.json").write_text(json.dumps(described))
    with pytest.raises(ValueError, match=r"data\.videos is .*; where it was read with --data-option or"):
        resumed(run, data_options=made[1])
    resumed(run, data_options=made[1], validation=0.25)
    assert contents(run) == contents(made[0] / "run")


def test_the_built_in_set_is_made_again_and_other_sets_in_memory_are_asked_for(made, tmp_path):
    train: dict[str, Any] = {"overrides": [*BRIEF, "phases.base_epochs=1"], "streams": ["flow"], "progress": False}
    whole = make_dataset(MADE)
    amsx.train(whole, tmp_path / "built-in", say=lambda _: None, **train)
    assert any("flow: resumed" in line for line in resumed(tmp_path / "built-in"))
    other = type(whole)(None, "memory", whole.classes, whole.videos)
    amsx.train(other, tmp_path / "other", say=lambda _: None, **train)
    with pytest.raises(ValueError, match="was trained on data made in memory; expected the data set"):
        resumed(tmp_path / "other")
    assert any("flow: resumed" in line for line in resumed(tmp_path / "other", data=other))


def test_a_run_whose_detections_say_nothing_is_warned_of(tmp_path):
    said: list[str] = []
    overrides = [*BRIEF, "phases.base_epochs=1", "localization.threshold=0", "localization.class_threshold=0"]
    options: dict[str, Any] = {"overrides": overrides, "streams": ["flow"], "progress": False, "say": said.append}
    result = amsx.train(make_dataset(MADE), tmp_path / "run", **options)
    assert len(result.warnings) == 1 and "cover their whole video" in result.warnings[0]
    assert said[-1] == f"warning: {result.warnings[0]}"
    assert json.loads((tmp_path / "run" / "warnings.json").read_text()) == list(result.warnings)
    none = runs.test_run(tmp_path / "run", ["localization.threshold=1000"])
    assert "nothing was detected in any" in none.warnings[0]
    assert json.loads((none.out / "warnings.json").read_text()) == list(none.warnings)
