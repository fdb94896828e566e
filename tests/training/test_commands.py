"""`amsx train` and `amsx test`: what they make of their options, and what they say where something is amiss."""

import json
import os
import subprocess
import sys

import pytest

import amsx.cli
from amsx.cli import main
from amsx.training.config import Config, override, to_dict

SMALL = ["synthetic", "--quiet", *(f"--data-option={key}=4" for key in ("train_videos", "test_videos", "classes"))]
BRIEF = [
    *("--set", "phases.base_epochs=1", "--set", "phases.supplementary_epochs=0"),
    *("--set", "phases.alternate_epochs=1", "--set", "phases.iterations=1", "--stream", "rgb"),
]


def seed_of(run):
    return json.loads((run / "config.json").read_text())["config"]["optimization"]["seed"]


def test_the_seed_of_a_configuration_counts_unless_another_is_given(tmp_path):
    start = tmp_path / "start.json"
    start.write_text(json.dumps(to_dict(override(Config(), ["optimization.seed=7", "model.hidden=8"]))))
    for name, options, seed in (("a", [], 7), ("b", ["--seed", "2"], 2), ("c", ["--set", "optimization.seed=3"], 3)):
        arguments = ["train", *SMALL, *BRIEF, "--config", str(start), "--out", str(tmp_path / name), *options]
        assert main(arguments) == 0
        assert seed_of(tmp_path / name) == seed


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "start.json is not valid JSON"),
        ("[]", "the configuration must be a mapping, got []"),
        (None, "no such file"),
    ],
)
def test_a_configuration_that_cannot_be_read(tmp_path, capsys, content, message):
    start = tmp_path / "start.json"
    if content is not None:
        start.write_text(content)
    assert main(["train", *SMALL, *BRIEF, "--config", str(start), "--out", str(tmp_path / "run")]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data-option", "videos=3"], "the built-in set has no option 'videos'; it has seed, classes, train_videos"),
        (["--layout", "bas_net"], "--layout bas_net: the built-in set has none"),
        (["--set", "optimization.learning_rate=1e30", "--set", "phases.base_epochs=3"], "the weights became infinite"),
    ],
)
def test_errors_are_a_line(tmp_path, capsys, options, message):
    assert main(["train", *SMALL, *BRIEF, "--out", str(tmp_path / "run"), *options]) == 1
    said = capsys.readouterr().err.strip()
    assert message in said and said.startswith("amsx: error: ") and len(said.splitlines()) == 1


def test_where_nothing_is_annotated_nothing_is_scored_and_that_is_said(tmp_path, capsys):
    assert main(["train", *SMALL, *BRIEF, "--out", str(tmp_path / "run")]) == 0
    truth = json.loads((tmp_path / "run" / "ground_truth.json").read_text())
    for entry in truth["database"].values():
        entry["annotations"] = []
    (tmp_path / "run" / "ground_truth.json").write_text(json.dumps(truth))
    capsys.readouterr()
    assert main(["test", str(tmp_path / "run")]) == 0
    assert "no mAP of localization: it needs segments, and no test video has one" in capsys.readouterr().out


def test_output_that_nobody_reads_is_no_error():
    command = [sys.executable, "-c", "import sys; from amsx.cli import main; sys.exit(main())", "info"]
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as closed:
        done = subprocess.run(command, stdout=closed, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("error", [RuntimeError, MemoryError, ImportError, FloatingPointError])
def test_errors_of_every_kind_that_a_user_can_meet(monkeypatch, capsys, error):
    def fail(_):
        raise error("told")

    monkeypatch.setattr(amsx.cli, "_info", fail)
    assert main(["info"]) == 1
    assert capsys.readouterr().err == "amsx: error: told\n"


def test_a_run_goes_on_by_its_name_alone(tmp_path, capsys):
    run = tmp_path / "run"
    assert main(["train", *SMALL, *BRIEF, "--preset", "small", "--seed", "5", "--out", str(run)]) == 0
    before = (run / "rgb" / "activations.safetensors").read_bytes()
    (run / "rgb" / "activations.safetensors").unlink()
    again = [["--resume", str(run)], ["--out", str(run), "--resume"], [*SMALL[:1], "--resume", str(run)]]
    for arguments in again:
        capsys.readouterr()
        assert main(["train", "--quiet", *arguments]) == 0
        assert "rgb: resumed after epoch" in capsys.readouterr().out
        assert (run / "rgb" / "activations.safetensors").read_bytes() == before
    full = ["train", "--resume", *SMALL, *BRIEF, "--preset", "small", "--seed", "5", "--out", str(run)]
    assert main(full) == 0
    assert main(["train", "--resume", str(run), "--set", "model.hidden=7"]) == 1
    assert "model.hidden is 256 in the run and 7 in this command" in capsys.readouterr().err


def test_what_to_resume_and_what_to_train_on_must_be_said(tmp_path, capsys):
    for arguments, message in (
        (["--out", str(tmp_path / "run")], "DATA says what to train on; expected it (or --resume RUN)"),
        (["--resume", str(tmp_path / "none")], "no such file"),
        (["synthetic", "--resume", "a", "--out", "b"], "--resume names the run a, and --out b"),
        (["synthetic", "--config", "c", "--preset", "small", "--out", "b"], "--config and --preset both say"),
    ):
        assert main(["train", *arguments]) == 1
        assert message in capsys.readouterr().err


def test_detections_that_cover_whole_videos_are_warned_of(tmp_path, capsys):
    settings = ["--set", "localization.threshold=0", "--set", "localization.class_threshold=0"]
    assert main(["train", *SMALL, *BRIEF, *settings, "--out", str(tmp_path / "run")]) == 0
    assert "amsx: warning: " in (said := capsys.readouterr().err) and "cover their whole video" in said
    assert main(["test", str(tmp_path / "run"), "--set", "localization.threshold=1000"]) == 0
    assert "amsx: warning: nothing was detected in any of 4 videos" in capsys.readouterr().err
