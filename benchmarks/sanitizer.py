"""Runs every op under NVIDIA's compute-sanitizer, which finds invalid accesses and races on the device."""

import functools
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from benchmarks import ROOT
from benchmarks.commands import FailedError, TimedOutError, environment_with, run
from benchmarks.stages import AbsentError, CutShortError, Work

SUMMARIES = {  # by tool, the most important first: what its last line says, with the number of what it found
    "memcheck": r"ERROR SUMMARY: (\d+) error",
    "racecheck": r"RACECHECK SUMMARY: (\d+) hazard",
    "initcheck": r"ERROR SUMMARY: (\d+) error",
    "synccheck": r"ERROR SUMMARY: (\d+) error",
}


def works(site: Path) -> dict[str, Work]:
    """Each tool as work of a process of its own, with the amsx in `site`."""
    return {tool: functools.partial(sanitize, tool, site) for tool in SUMMARIES}


def sanitize(tool: str, site: Path, limit: float) -> dict[str, Any]:
    """Run one tool of compute-sanitizer over every op at awkward sizes, every tensor in an allocation of its own.

    Returns the tool's counts. AbsentError where it cannot run here, FailedError where it reports anything, and
    CutShortError where it had reported nothing when its time was over.
    """
    program = find_program()
    if program is None:
        raise AbsentError("no compute-sanitizer on PATH or beside nvcc")
    command = command_of(program, tool)
    environment = environment_with(site) | {"PYTORCH_NO_CUDA_MEMORY_CACHING": "1"}
    try:
        log = run(command, ROOT, environment, limit, f"{tool}: ")
    except TimedOutError as error:
        if re.search(r"^=+ (Invalid|Error: Race|Uninitialized|Barrier error)", error.log, re.M):
            raise
        raise CutShortError(f"not done within {limit:.0f} s (--scale-limits gives it more)") from None
    except FailedError as error:
        if unsupported := re.search(r".*Device not supported.*", str(error)):
            raise AbsentError(f"compute-sanitizer cannot work here: {unsupported[0].strip()}") from None
        raise
    return counts_in(tool, log)


def find_program() -> str | None:
    """The path of compute-sanitizer: on PATH, or in the toolkit whose nvcc is on PATH. None where there is none."""
    nvcc = shutil.which("nvcc")
    toolkit = Path(nvcc).resolve().parent.parent if nvcc else Path()
    folders = (None, str(toolkit / "bin"), str(toolkit / "compute-sanitizer"))
    paths = (shutil.which("compute-sanitizer", path=folder) for folder in folders)
    return next((path for path in paths if path is not None), None)


def command_of(program: str, tool: str) -> list[str]:
    """The command that watches amsx's kernels and nothing else: torch may ask the driver for what it refuses."""
    options = ["--tool", tool, "--error-exitcode", "9", "--report-api-errors", "no", "--kernel-name", "kns=amsx"]
    # By default it waits ten seconds for the first use of CUDA, and importing torch may take longer.
    options += ["--launch-timeout", "0"]
    return [program, *options, sys.executable, "-m", "benchmarks.all_ops", "cuda"]


def counts_in(tool: str, log: str) -> dict[str, Any]:
    """The counts in the tool's own summary. FailedError where it has none, reports anything, or the ops did not run."""
    reported = re.search(SUMMARIES[tool], log)
    results = re.search(r"all ops: (\d+) results on cuda, 0 not", log)
    if reported is None or results is None or int(reported[1]) != 0:
        raise FailedError(f"{tool} does not say that all is well:\n{log}")
    return {"reported": int(reported[1]), "results": int(results[1])}
