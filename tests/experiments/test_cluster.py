"""Jobs by submitit: a real one on this machine, and what is handed to Slurm by commands that stand in for its own."""

import os
import sys
from functools import partial
from pathlib import Path

import pytest
import submitit

from amsx.cli import main
from amsx.experiments import cluster
from amsx.experiments.cluster import Cluster, Work, run_jobs

WORK = partial(print, "worked")
SMALL = ["synthetic", "--data-option", "train_videos=12", "--data-option", "test_videos=4", "--preset", "small"]
SHORT = ["base_epochs=1", "supplementary_epochs=1", "alternate_epochs=1", "iterations=1"]


@pytest.fixture(autouse=True)
def frequent_looks(monkeypatch):
    monkeypatch.setattr(cluster, "LOOK", 0.05)


def test_a_job_on_this_machine_trains_and_the_command_writes_the_table(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    settings = [part for setting in SHORT for part in ("--set", f"phases.{setting}")]
    asked = ["--table", "3", "--row", "A", "--seeds", "1", "--stream", "rgb", "--set", "model.hidden=8", *settings]
    arguments = ["reproduce", *SMALL, *asked, "--out", "out", "--quiet", "--jobs", "1", "--executor", "local"]
    assert main(arguments) == 0, capsys.readouterr().err
    printed = capsys.readouterr().out
    assert "submitted: " in printed and "results: out" in printed
    assert len(list(Path("out").glob("cells/rgb/seed0/*/finished.json"))) == 2
    output = "".join(path.read_text() for path in Path("out", "jobs").glob("*.out"))
    assert "Table III" in output and Path("out", "table3.md").exists()


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
