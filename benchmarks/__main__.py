"""`python -m benchmarks list | run NAME... | all`: see --help."""

import argparse
import dataclasses
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks import (
    alignment,
    evaluation,
    launches,
    memory,
    overhead,
    postprocessing,
    record,
    sampler,
    scaling,
    training,
)
from benchmarks.goals import Goal, goals
from benchmarks.rows import Row
from benchmarks.settings import Settings
from benchmarks.timing import keep_freed_memory

GROUPS = (
    (sampler.GROUP, sampler.run, "sampler forward and backward over sizes, dtypes and H, beside all rivals"),
    (alignment.GROUP, alignment.run, "re-alignment forward and backward at C = 20 and 100"),
    (overhead.GROUP, overhead.run, "a call on tiny inputs"),
    (memory.GROUP, memory.run, "peak memory beyond inputs and outputs"),
    (launches.GROUP, launches.run, "kernel launches of a call (CUDA)"),
    (scaling.GROUP, scaling.run, "growth in B, T, D and H"),
    (training.GROUP, training.run, "a whole AMS training step and the sampler's share of it"),
    (evaluation.GROUP, evaluation.run, "scoring 31 thousand detections"),
    (postprocessing.GROUP, postprocessing.run, "from activations to detections, 210 videos"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="the benchmarks' names")
    some = commands.add_parser("run", help="some of them")
    some.add_argument("names", nargs="+", metavar="NAME", choices=[name for name, _, _ in GROUPS])
    every = commands.add_parser("all", help="all of them")
    for command in (some, every):
        command.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
        command.add_argument("--threads", type=int, default=2, help="of the CPU (default: 2)")
        command.add_argument("--repeats", type=int, default=30, help="rounds of a case (default: 30)")
        command.add_argument("--case-seconds", type=float, default=60.0, help="a case's limit (default: 60)")
        command.add_argument("--time-limit", type=float, help="seconds after which no further case is started")
        command.add_argument("--quick", action="store_true", help="tiny sizes: only whether everything runs")
        command.add_argument("--json", type=Path, metavar="FILE", help="where the record goes")
        command.add_argument("--plots", type=Path, metavar="DIR", help="where scaling.png and roofline.png go")
    options = parser.parse_args(arguments)
    if options.command == "list":
        for name, _, about in GROUPS:
            print(f"{name:<16}{about}")
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
        parser.error(str(error))
    names = [name for name, _, _ in GROUPS] if options.command == "all" else options.names
    run(settings, names, options.json, options.plots)
    return 0


def run(settings: Settings, names: Sequence[str], json: Path | None = None, plots: Path | None = None) -> list[Row]:
    """The named benchmarks in the given order, their goals, and what was asked to be written.

    SystemExit at the end of it all where one of them failed.
    """
    torch.set_num_threads(settings.threads)
    facts = record.environment(settings, keep_freed_memory())
    loads = ", ".join(f"{load:.2f}" for load in facts["load_average"])
    print(
        f"{facts['device']}; {facts['cpu']}, {facts['cores']} cores, {settings.threads} threads; load average {loads}"
    )
    print(f"amsx {facts['versions']['amsx']} from {facts['amsx_from']}, torch {facts['versions']['torch']}")
    print(f"allocator: {facts['allocator']}")
    if facts["load_average"][0] > 0.5:
        print("note: the load average is not near 0; where something else is running, the figures are noise")
    if settings.quick:
        print("quick: tiny sizes, the figures say nothing")
    groups = {name: group for name, group, _ in GROUPS}
    rows: list[Row] = []
    reached: list[Goal] = []
    under_way: list[Row] = []  # of the group that runs
    failed: list[str] = []

    def write() -> None:
        nonlocal reached
        reached = [] if settings.quick else goals([*rows, *under_way], settings.device)
        if json is not None:
            record.write(json, facts, settings, [*rows, *under_way], reached)

    def keep(new: Sequence[Row]) -> None:
        """After every case: what was measured outlives what may fail, or be stopped, later."""
        under_way.extend(new)
        write()

    for name in names:
        try:
            rows += groups[name](dataclasses.replace(settings, keep=keep))
        except Exception:  # the other groups know nothing of it
            traceback.print_exc()
            failed.append(name)
            rows += under_way
        under_way.clear()
        write()
    print()
    for goal in reached:
        print(goal)
    if json is not None:
        print(f"record: {json}")
    if plots is not None:
        from benchmarks.plots import draw  # matplotlib, where it is wanted

        for picture in draw(rows, plots, facts):
            print(f"picture: {picture}")
    if failed:
        raise SystemExit(f"benchmarks: FAILED in {', '.join(failed)}")
    return rows


if __name__ == "__main__":
    sys.exit(main())
