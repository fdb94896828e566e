"""Reads hardware counters of amsx's kernels with NVIDIA's Nsight Compute (`ncu`), where it is installed."""

import csv
import io
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from benchmarks import ROOT
from benchmarks.commands import FailedError, environment_with, run
from benchmarks.stages import AbsentError

METRICS = {  # ncu's name -> ours
    "gpu__time_duration.sum": "duration",
    "dram__bytes_read.sum": "dram_read",
    "dram__bytes_write.sum": "dram_written",
    "smsp__issue_active.avg.pct_of_peak_sustained_active": "issue_active",
    "sm__warps_active.avg.pct_of_peak_sustained_active": "occupancy",
    "lts__t_sector_hit_rate.pct": "l2_hits",
    "launch__registers_per_thread": "registers",
}
UNITS = {  # of ncu's second line -> the factor to seconds, bytes or percent
    "nsecond": 1e-9,
    "ns": 1e-9,
    "usecond": 1e-6,
    "us": 1e-6,
    "msecond": 1e-3,
    "ms": 1e-3,
    "byte": 1.0,
    "Kbyte": 1e3,
    "Mbyte": 1e6,
    "Gbyte": 1e9,
    "%": 1.0,
    "register/thread": 1.0,
    "": 1.0,
}


def count(site: Path, limit: float) -> dict[str, Any]:
    """The counters of every kernel at the goal sizes. AbsentError where ncu is not there or may not read them."""
    program = shutil.which("ncu")
    if program is None:
        raise AbsentError("no ncu on PATH")
    try:
        log = run(command_of(program), ROOT, environment_with(site), limit, "ncu: ")
    except FailedError as error:
        if refused := re.search(r".*(ERR_NVGPUCTRPERM|Failed to initialize the profiler|not supported).*", str(error)):
            raise AbsentError(f"ncu cannot count here: {refused[0].strip()}") from error
        raise
    kernels = table(log)
    if not kernels:
        raise FailedError(f"ncu counted no kernel of amsx:\n{log[-3000:]}")
    return {"command": " ".join(command_of("ncu")), "kernels": kernels}


def command_of(program: str) -> list[str]:
    # Clocks are left as they are: to lock them is for whoever owns the machine.
    options = ["--clock-control", "none", "--csv", "--page", "raw", "--metrics", ",".join(METRICS)]
    options += ["--kernel-name-base", "demangled", "--kernel-name", "regex:amsx"]
    return [program, *options, sys.executable, "-m", "benchmarks.goal_sizes", "cuda"]


def table(log: str) -> list[dict[str, Any]]:
    """The kernels in ncu's CSV, in order: name, grid and block, and the metrics in seconds, bytes and percent."""
    lines = log.splitlines()
    first = next((i for i, line in enumerate(lines) if line.startswith('"ID"')), None)
    if first is None:
        return []
    rows = list(csv.reader(io.StringIO("\n".join(line for line in lines[first:] if line.startswith('"')))))
    head, units = rows[0], rows[1]
    kernels = []
    for cells in rows[2:]:
        row, unit_of = dict(zip(head, cells, strict=False)), dict(zip(head, units, strict=False))
        kernel: dict[str, Any] = {"kernel": short_name(row["Kernel Name"])}
        kernel |= {"grid": row.get("Grid Size", ""), "block": row.get("Block Size", "")}
        for metric, name in METRICS.items():
            text = row.get(metric, "").replace(",", "")
            try:
                kernel[name] = float(text) * UNITS[unit_of[metric]]
            except (ValueError, KeyError):
                kernel[name] = None  # this ncu or this GPU does not count it, or has a unit of its own
        kernels.append(kernel)
    return kernels


def short_name(kernel: str) -> str:
    """`gather_kernel<BFloat16, 8>` of a kernel's whole name."""
    plain = re.sub(r"\((?:anonymous namespace|[^()]*Params[^()]*)\)(?:::)?", "", kernel)
    return re.sub(r"\b(?:void |amsx::|cuda::)|<unnamed>::", "", plain).strip()
