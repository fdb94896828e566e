"""What `amsx train --expect` says beside what the training then takes: `python -m benchmarks.expectations`.

For each case a data set is made, `--expect` is asked before and after a real training, and the mean of both answers
stands beside what was measured: time, peak memory, and the size of the run directory. Every process has one thread, and
both sides count in seconds of processor time, which other work on the machine changes least; the seconds that passed
are printed, too. The memory of a training is its peak beyond that of a process that has trained a tiny set.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import amsx
from benchmarks.commands import environment_with

# Runs `amsx` by a clock of processor time, prints an estimate as JSON, and then what the process took.
PROGRAM = """
import dataclasses, json, sys, time
wall = time.perf_counter
time.perf_counter = time.process_time
from amsx.cli import main
if "--expect" in sys.argv:
    import amsx.training.expectations as expectations
    expectations.describe = lambda found, *rest: json.dumps([rest[-1], *map(dataclasses.asdict, found)])
began = wall()
status = main(sys.argv[1:])
peak = next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({"cpu": time.process_time(), "wall": wall() - began, "peak": peak}))
sys.exit(status)
"""
SHORT = tuple(
    part
    for setting in ("base_epochs=6", "supplementary_epochs=3", "alternate_epochs=2", "iterations=2")
    for part in ("--set", f"phases.{setting}")
)
LITTLE = 128 << 20  # bytes by which processes differ anyhow: no ratio is made of less
OWN = """
import torch
from torch import nn

class Convolutions(nn.Module):
    def __init__(self, in_features, num_classes, *, hidden, dropout, top_k_divisor):
        super().__init__()
        sizes = (in_features, hidden, hidden)
        self.layers = nn.ModuleList(nn.Conv1d(a, b, 3, padding=1) for a, b in zip(sizes, sizes[1:]))
        self.heads = nn.Linear(hidden, 2 * num_classes)

    def forward(self, feats, lengths):
        valid = (torch.arange(feats.shape[1]) < lengths[:, None])[..., None]
        x = feats
        for layer in self.layers:
            x = (layer(x.transpose(1, 2)).transpose(1, 2).relu()) * valid
        cas, category = self.heads(x).chunk(2, dim=2)
        category = (category * valid).sum(dim=1) / lengths[:, None]
        return cas.sigmoid(), category.log_softmax(dim=1), x
"""


@dataclass(frozen=True)
class Case:
    """A training that is estimated and measured."""

    name: str
    made: tuple[str, ...]  # the arguments of `benchmarks.make_dataset` but for the folder; () for the synthetic set
    options: tuple[str, ...] = ()  # of `amsx train`


CASES = (
    Case("synthetic, as it is", (), ("--data-option", "train_videos=40", "--data-option", "test_videos=10")),
    Case("THUMOS14-like, 40 videos, width 1024", ("thumos14", "--videos", "40", "--streams", "rgb"), SHORT),
    Case(
        "THUMOS14-like, 60 videos, width 2048, preset thumos14",
        ("thumos14", "--videos", "60", "--width", "2048", "--streams", "rgb"),
        (
            "--preset",
            "thumos14",
            "--set",
            "phases.base_epochs=2",
            "--set",
            "phases.supplementary_epochs=0",
            "--set",
            "phases.alternate_epochs=1",
            "--set",
            "phases.iterations=1",
        ),
    ),
    Case(
        "preset strong, 60 videos, width 256",
        ("thumos14", "--videos", "60", "--width", "256", "--streams", "rgb"),
        ("--preset", "strong", *SHORT),
    ),
    Case(
        "a backbone of one's own, 60 videos, width 256",
        ("thumos14", "--videos", "60", "--width", "256", "--streams", "rgb"),
        ("--backbone", "own_network:Convolutions", "--set", "model.hidden=256", *SHORT),
    ),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line of the table for each case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", type=int, action="append", help="numbers of cases, from 0 on (default: all)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "own_network.py").write_text(OWN)
        tiny = (
            "synthetic",
            "--data-option",
            "train_videos=4",
            "--set",
            "phases.iterations=1",
            "--set",
            "model.hidden=8",
        )
        begun = _amsx(folder, "train", *tiny, "--set", "phases.base_epochs=1", "--out", folder / "tiny", "--quiet")
        for number, case in enumerate(CASES):
            if options.case is not None and number not in options.case:
                continue
            data = "synthetic" if not case.made else str(folder / f"data-{number}")
            if case.made:
                _run(folder, [sys.executable, "-m", "benchmarks.make_dataset", case.made[0], data, *case.made[1:]])
            out = folder / f"run-{number}"
            command = ("train", data, *case.options)
            answers = [_expected(folder, command)]
            taken = _amsx(folder, *command, "--out", out, "--quiet")
            answers.append(_expected(folder, command))
            _show(case, answers, taken, begun, sum(path.stat().st_size for path in out.rglob("*") if path.is_file()))


def _expected(folder: Path, command: Sequence[str]) -> dict[str, Any]:
    found = _amsx(folder, *command, "--expect")
    start, *streams = json.loads(found["lines"][-2])
    return {
        "seconds": start + sum(each["seconds"] for each in streams),
        "disk": sum(each["disk"] for each in streams),
        "memory": max(each["memory"] for each in streams),
        "took": found["wall"],
        "cpu": found["cpu"],
    }


def _show(case: Case, answers: list[dict[str, Any]], taken: dict[str, Any], begun: dict[str, Any], disk: int) -> None:
    mean = {key: sum(answer[key] for answer in answers) / len(answers) for key in answers[0]}
    memory = taken["peak"] - begun["peak"]
    apart = " and ".join(f"{answer['seconds']:.1f}" for answer in answers)
    print(
        f"{case.name}\n"
        f"  time    {mean['seconds']:>8.1f} s expected ({apart}){taken['cpu']:>8.1f} s taken (wall {taken['wall']:.1f})"
        f"   ratio {mean['seconds'] / taken['cpu']:.2f}\n"
        f"  memory  {mean['memory'] / 2**20:>8.0f} MiB expected{memory / 2**20:>8.0f} MiB taken"
        f"   ratio {format(mean['memory'] / memory, '.2f') if memory > LITTLE else '-'}\n"
        f"  disk    {mean['disk'] / 2**20:>8.2f} MiB expected{disk / 2**20:>8.2f} MiB taken"
        f"   ratio {mean['disk'] / disk:.2f}\n"
        f"  the estimate itself took {mean['cpu']:.1f} s of processor time, {mean['took']:.1f} s by the clock",
        flush=True,
    )


def _amsx(folder: Path, *arguments: Any) -> dict[str, Any]:
    """What a process took that ran `amsx`, and the lines that it printed."""
    lines = _run(folder, [sys.executable, "-c", PROGRAM, *map(str, arguments)]).splitlines()
    return {**json.loads(lines[-1]), "lines": lines}


def _run(folder: Path, command: Sequence[str]) -> str:
    environment = environment_with(Path(amsx.__file__).resolve().parents[1])
    root = str(Path(__file__).resolve().parents[1])
    environment["PYTHONPATH"] += os.pathsep + os.pathsep.join([str(folder), root])
    environment |= {"OMP_NUM_THREADS": "1", "AMSX_CACHE": ""}
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"exit status {done.returncode}: {' '.join(command)}\n{done.stderr}{done.stdout}")
    return done.stdout


if __name__ == "__main__":
    main()
