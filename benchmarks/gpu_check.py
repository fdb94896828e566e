"""`python -m benchmarks.gpu_check`: builds amsx for the GPU at hand, checks it there and measures it, in eight minutes.

It needs no network, only what a CUDA and PyTorch image has: torch, pip, pybind11, scikit-build-core, ninja or make,
nvcc, pytest, hypothesis. amsx is built into a temporary directory; nothing is installed. Stages run in the order of
their worth, each within a time budget, and none ends the others. A record of what was checked and measured goes to
benchmarks/records/<device>-<date>.json, or to --out, which is written anew, whole or not at all, after every stage.
The exit status is 1 if a stage failed; then the record, marked as failed, is written only if --out asks for it. A stage
that cannot run here, or for which no time was left, says why and fails nothing. Without a GPU nothing is done and the
exit status is 2.
"""

import argparse
import datetime
import importlib.util
import json
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from benchmarks import ROOT, commands, counters, device_checks, device_state, sanitizer
from benchmarks.commands import FailedError, TimedOutError, environment_with, run
from benchmarks.stages import CutShortError, Result, Stage, Work, run_stages, side_by_side

NEEDED = ("torch", "numpy", "pip", "pybind11", "scikit_build_core", "pytest", "hypothesis")
# The benchmarks that the goals are about, and the others, the most important first in case the time runs out.
HEADLINES = ("kernels", "launches", "sampler")
OTHERS = ("shapes", "training", "alignment", "overhead", "scaling", "memory")
ALLOWED_SKIPS = ("one CUDA device",)  # what the reason of a skip may say; any other means that it was not tested
TOTAL = 480.0  # seconds for all stages together
FOR_LAST_CASE = 15.0  # seconds before their limit from which on benchmarks start no further case
AT_ONCE = 4  # processes of the checks and of the sanitizer's tools, which measure nothing


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu_check",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, help="the record (default: benchmarks/records/<device>-<date>.json)")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="where scaling.png and roofline.png go")
    parser.add_argument("--scale-limits", type=float, default=1.0, help="all time limits times this (default: 1)")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="keep the build there (default: a temporary folder)")
    parser.add_argument(
        "--resume", action="store_true", help="run only the stages that have not passed in the record at --out"
    )
    options = parser.parse_args(arguments)
    if options.resume and (options.out is None or options.folder is None):
        parser.error("--resume needs --out, the record to go on with, and --folder, where that run kept its build")
    toolkit_on_path()
    missing = missing_requirement()
    if missing is not None:
        print(f"gpu_check: nothing was checked: {missing}", file=sys.stderr)
        return 2
    # Exiting in the normal way removes the folder.
    signal.signal(signal.SIGTERM, on_stop)
    with tempfile.TemporaryDirectory(prefix="amsx-gpu-check-", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary) if options.folder is None else options.folder.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        before = passed_in(options.out) if options.resume else {}
        return check(folder, options.out, options.plots, options.scale_limits, before)


def on_stop(*_: object) -> None:
    commands.stop()
    sys.exit(1)


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


def check(
    folder: Path, out: Path | None, plots: Path | None, scale: float, before: dict[str, Result] | None = None
) -> int:
    """Run all stages one after the other, with their files in `folder`; return the exit status."""
    import torch

    major, minor = torch.cuda.get_device_capability()
    device = torch.cuda.get_device_name(0)
    print(f"gpu_check: {device}, compute capability {major}.{minor}, torch {torch.__version__}", flush=True)

    def keep(results: list[Result]) -> None:
        if out is not None:
            write_record(out, record_of(results, folder, finished=False))

    results = run_stages(stages(f"{major}{minor}", folder, plots, scale), TOTAL * scale, keep, before)
    failed = [result.name for result in results if result.outcome == "failed"]
    finish(results, failed, folder, out, device)
    print("\n" + "\n".join(map(str, results)))
    print(f"gpu_check: FAILED in {', '.join(failed)}" if failed else "gpu_check: all that ran passed")
    return 1 if failed else 0


def stages(architecture: str, folder: Path, plots: Path | None, scale: float) -> list[Stage]:
    """All stages, the most valuable first. Without a build nothing can run; none of the others depends on another."""
    site = folder / "site"

    def checks(limit: float) -> dict[str, Any]:
        return side_by_side(device_checks.works(site, folder), limit, AT_ONCE)

    def sanitizers(limit: float) -> dict[str, Any]:
        return side_by_side(sanitizer.works(site), limit, AT_ONCE)

    def measure(names: Sequence[str]) -> Work:
        figures = folder / f"{names[0]}.json"
        return lambda limit: run_benchmarks(names, site, figures, plots if names is OTHERS else None, limit)

    plan: list[tuple[str, float, Work]] = [
        ("build", 100, lambda limit: build(architecture, folder, site, limit)),
        ("checks", 70, checks),
        ("headlines", 90, measure(HEADLINES)),
        ("tests", 90, lambda limit: run_tests(site, folder, limit)),
        ("sanitizers", 90, sanitizers),
        ("counters", 40, lambda limit: counters.count(site, limit)),
        ("other benchmarks", float("inf"), measure(OTHERS)),
    ]
    return [
        Stage(name, budget * scale, with_device_state(work), () if name == "build" else ("build",))
        for name, budget, work in plan
    ]


def with_device_state(work: Work) -> Work:
    """The same work; its details also tell the GPU's clocks meanwhile, and whether something slowed it down."""

    def watched_work(limit: float) -> dict[str, Any]:
        state: dict[str, Any] = {}
        try:
            with device_state.watched(state):
                details = work(limit)
        except (FailedError, CutShortError) as error:
            error.details["device"] = state
            raise
        return {**details, "device": state}

    return watched_work


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
    """Run tests/gpu against the amsx in `site`. A test that is skipped for a reason not allowed counts as failed.

    CutShortError where none had failed when the time was over.
    """
    report = folder / "tests.xml"
    command = [sys.executable, "-m", "pytest", "-v", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT)]
    command += ["-p", "no:cacheprovider", f"--junitxml={report}", "--durations=5", str(ROOT / path)]
    command += ["-W", "default::FutureWarning"]  # the packages of an image may warn, for which amsx is not to blame
    try:
        run(command, folder, environment_with(site), limit)
    except TimedOutError as error:
        if re.search(r" (FAILED|ERROR)\b", error.log):
            raise
        passed = len(re.findall(r" PASSED\b", error.log))
        raise CutShortError(
            f"stopped after {limit:.0f} s, when {passed} tests had passed", {"passed": passed}
        ) from None
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


def run_benchmarks(names: Sequence[str], site: Path, figures: Path, plots: Path | None, limit: float) -> dict[str, Any]:
    """Run CUDA benchmarks, which start no new case in the last seconds before the limit."""
    command = [sys.executable, "-m", "benchmarks", "run", *names, "--device", "cuda", "--json", str(figures)]
    command += ["--case-seconds", "3", "--time-limit", f"{max(limit - FOR_LAST_CASE, 1):.0f}"]
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
        raise CutShortError(
            f"stopped after {limit:.0f} s; what was measured by then is in the record", details
        ) from None
    return details


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Write the record. amsx is imported only here, so that without torch this program still runs and says so."""
    from amsx.files import write_json

    write_json(path, record, allow_nan=False)


def record_of(results: Sequence[Result], folder: Path, finished: bool) -> dict[str, Any]:
    """The record of what has been done so far."""
    failed = any(result.outcome == "failed" for result in results)
    record: dict[str, Any] = {
        "passed": finished and not failed,
        "finished": finished,
        "stages": [result.to_json() for result in results],
    }
    figures = [folder / f"{names[0]}.json" for names in (HEADLINES, OTHERS)]
    runs = [json.loads(path.read_text()) for path in figures if path.exists()]
    if not runs:
        return record
    goals: dict[str, dict[str, Any]] = {}
    for goal in (goal for one in runs for goal in one["goals"]):
        if goal["goal"] not in goals or goals[goal["goal"]]["measured"] is None:
            goals[goal["goal"]] = goal
    return {
        **record,
        "environments": [one["environment"] for one in runs],
        "settings": runs[0]["settings"],
        "rows": [row for one in runs for row in one["rows"]],
        "goals": list(goals.values()),
    }


def passed_in(path: Path) -> dict[str, Result]:
    """The stages that passed in an earlier run, by name, from its record; none where there is no record yet."""
    if not path.exists():
        return {}
    found = [Result(**stage) for stage in json.loads(path.read_text())["stages"]]
    return {result.name: result for result in found if result.outcome == "passed"}


def finish(results: Sequence[Result], failed: Sequence[str], folder: Path, out: Path | None, device: str) -> None:
    """Write the final record, unless a stage failed and nobody asked for the record."""
    if out is None and failed:
        print("a stage failed: the record is not kept (--out FILE keeps it, marked as failed)", file=sys.stderr)
        return
    record = record_of(results, folder, finished=True)
    if out is None and "rows" not in record:
        print("no figures were measured, so no record is written", file=sys.stderr)
        return
    path = out or default_record(device)
    write_record(path, record)
    print(f"record: {path}")


def default_record(device: str) -> Path:
    name = re.sub(r"[^a-z0-9]+", "-", device.lower()).strip("-")
    return ROOT / "benchmarks" / "records" / f"{name}-{datetime.date.today().isoformat()}.json"


if __name__ == "__main__":
    sys.exit(main())
