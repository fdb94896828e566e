"""`python -m benchmarks list | run NAME... | all`: see --help."""

import argparse
import dataclasses
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks import (
    alignment,
    evaluation,
    evaluation_process,
    kernels,
    launches,
    machine_code,
    memory,
    overhead,
    postprocessing,
    record,
    sampler,
    scaling,
    shapes,
    training,
)
from benchmarks.goals import Goal, goals
from benchmarks.rows import Row
from benchmarks.settings import Settings
from benchmarks.timing import keep_freed_memory, warm_up


@dataclass(frozen=True)
class Group:
    """One benchmark: a group of cases that are measured together."""

    name: str  # on the command line and in its rows
    run: Callable[[Settings], list[Row]]  # measures its cases and returns their rows
    about: str  # what it measures, in words


GROUPS = (
    Group(sampler.GROUP, sampler.run, "sampler forward and backward over sizes, dtypes and H, beside all rivals"),
    Group(alignment.GROUP, alignment.run, "re-alignment forward and backward at C = 20 and 100"),
    Group(overhead.GROUP, overhead.run, "a call on tiny inputs"),
    Group(memory.GROUP, memory.run, "peak memory beyond inputs and outputs"),
    Group(launches.GROUP, launches.run, "kernel launches of a call (CUDA)"),
    Group(kernels.GROUP, kernels.run, "duration of every kernel of a call apart (CUDA)"),
    Group(shapes.GROUP, shapes.run, "long videos, many classes, spikes and continuous mode"),
    Group(machine_code.GROUP, machine_code.run, "what nvcc makes of the CUDA kernels, and the bandwidth that allows"),
    Group(scaling.GROUP, scaling.run, "growth in B, T, D and H"),
    Group(training.GROUP, training.run, "a whole AMS training step and the sampler's share of it"),
    Group(evaluation.GROUP, evaluation.run, "scoring 31 thousand detections"),
    Group(evaluation_process.GROUP, evaluation_process.run, "`amsx evaluate` on 270,000 detections, as a process"),
    Group(postprocessing.GROUP, postprocessing.run, "from activations to detections, 210 videos"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if options.command == "list":
        for group in GROUPS:
            print(f"{group.name:<20}{group.about}")
        return 0
    try:
        settings = Settings(
            device=options.device,
            threads=options.threads,
            repeats=2 if options.quick else options.repeats,
            quick=options.quick,
            case_seconds=options.case_seconds,
            deadline=None if options.time_limit is None else time.monotonic() + options.time_limit,
        )
    except ValueError as error:
        _parser().error(str(error))
    names = [group.name for group in GROUPS] if options.command == "all" else options.names
    run(settings, names, options.json, options.plots)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="print the names of the benchmarks")
    run_named = commands.add_parser("run", help="run the named benchmarks")
    run_named.add_argument("names", nargs="+", metavar="NAME", choices=[group.name for group in GROUPS])
    run_all = commands.add_parser("all", help="run all benchmarks")
    for command in (run_named, run_all):
        command.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
        command.add_argument("--threads", type=int, default=2, help="threads on the CPU (default: 2)")
        command.add_argument("--repeats", type=int, default=30, help="rounds of a case (default: 30)")
        command.add_argument("--case-seconds", type=float, default=60.0, help="time limit of a case (default: 60)")
        command.add_argument("--time-limit", type=float, help="seconds after which no further case is started")
        command.add_argument("--quick", action="store_true", help="use tiny sizes, only to see whether everything runs")
        command.add_argument("--json", type=Path, metavar="FILE", help="write the record to this file")
        command.add_argument("--plots", type=Path, metavar="DIR", help="draw scaling.png and roofline.png into DIR")
    return parser


def run(settings: Settings, names: Sequence[str], json: Path | None = None, plots: Path | None = None) -> list[Row]:
    """Run the named benchmarks in the given order, print their goals, and write what was asked for.

    SystemExit at the end where one of them failed; the others are run all the same.
    """
    torch.set_num_threads(settings.threads)
    environment = record.environment(settings, keep_freed_memory())
    record.describe(environment, settings)
    if settings.cuda:
        warm_up(settings.device)
    groups = {group.name: group for group in GROUPS}
    rows: list[Row] = []  # of the groups that are done
    rows_of_group: list[Row] = []  # of the group that runs, as far as it has come
    checked: list[Goal] = []
    failed: list[str] = []

    def write() -> None:
        nonlocal checked
        measured = [*rows, *rows_of_group]
        checked = [] if settings.quick else goals(measured, settings.device)
        if json is not None:
            record.write(json, environment, settings, measured, checked)

    def keep(new: Sequence[Row]) -> None:
        """Write after every case, so that what was measured is not lost when a later case fails or is stopped."""
        rows_of_group.extend(new)
        write()

    for name in names:
        try:
            rows += groups[name].run(dataclasses.replace(settings, keep=keep))
        except Exception:  # the other groups do not depend on it
            traceback.print_exc()
            failed.append(name)
            rows += rows_of_group
        rows_of_group.clear()
        write()
    print()
    for goal in checked:
        print(goal)
    if json is not None:
        print(f"record: {json}")
    if plots is not None:
        from benchmarks.plots import draw  # matplotlib is imported only where pictures are wanted

        for picture in draw(rows, plots, environment):
            print(f"picture: {picture}")
    if failed:
        raise SystemExit(f"benchmarks: FAILED in {', '.join(failed)}")
    return rows


if __name__ == "__main__":
    sys.exit(main())
