"""Jobs by submitit: real ones on this machine, and what is handed to Slurm by commands that stand in for its own."""

import os
import re
import signal
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest
import submitit

from amsx.cli import main
from amsx.experiments import cluster
from amsx.experiments.cluster import Cluster, Work, run_jobs
from amsx.experiments.reproduction import read_reproduction
from amsx.files import LOCK

WORK = partial(print, "worked")
SMALL = ["synthetic", "--data-option", "train_videos=12", "--data-option", "test_videos=4", "--preset", "small"]
SHORT = ["base_epochs=1", "supplementary_epochs=1", "alternate_epochs=1", "iterations=1"]


@pytest.fixture(autouse=True)
def frequent_looks(monkeypatch):
    monkeypatch.setattr(cluster, "LOOK", 0.05)


def test_two_jobs_share_the_trainings_and_one_is_killed(tmp_path, monkeypatch, capsys):
    """No cell is trained twice, and what the killed job was at is taken over."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(submitit.LocalJob, "_results_timeout_s", 0)  # for which it waits for what a job has written
    settings = [part for setting in SHORT for part in ("--set", f"phases.{setting}")]
    asked = ["--table", "3", "--row", "C", "--row", "F", "--seeds", "2", "--stream", "rgb", "--set", "model.hidden=8"]
    jobs = ["--jobs", "1", "--executor", "local", "--workers", "2"]
    killed: list[list[str]] = []

    def kill_one() -> None:
        while not killed:
            time.sleep(0.01)
            for path in Path("out", "jobs").glob("*.out"):
                if " took " in path.read_text() and not killed:
                    controller = path.name.partition("_")[0]
                    killed.append(Path(f"/proc/{controller}/task/{controller}/children").read_text().split())
                    for process in killed[0]:
                        os.kill(int(process), signal.SIGKILL)

    killer = threading.Thread(target=kill_one, daemon=True)
    killer.start()
    assert main(["reproduce", *SMALL, *asked, *settings, "--out", "out", *jobs]) == 0, capsys.readouterr().err
    killer.join()
    assert len(killed[0]) == 1
    outputs = [path.read_text() for path in Path("out", "jobs").glob("*.out")]
    assert sorted("Table III" in output for output in outputs) == [False, True]
    trained = [re.findall(r"s: (.+) took ", output) for output in outputs]
    assert all(trained), outputs
    assert len({*trained[0], *trained[1]}) == len(trained[0]) + len(trained[1]), outputs
    assert len(trained[0]) + len(trained[1]) in (7, 8)  # one that was finished just before the kill may have no line
    reproduction = read_reproduction(Path("out"))
    assert [row.key for row in reproduction.results[0].last_rows] == ["C", "F"]
    assert sum(len(training.seconds) for training in reproduction.trainings) == 8
    assert not list(Path("out").rglob(f"*{LOCK}")) and not list(Path("out").rglob("*.partial*"))


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A folder in which `sbatch`, which has the number 42 for any job, leaves what it was given; the job fails."""
    folder = tmp_path / "bin"
    folder.mkdir()
    scripts = {
        "sbatch": f"cp $1 {tmp_path}/submitted; echo Submitted batch job 42",
        "srun": "exit 1",
        "sacct": "printf 'JobID|State|NodeList\\n42_0|FAILED|here\\n42_1|FAILED|here\\n'",
    }
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.setattr(submitit.SlurmJob, "_results_timeout_s", 0)  # for which it waits for what a job has written
    return tmp_path


def test_options_of_sbatch_are_handed_on_and_failed_jobs_are_an_error(slurm):
    options = {"partition": "gpu", "time": "2-00:00", "gpus-per-node": "1", "account": "ours"}
    with pytest.raises(RuntimeError, match=r"all jobs ended before the work was done; the same command .* job 42_0: "):
        run_jobs(Cluster("slurm", 2, options), slurm / "out", WORK, say=lambda _: None)
    lines = (slurm / "submitted").read_text().splitlines()
    assert {f"#SBATCH --{key}={value}" for key, value in options.items()} <= set(lines)
    assert "#SBATCH --array=0-1%2" in lines and "#SBATCH --job-name=amsx" in lines
    names = [line.partition("=")[0] for line in lines if line.startswith("#SBATCH")]
    assert len(names) == len(set(names))
    assert sum(sys.executable in line for line in lines) == 1


def test_the_command_hands_its_options_to_sbatch(slurm, capsys, monkeypatch):
    monkeypatch.setattr(cluster, "run_jobs", lambda *arguments: called.append(arguments))
    called: list[tuple] = []
    asked = ["--partition", "gpu", "--slurm", "time=60", "--slurm", "cpus_per_task=2", "--workers", "3"]
    arguments = ["reproduce", *SMALL, "--table", "3", "--out", str(slurm / "out"), "--seeds", "0", *asked]
    assert main([*arguments, "--executor", "slurm"]) == 1  # no seeds is an error of the work that is left
    assert called[0][0] == Cluster("slurm", 3, {"time": "60", "cpus-per-task": "2", "partition": "gpu"})
    assert main(arguments) == 1
    assert "expected --executor beside them" in capsys.readouterr().err


def test_what_a_job_does_when_it_begins_again_is_the_same():
    work = Work(WORK)
    assert work.checkpoint().function is work


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        (Cluster("local", 0), ValueError, "workers must be at least 1, got 0"),
        (Cluster("local", 1, {"time": "3"}), ValueError, "time: options of Slurm"),
        (Cluster("slurm"), RuntimeError, "expected a machine that submits to Slurm"),
    ],
)
def test_what_cannot_be_submitted_is_refused(tmp_path, monkeypatch, asked, error, message):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(error, match=message):
        run_jobs(asked, tmp_path, WORK)


def test_without_submitit_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(RuntimeError, match=r"pip install 'amsx\[slurm\]'"):
        run_jobs(Cluster("local"), tmp_path, WORK)
