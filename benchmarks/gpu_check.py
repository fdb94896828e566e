"""`python -m benchmarks.gpu_check`: builds amsx for the GPU at hand, tests it there, and measures it, in five minutes.

Offline, with what a CUDA and PyTorch image has: torch, pip, pybind11, scikit-build-core, ninja or make, nvcc, pytest,
hypothesis. amsx is built into a temporary directory; nothing is installed. A record of what was measured goes to
benchmarks/records/<device>-<date>.json, or to --out, which is written anew after every section, so that it is there
whatever happens later. Where any section fails, the exit status is 1 and the record is written only where --out asks
for it, marked as failed. Without a GPU nothing is done and the exit status is 2.
"""

import argparse
import contextlib
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

NEEDED = ("torch", "numpy", "pip", "pybind11", "scikit_build_core", "pytest", "hypothesis")
# What matters most first, should the time run out.
MEASURED = ("launches", "sampler", "training", "scaling", "overhead", "alignment", "memory")
ALLOWED_SKIPS = ("one CUDA device",)  # all other skips mean that something was not tested
TOOLS = ("memcheck", "racecheck")
TOTAL = 300  # seconds for everything
LIMITS = {"build": 100, "tests": 120}  # of which these may take so much
FOR_TOOLS = 30  # kept for each of the sanitizer's tools
LEAST, SLACK = 60, 30  # the benchmarks get what is left, at least so much; what of it is kept for their last case


class FailedError(Exception):
    """A section failed; the message is what its log ends with."""


class TimedOutError(FailedError):
    """It was stopped at its time limit."""


@dataclass
class Section:
    """What became of one part of the check."""

    name: str
    outcome: str  # passed, failed, "absent: why", or "cut short: why"
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
    toolkit_on_path()
    problem = obstacle()
    if problem is not None:
        print(f"gpu_check: nothing was checked: {problem}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # whoever is stopped so stops what it runs, and tidies up
    with tempfile.TemporaryDirectory(prefix="amsx-gpu-check-", ignore_cleanup_errors=True) as folder:
        return check(Path(folder), options.out, options.plots, options.scale_limits)


def toolkit_on_path() -> None:
    """Puts nvcc's folder on PATH where the toolkit is in one of its usual places and PATH does not say so."""
    for root in (os.environ.get("CUDA_HOME"), os.environ.get("CUDA_PATH"), "/usr/local/cuda"):
        if shutil.which("nvcc") is None and root and shutil.which("nvcc", path=str(Path(root, "bin"))):
            os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), str(Path(root, "bin"))])


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
        return "no nvcc on PATH, in CUDA_HOME or in /usr/local/cuda to build the CUDA kernels with"
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
            for other in ("absent", "cut short"):
                if other in details:
                    outcome = f"{other}: {details.pop(other)}"
        except FailedError as error:
            outcome, details = "failed", {"log": str(error)}
            print(error, file=sys.stderr)
        sections.append(Section(name, outcome, round(time.monotonic() - began, 1), details))
        print(f"=== {name}: {outcome.upper() if outcome == 'failed' else outcome} after {sections[-1].seconds} s")
        if out is not None:
            write_record(out, document(sections, figures, finished=False))
        return outcome != "failed"

    def left(kept: float) -> float:
        return TOTAL * scale - (time.monotonic() - started) - kept * scale

    # Without a build there is nothing to go on with; every later section is worth a run whatever the others say.
    if section("build", lambda: build(f"{major}{minor}", folder, site, limits["build"])):
        section("tests", lambda: run_tests(site, folder, limits["tests"]))
        limit = max(left(len(TOOLS) * FOR_TOOLS), LEAST * scale)
        section("benchmarks", lambda: run_benchmarks(site, figures, plots, limit))
        for i, tool in enumerate(TOOLS):
            limit = max(left(0) / (len(TOOLS) - i), FOR_TOOLS * scale)
            section(tool, functools.partial(sanitize, tool, site, folder, limit))
    failed = [s.name for s in sections if s.outcome == "failed"]
    finish(sections, failed, figures, out, device)
    print("\n" + "\n".join(f"{s.name:<12}{s.outcome} ({s.seconds} s)" for s in sections))
    print(f"gpu_check: FAILED in {', '.join(failed)}" if failed else "gpu_check: passed")
    return 1 if failed else 0


def build(architecture: str, folder: Path, site: Path, limit: float) -> dict[str, Any]:
    """amsx with CUDA kernels for the one architecture, into `site`."""
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
    """tests/gpu against the amsx in `site`; a test that is skipped for any but an allowed reason is a failure."""
    report = folder / "tests.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT)]
    command += ["-p", "no:cacheprovider", f"--junitxml={report}", "--durations=5", str(ROOT / path)]
    command += ["-W", "default::FutureWarning"]  # what the packages of an image warn of is not amsx's fault
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
    program = sanitizer()
    if program is None:
        return {"absent": "no compute-sanitizer on PATH or beside nvcc"}
    command = sanitizer_command(program, tool)
    environment = environment_with(site) | {"PYTORCH_NO_CUDA_MEMORY_CACHING": "1"}
    try:
        log = run(command, ROOT, environment, limit)
    except TimedOutError:
        return {"absent": f"not done within {limit:.0f} s (--scale-limits gives it more)"}
    except FailedError as error:
        if unsupported := re.search(r".*Device not supported.*", str(error)):
            return {"absent": f"compute-sanitizer cannot work here: {unsupported[0].strip()}"}
        raise
    return verdict(tool, log)


def sanitizer() -> str | None:
    """The program: on PATH, or where a toolkit has it whose nvcc is."""
    nvcc = shutil.which("nvcc")
    toolkit = Path(nvcc).resolve().parent.parent if nvcc else Path()
    places = (None, str(toolkit / "bin"), str(toolkit / "compute-sanitizer"))
    return next((found for place in places if (found := shutil.which("compute-sanitizer", path=place))), None)


def sanitizer_command(program: str, tool: str) -> list[str]:
    """Of amsx's kernels alone, and of what they do alone: torch asks the driver for things that a driver may refuse."""
    options = ["--tool", tool, "--error-exitcode", "9", "--report-api-errors", "no", "--kernel-name", "kns=amsx"]
    options += [
        "--launch-timeout",
        "0",
    ]  # it would wait ten seconds for CUDA's first use; importing torch may be slower
    return [program, *options, sys.executable, "-m", "benchmarks.all_ops", "cuda"]


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
    """Write the record; amsx is imported only now, for where torch is missing this program says so itself."""
    from amsx.files import write_json

    write_json(path, record, allow_nan=False)


def document(sections: Sequence[Section], figures: Path, finished: bool) -> dict[str, Any]:
    """The record of what is known by now."""
    passed = finished and not any(s.outcome == "failed" for s in sections)
    measured = json.loads(figures.read_text()) if figures.exists() else {}
    return {"passed": passed, "finished": finished, "sections": [vars(s) for s in sections], **measured}


def finish(sections: Sequence[Section], failed: Sequence[str], figures: Path, out: Path | None, device: str) -> None:
    """Writes the record, where it may be kept."""
    if out is None and failed:
        print("a section failed: the record is not kept (--out FILE keeps it, marked as failed)", file=sys.stderr)
        return
    if out is None and not figures.exists():
        print("no figures were measured, so no record is written", file=sys.stderr)
        return
    path = out or default_record(device)
    write_record(path, document(sections, figures, finished=True))
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
        env=environment | {"PYTHONUNBUFFERED": "1"},  # what was said before a stop is said
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,  # so that its children can be ended with it
    )
    lines: list[str] = []

    def show() -> None:
        for line in process.stdout or ():
            lines.append(line)
            print("  " + line, end="", flush=True)

    reader = threading.Thread(target=show, daemon=True)
    reader.start()
    stopped = False
    try:
        process.wait(limit)
    except subprocess.TimeoutExpired:
        stopped = True
    finally:
        with contextlib.suppress(ProcessLookupError):  # workers that outlive it, too
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        reader.join(10)  # a grandchild of another session may still hold the pipe: it is not waited for
    log = "".join(lines)
    if stopped:
        raise TimedOutError(f"stopped after {limit:.0f} s: {' '.join(command)}\n{log[-6000:]}")
    if process.returncode != 0:
        raise FailedError(f"exit status {process.returncode}: {' '.join(command)}\n{log[-6000:]}")
    return log


if __name__ == "__main__":
    sys.exit(main())
