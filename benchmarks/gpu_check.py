"""`python -m benchmarks.gpu_check`: builds amsx for the GPU at hand, tests it there and measures it, in five minutes.

It needs no network, only what a CUDA and PyTorch image has: torch, pip, pybind11, scikit-build-core, ninja or make,
nvcc, pytest, hypothesis. amsx is built into a temporary directory; nothing is installed. A record of what was measured
goes to benchmarks/records/<device>-<date>.json, or to --out, which is written anew after every section and so is there
whatever happens later. If a section fails, the exit status is 1, and the record, marked as failed, is written only if
--out asks for it. Without a GPU nothing is done and the exit status is 2.
"""

import argparse
import datetime
import functools
import importlib.util
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from benchmarks import ROOT, sanitizer
from benchmarks.commands import FailedError, TimedOutError, environment_with, run

NEEDED = ("torch", "numpy", "pip", "pybind11", "scikit_build_core", "pytest", "hypothesis")
# The benchmarks, the most important first in case the time runs out.
MEASURED = ("launches", "sampler", "training", "scaling", "overhead", "alignment", "memory")
ALLOWED_SKIPS = ("one CUDA device",)  # what the reason of a skip may say; any other means that it was not tested
TOTAL = 300  # seconds for all sections together
LIMITS = {"build": 100, "tests": 120}  # seconds of it that these sections may take
FOR_TOOL = 30  # seconds kept for each of the sanitizer's tools
FOR_BENCHMARKS = 60  # seconds that the benchmarks get at least; they get all that the others leave
FOR_LAST_CASE = 30  # seconds before their limit from which on the benchmarks start no further case


@dataclass
class Section:
    """The result of one part of the check."""

    name: str
    outcome: str  # passed, failed, "absent: why", or "cut short: why"
    seconds: float  # that it took
    details: dict[str, Any] = field(default_factory=dict)  # for the record, JSON as they are


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu_check",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, help="the record (default: benchmarks/records/<device>-<date>.json)")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="where scaling.png and roofline.png go")
    parser.add_argument("--scale-limits", type=float, default=1.0, help="all time limits times this (default: 1)")
    options = parser.parse_args(arguments)
    toolkit_on_path()
    missing = missing_requirement()
    if missing is not None:
        print(f"gpu_check: nothing was checked: {missing}", file=sys.stderr)
        return 2
    # Exiting in the normal way stops the running command and removes the folder.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="amsx-gpu-check-", ignore_cleanup_errors=True) as folder:
        return check(Path(folder), options.out, options.plots, options.scale_limits)


def toolkit_on_path() -> None:
    """Put nvcc's folder on PATH if it is not there and the toolkit is in one of its usual places."""
    for root in (os.environ.get("CUDA_HOME"), os.environ.get("CUDA_PATH"), "/usr/local/cuda"):
        if shutil.which("nvcc") is None and root and shutil.which("nvcc", path=str(Path(root, "bin"))):
            os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), str(Path(root, "bin"))])


def missing_requirement() -> str | None:
    """What this machine lacks for the check, in words; None where it lacks nothing."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if "torch" in missing:
        return "torch is not installed"
    import torch

    if torch.version.cuda is None:
        return f"torch {torch.__version__} was built without CUDA"
    if not torch.cuda.is_available():
        return f"torch {torch.__version__} sees no CUDA GPU"
    if missing:
        return f"not installed: {', '.join(missing)}"
    if shutil.which("nvcc") is None:
        return "no nvcc on PATH, in CUDA_HOME or in /usr/local/cuda to build the CUDA kernels with"
    return None


def check(folder: Path, out: Path | None, plots: Path | None, scale: float) -> int:
    """Run all sections one after the other, with their files in `folder`; return the exit status."""
    import torch

    major, minor = torch.cuda.get_device_capability()
    device = torch.cuda.get_device_name(0)
    print(f"gpu_check: {device}, compute capability {major}.{minor}, torch {torch.__version__}", flush=True)
    site, figures = folder / "site", folder / "figures.json"
    limits = {name: seconds * scale for name, seconds in LIMITS.items()}
    sections: list[Section] = []
    started = time.monotonic()

    def section(name: str, work: Callable[[], dict[str, Any]]) -> bool:
        print(f"\n=== {name}", flush=True)
        began = time.monotonic()
        outcome, details = "passed", {}
        try:
            details = work()
            for other in ("absent", "cut short"):
                if other in details:
                    outcome = f"{other}: {details.pop(other)}"
        except FailedError as error:
            outcome, details = "failed", {"log": str(error)}
            print(error, file=sys.stderr)
        sections.append(Section(name, outcome, round(time.monotonic() - began, 1), details))
        print(f"=== {name}: {outcome.upper() if outcome == 'failed' else outcome} after {sections[-1].seconds} s")
        if out is not None:
            write_record(out, record_of(sections, figures, finished=False))
        return outcome != "failed"

    def left(kept: float) -> float:
        return TOTAL * scale - (time.monotonic() - started) - kept * scale

    # Without a build nothing else can run; every later section is worth running whatever became of the others.
    if section("build", lambda: build(f"{major}{minor}", folder, site, limits["build"])):
        section("tests", lambda: run_tests(site, folder, limits["tests"]))
        limit = max(left(len(sanitizer.TOOLS) * FOR_TOOL), FOR_BENCHMARKS * scale)
        section("benchmarks", lambda: run_benchmarks(site, figures, plots, limit))
        for i, tool in enumerate(sanitizer.TOOLS):
            limit = max(left(0) / (len(sanitizer.TOOLS) - i), FOR_TOOL * scale)
            section(tool, functools.partial(sanitizer.sanitize, tool, site, limit))
    failed = [s.name for s in sections if s.outcome == "failed"]
    finish(sections, failed, figures, out, device)
    print("\n" + "\n".join(f"{s.name:<12}{s.outcome} ({s.seconds} s)" for s in sections))
    print(f"gpu_check: FAILED in {', '.join(failed)}" if failed else "gpu_check: passed")
    return 1 if failed else 0


def build(architecture: str, folder: Path, site: Path, limit: float) -> dict[str, Any]:
    """Build amsx with CUDA kernels for one architecture, such as "90", into `site`."""
    command = build_command(architecture, folder, site)
    run(command, folder, {"CMAKE_BUILD_PARALLEL_LEVEL": str(os.cpu_count() or 1)} | dict(os.environ), limit)
    return {"architecture": architecture, "command": " ".join(command[1:])}


def build_command(architecture: str, folder: Path, site: Path) -> list[str]:
    settings = {
        "build-dir": str(folder / "build"),
        "cmake.define.AMSX_CUDA": "ON",
        "cmake.define.CMAKE_CUDA_ARCHITECTURES": architecture,
    }
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-build-isolation", "--no-deps", "--no-index"]
    return [*pip, *(f"-C{key}={value}" for key, value in settings.items()), "--target", str(site), str(ROOT)]


def run_tests(site: Path, folder: Path, limit: float, path: str = "tests/gpu") -> dict[str, Any]:
    """Run tests/gpu against the amsx in `site`. A test that is skipped for a reason not allowed counts as failed."""
    report = folder / "tests.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT)]
    command += ["-p", "no:cacheprovider", f"--junitxml={report}", "--durations=5", str(ROOT / path)]
    command += ["-W", "default::FutureWarning"]  # the packages of an image may warn, for which amsx is not to blame
    run(command, folder, environment_with(site), limit)
    return test_counts(report)


def test_counts(report: Path) -> dict[str, Any]:
    """The counts in a JUnit report. FailedError where one failed, was skipped for a reason not allowed, or none ran."""
    suites = list(ElementTree.parse(report).getroot().iter("testsuite"))
    counts = {key: sum(int(s.get(key, 0)) for s in suites) for key in ("tests", "failures", "errors", "skipped")}
    reasons = [skip.get("message", "") for suite in suites for skip in suite.iter("skipped")]
    not_allowed = sorted({reason for reason in reasons if not any(allowed in reason for allowed in ALLOWED_SKIPS)})
    if counts["failures"] or counts["errors"]:
        raise FailedError(f"tests failed: {counts}")
    if not_allowed:
        raise FailedError(f"tests were skipped that should run on a GPU: {'; '.join(not_allowed)}")
    if counts["tests"] == counts["skipped"]:
        raise FailedError("no test ran")
    return counts | {"skip_reasons": sorted(set(reasons))}


def run_benchmarks(site: Path, figures: Path, plots: Path | None, limit: float) -> dict[str, Any]:
    """Run the CUDA benchmarks, which start no new case in the last seconds before the limit."""
    command = [sys.executable, "-m", "benchmarks", "run", *MEASURED, "--device", "cuda", "--json", str(figures)]
    command += ["--case-seconds", "5", "--time-limit", f"{limit - FOR_LAST_CASE:.0f}"]
    if plots is not None and importlib.util.find_spec("matplotlib") is None:
        print("no matplotlib: no pictures", file=sys.stderr)
    elif plots is not None:
        command += ["--plots", str(plots.resolve())]
    details = {"command": " ".join(command[1:])}
    try:
        run(command, ROOT, environment_with(site), limit)
    except TimedOutError:
        if not figures.exists():
            raise
        details["cut short"] = f"stopped after {limit:.0f} s; what was measured by then is in the record"
    return details


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Write the record. amsx is imported only here, so that without torch this program still runs and says so."""
    from amsx.files import write_json

    write_json(path, record, allow_nan=False)


def record_of(sections: Sequence[Section], figures: Path, finished: bool) -> dict[str, Any]:
    """The record of what has been done so far."""
    passed = finished and not any(s.outcome == "failed" for s in sections)
    measured = json.loads(figures.read_text()) if figures.exists() else {}
    return {"passed": passed, "finished": finished, "sections": [vars(s) for s in sections], **measured}


def finish(sections: Sequence[Section], failed: Sequence[str], figures: Path, out: Path | None, device: str) -> None:
    """Write the final record, unless a section failed and nobody asked for the record."""
    if out is None and failed:
        print("a section failed: the record is not kept (--out FILE keeps it, marked as failed)", file=sys.stderr)
        return
    if out is None and not figures.exists():
        print("no figures were measured, so no record is written", file=sys.stderr)
        return
    path = out or default_record(device)
    write_record(path, record_of(sections, figures, finished=True))
    print(f"record: {path}")


def default_record(device: str) -> Path:
    name = re.sub(r"[^a-z0-9]+", "-", device.lower()).strip("-")
    return ROOT / "benchmarks" / "records" / f"{name}-{datetime.date.today().isoformat()}.json"


if __name__ == "__main__":
    sys.exit(main())
