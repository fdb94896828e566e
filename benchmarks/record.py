"""The record of a run: one JSON file with the machine, the versions, every figure and the goals."""

import datetime
import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy
import torch

import amsx
from amsx.files import write_json
from amsx.ops import native
from benchmarks import ROOT
from benchmarks.goals import Goal
from benchmarks.rows import Row
from benchmarks.settings import Settings


def environment(settings: Settings, allocator: str) -> dict[str, Any]:
    """The machine and the software that the figures are measured with."""
    build = native.build() if native.LOAD_ERROR is None else {"not loaded": str(native.LOAD_ERROR)}
    facts: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "device": torch.cuda.get_device_name(0) if settings.cuda else "cpu",
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "load_average": list(os.getloadavg()),
        "platform": platform.platform(),
        "threads": settings.threads,
        "allocator": allocator,
        "versions": {
            "amsx": amsx.__version__,
            "torch": torch.__version__,
            "numpy": numpy.__version__,
            "python": platform.python_version(),
        },
        "amsx_from": str(Path(amsx.__file__).parent),
        "build": build,
        "git": git_state(),
    }
    if settings.cuda:
        facts["cuda"] = cuda_facts()
    return facts


def describe(environment: dict[str, Any], settings: Settings) -> None:
    """Print what a reader must know before the figures."""
    loads = ", ".join(f"{load:.2f}" for load in environment["load_average"])
    machine = f"{environment['device']}; {environment['cpu']}, {environment['cores']} cores"
    print(f"{machine}, {settings.threads} threads; load average {loads}")
    versions = environment["versions"]
    print(f"amsx {versions['amsx']} from {environment['amsx_from']}, torch {versions['torch']}")
    print(f"allocator: {environment['allocator']}")
    if environment["load_average"][0] > 0.5:
        print("note: the load average is not near 0; where something else is running, the figures are noise")
    if settings.quick:
        print("quick: tiny sizes, the figures say nothing")


def write(
    path: Path, facts: dict[str, Any], settings: Settings, rows: Sequence[Row], goals: Sequence[Goal]
) -> dict[str, Any]:
    """Write the record to `path`, whole or not at all, and return it."""
    document = {
        "environment": facts | {"load_average_at_the_end": list(os.getloadavg())},
        "settings": settings.to_json(),
        "rows": [row.to_json() for row in rows],
        "goals": [goal.to_json() for goal in goals],
    }
    write_json(path, document, allow_nan=False)
    return document


def cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def git_state() -> dict[str, Any] | None:
    """The commit and whether the files differ from it; None outside a repository."""
    try:
        commit = _output("git", "-C", str(ROOT), "rev-parse", "HEAD")
        changed = _output("git", "-C", str(ROOT), "status", "--porcelain")
    except (OSError, subprocess.CalledProcessError):
        return None
    return {"commit": commit, "changed": bool(changed)}


def cuda_facts() -> dict[str, Any]:
    properties = torch.cuda.get_device_properties(0)
    try:
        driver = _output("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader").splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        driver = "unknown"
    return {
        "name": properties.name,
        "capability": f"{properties.major}.{properties.minor}",
        "memory_bytes": properties.total_memory,
        "multiprocessors": properties.multi_processor_count,
        "l2_bytes": getattr(properties, "L2_cache_size", None),
        "driver": driver,
        "torch_cuda": torch.version.cuda,
        "devices": torch.cuda.device_count(),
    }


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()
