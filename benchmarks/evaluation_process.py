"""`amsx evaluate` as a whole process on many detections of two videos: seconds and peak memory, from start to score."""

import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import amsx
from benchmarks.commands import environment_with
from benchmarks.evaluation import synthetic
from benchmarks.measuring import OUT_OF_TIME
from benchmarks.rows import Row, print_table
from benchmarks.settings import Settings
from benchmarks.timing import Spread

GROUP = "evaluation-process"
CASES = {  # rival -> whether all scores are equal, and the options of the command
    "amsx evaluate": (False, []),
    "amsx evaluate --explain": (False, ["--explain"]),
    "equal scores": (True, []),
    "equal scores --explain": (True, ["--explain"]),
}
# What `amsx` runs, and then the process's seconds of CPU and its peak memory in kB: what the operating system tells the
# parent is never less than the parent's own memory, from which a process begins.
PROGRAM = """
import sys, time
from amsx.cli import main
status = main(sys.argv[1:])
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(time.process_time(), peak, file=sys.stderr)
sys.exit(status)
"""


def run(settings: Settings) -> list[Row]:
    """A row of seconds and a row of bytes for each case; a process is measured `settings.repeats` times, at most 5."""
    detections = 200 if settings.quick else 270_000
    parameters: dict[str, int | str] = {"detections": detections, "videos": 2}
    seconds: list[Row] = []
    memory: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        truth, predictions = synthetic(2, detections, 3 if settings.quick else 20)
        (folder / "truth.json").write_text(json.dumps(truth))
        for equal in (False, True):
            if equal:
                for record in (one for of_video in predictions["results"].values() for one in of_video):
                    record["score"] = 0.5
            (folder / f"predictions-{equal}.json").write_text(json.dumps(predictions))
        del predictions
        for rival, (equal, options) in CASES.items():
            row = Row(GROUP, f"{detections} detections of 2 videos, a process", rival, parameters, clock="wall")
            if settings.out_of_time:
                seconds.append(dataclasses.replace(row, note=OUT_OF_TIME))
                continue
            files = [str(folder / f"predictions-{equal}.json"), str(folder / "truth.json")]
            samples = [_measured([*files, *options]) for _ in range(min(settings.repeats, 5))]
            seconds.append(dataclasses.replace(row, spread=Spread.of([wall for wall, _, _ in samples])))
            cpu = min(cpu for _, cpu, _ in samples)
            memory.append(
                dataclasses.replace(
                    row,
                    case="peak memory of these",
                    unit="B",
                    clock=None,
                    spread=Spread.of([peak for _, _, peak in samples]),
                    note=f"{cpu:.2f} s of CPU",
                    details={"cpu_seconds": cpu},
                )
            )
    for rows in (seconds, memory):
        if rows:
            print_table(rows)
    return [*seconds, *memory]


def _measured(arguments: list[str]) -> tuple[float, float, int]:
    """Seconds, seconds of CPU and peak bytes of a process that runs `amsx evaluate` with these arguments."""
    environment = environment_with(Path(amsx.__file__).resolve().parents[1])
    command = [sys.executable, "-c", PROGRAM, "evaluate", *arguments]
    start = time.perf_counter()
    done = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    taken = time.perf_counter() - start
    if done.returncode != 0:
        raise RuntimeError(f"exit status {done.returncode}: {' '.join(command)}\n{done.stderr}")
    cpu, kilobytes = done.stderr.split()[-2:]
    return taken, float(cpu), 1024 * int(kilobytes)
