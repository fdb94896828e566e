"""`python -m benchmarks.gpu_check`: builds amsx for the GPU at hand, tests it there, and measures it, in five minutes.

Offline, with what a CUDA and PyTorch image has: torch, pybind11, scikit-build-core, ninja or make, nvcc, pytest,
hypothesis. amsx is built into a temporary directory; nothing is installed. A record of what was measured goes to
benchmarks/records/<device>-<date>.json, or to --out. Where any section fails, the exit status is 1 and the record is
written only where --out asks for it, marked as failed. Without a GPU nothing is done and the exit status is 2.
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
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from benchmarks import ROOT

NEEDED = ("torch", "numpy", "pybind11", "scikit_build_core", "pytest", "hypothesis")
MEASURED = ("sampler", "overhead", "training", "launches", "alignment", "memory", "scaling")  # what matters most first
ALLOWED_SKIPS = ("one CUDA device",)  # all other skips mean that something was not tested
TOTAL = 300  # seconds for everything
LIMITS = {"build": 90, "tests": 60, "memcheck": 35, "racecheck": 35}  # of which these may take so much
LEAST, SLACK = 50, 30  # the benchmarks get what is left, at least so much; what of it is kept for their last case


class FailedError(Exception):
    """A section failed; the message is what its log ends with."""


@dataclass
class Section:
    """What became of one part of the check."""

    name: str
    outcome: str  # passed, failed, or "absent: why"
    seconds: float
    details: dict[str, Any] = field(default_factory=dict)


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
    problem = obstacle()
    if problem is not None:
        print(f"gpu_check: nothing was checked: {problem}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="amsx-gpu-check-") as folder:
        return check(Path(folder), options.out, options.plots, options.scale_limits)


def obstacle() -> str | None:
    """Why there is nothing to check here, or None."""
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
        return "no nvcc on PATH to build the CUDA kernels with"
    return None


def check(folder: Path, out: Path | None, plots: Path | None, scale: float) -> int:
    """All sections one after the other, in `folder`; the exit status."""
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
            if "absent" in details:
                outcome = f"absent: {details.pop('absent')}"
        except FailedError as error:
            outcome, details = "failed", {"log": str(error)}
            print(error, file=sys.stderr)
        sections.append(Section(name, outcome, round(time.monotonic() - began, 1), details))
        print(f"=== {name}: {outcome.upper() if outcome == 'failed' else outcome} after {sections[-1].seconds} s")
        return outcome != "failed"

    # Without a build there is nothing to go on with; every later section is worth a run whatever the others say.
    if section("build", lambda: build(f"{major}{minor}", folder, site, limits["build"])):
        section("tests", lambda: run_tests(site, folder, limits["tests"]))
        for tool in ("memcheck", "racecheck"):
            section(tool, functools.partial(sanitize, tool, site, folder, limits[tool]))
        left = max(TOTAL * scale - (time.monotonic() - started), LEAST * scale)
        section("benchmarks", lambda: run_benchmarks(site, figures, plots, left))
    failed = [s.name for s in sections if s.outcome == "failed"]
    finish(sections, failed, figures, out, device)
    print("\n" + "\n".join(f"{s.name:<12}{s.outcome} ({s.seconds} s)" for s in sections))
    print(f"gpu_check: FAILED in {', '.join(failed)}" if failed else "gpu_check: passed")
    return 1 if failed else 0


def build(architecture: str, folder: Path, site: Path, limit: float) -> dict[str, Any]:
    """amsx with CUDA kernels for the one architecture, into `site`."""
    command = build_command(architecture, folder, site)
    run(command, folder, dict(os.environ), limit)
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
    """tests/gpu against the amsx in `site`; a test that is skipped for any but an allowed reason is a failure."""
    report = folder / "tests.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT)]
    command += ["-p", "no:cacheprovider", f"--junitxml={report}", str(ROOT / path)]
    run(command, folder, environment_with(site), limit)
    return outcomes(report)


def outcomes(report: Path) -> dict[str, Any]:
    """Counts from a JUnit report; FailedError where tests failed, were skipped for no good reason, or are missing."""
    suites = list(ElementTree.parse(report).getroot().iter("testsuite"))
    counts = {key: sum(int(s.get(key, 0)) for s in suites) for key in ("tests", "failures", "errors", "skipped")}
    reasons = [skip.get("message", "") for suite in suites for skip in suite.iter("skipped")]
    strange = sorted({reason for reason in reasons if not any(allowed in reason for allowed in ALLOWED_SKIPS)})
    if counts["failures"] or counts["errors"]:
        raise FailedError(f"tests failed: {counts}")
    if strange:
        raise FailedError(f"tests were skipped that should run on a GPU: {'; '.join(strange)}")
    if counts["tests"] == counts["skipped"]:
        raise FailedError("no test ran")
    return counts | {"skip_reasons": sorted(set(reasons))}


def sanitize(tool: str, site: Path, folder: Path, limit: float) -> dict[str, Any]:
    """compute-sanitizer over every op at awkward sizes, every tensor in an allocation of its own."""
    program = shutil.which("compute-sanitizer")
    if program is None:
        return {"absent": "no compute-sanitizer on PATH"}
    command = [program, "--tool", tool, "--error-exitcode", "9", sys.executable, "-m", "benchmarks.all_ops", "cuda"]
    environment = environment_with(site) | {"PYTORCH_NO_CUDA_MEMORY_CACHING": "1"}
    try:
        log = run(command, ROOT, environment, limit)
    except FailedError as error:
        if unsupported := re.search(r".*Device not supported.*", str(error)):
            return {"absent": f"compute-sanitizer cannot work here: {unsupported[0].strip()}"}
        raise
    return verdict(tool, log)


def verdict(tool: str, log: str) -> dict[str, Any]:
    """The sanitizer's own summary; FailedError where it has none, reports anything, or the ops did not run."""
    pattern = {"memcheck": r"ERROR SUMMARY: (\d+) error", "racecheck": r"RACECHECK SUMMARY: (\d+) hazard"}[tool]
    found = re.search(pattern, log)
    results = re.search(r"all ops: (\d+) results on cuda, 0 not", log)
    if found is None or results is None or int(found[1]) != 0:
        raise FailedError(f"{tool} does not say that all is well:\n{log}")
    return {"reported": int(found[1]), "results": int(results[1])}


def run_benchmarks(site: Path, figures: Path, plots: Path | None, limit: float) -> dict[str, Any]:
    """The CUDA benchmarks; they start no new case in the last seconds before the limit."""
    command = [sys.executable, "-m", "benchmarks", "run", *MEASURED, "--device", "cuda", "--json", str(figures)]
    command += ["--case-seconds", "5", "--time-limit", f"{limit - SLACK:.0f}"]
    if plots is not None:
        command += ["--plots", str(plots.resolve())]
    run(command, ROOT, environment_with(site), limit)
    return {"command": " ".join(command[1:])}


def finish(sections: Sequence[Section], failed: Sequence[str], figures: Path, out: Path | None, device: str) -> None:
    """Writes the record, where there are figures and it may be kept."""
    if not figures.exists():
        print("no figures were measured, so no record is written", file=sys.stderr)
        return
    if failed and out is None:
        print("a section failed: the record is not kept (--out FILE keeps it, marked as failed)", file=sys.stderr)
        return
    document = {"passed": not failed, "sections": [vars(s) for s in sections], **json.loads(figures.read_text())}
    path = out or default_record(device)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n")
    print(f"record: {path}")


def default_record(device: str) -> Path:
    name = re.sub(r"[^a-z0-9]+", "-", device.lower()).strip("-")
    return ROOT / "benchmarks" / "records" / f"{name}-{datetime.date.today().isoformat()}.json"


def environment_with(site: Path) -> dict[str, str]:
    """An environment in which `import amsx` finds the one in `site`."""
    inherited = os.environ.get("PYTHONPATH")
    return dict(os.environ) | {"PYTHONPATH": os.pathsep.join([str(site), *([inherited] if inherited else [])])}


def run(command: Sequence[str], folder: Path, environment: dict[str, str], limit: float) -> str:
    """Runs and shows a command, started in `folder`; its output. FailedError where it fails or takes too long."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # so that its children can be ended with it
    )
    struck = threading.Event()

    def strike() -> None:
        struck.set()
        os.killpg(process.pid, signal.SIGKILL)

    timer = threading.Timer(limit, strike)
    timer.start()
    lines: list[str] = []
    try:
        for line in process.stdout or ():
            lines.append(line)
            print("  " + line, end="", flush=True)
        status = process.wait()
    finally:
        timer.cancel()
    log = "".join(lines)[-6000:]
    if struck.is_set():
        raise FailedError(f"stopped after {limit:.0f} s: {' '.join(command)}\n{log}")
    if status != 0:
        raise FailedError(f"exit status {status}: {' '.join(command)}\n{log}")
    return "".join(lines)


if __name__ == "__main__":
    sys.exit(main())
