"""`python -m benchmarks.device_checks NAME`: one check of the ops on a GPU, in a process of its own.

What a check found goes to the file that --json names. The exit status is 1 where it failed, and 3, with the reason in
the file, where it cannot run on this machine.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import ROOT, torch_checks, value_checks
from benchmarks.commands import FailedError, environment_with, run
from benchmarks.comparing import Place
from benchmarks.stages import AbsentError, Work

CANNOT_RUN = 3  # exit status


@dataclass(frozen=True)
class Check:
    """A check and the environment that its process needs beside the usual one."""

    run: Callable[[Place], dict[str, Any]]  # returns details for the record, and raises where something is wrong
    environment: dict[str, str] = field(default_factory=dict)


PTX_ALONE = {"CUDA_FORCE_PTX_JIT": "1", "CUDA_MODULE_LOADING": "LAZY"}
CHECKS = {  # by name, the most important first
    "first launch in a capture": Check(torch_checks.first_launch_in_a_capture),
    "spikes": Check(value_checks.spikes),
    "long videos": Check(value_checks.long_videos),
    "continuous backward": Check(value_checks.continuous_backward),
    "NaN rows": Check(value_checks.nan_rows),
    "concurrent streams": Check(torch_checks.concurrent_streams),
    "many classes": Check(value_checks.many_classes),
    "beyond 32 bits": Check(value_checks.beyond_32_bits),
    "PTX alone": Check(torch_checks.ptx_alone, PTX_ALONE),
    "inductor": Check(torch_checks.compiled_by_inductor),
    "reduce-overhead": Check(torch_checks.compiled_with_reduced_overhead),
    "autocast": Check(torch_checks.autocast),
    "another device": Check(torch_checks.another_device_current),
}


def works(site: Path, folder: Path) -> dict[str, Work]:
    """Each check as work of a process of its own, with the amsx in `site`; their files go to `folder`."""
    return {name: _work(name, check, site, folder / f"check{i}.json") for i, (name, check) in enumerate(CHECKS.items())}


def _work(name: str, check: Check, site: Path, out: Path) -> Work:
    def work(limit: float) -> dict[str, Any]:
        command = [sys.executable, "-m", "benchmarks.device_checks", name, "--json", str(out)]
        try:
            run(command, ROOT, environment_with(site) | check.environment, limit, f"{name}: ")
        except FailedError:
            answer = json.loads(out.read_text()) if out.exists() else {}
            if "absent" in answer:
                raise AbsentError(answer["absent"]) from None
            raise
        details: dict[str, Any] = json.loads(out.read_text())
        return details

    return work


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.device_checks", description=__doc__)
    parser.add_argument("name", choices=CHECKS)
    parser.add_argument("--device", default="cuda", help="where it runs (default: cuda)")
    parser.add_argument("--small", action="store_true", help="use tiny sizes, only to see whether it runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where what it found goes")
    options = parser.parse_args(arguments)
    try:
        details, status = CHECKS[options.name].run(Place(options.device, options.small)), 0
    except AbsentError as error:
        details, status = {"absent": str(error)}, CANNOT_RUN
    if options.json is not None:
        options.json.write_text(json.dumps(details))
    print(f"{options.name}: {details.get('absent', 'passed')}")
    return status


if __name__ == "__main__":
    sys.exit(main())
