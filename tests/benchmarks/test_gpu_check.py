"""The check for a GPU: what it says without one, what it lets pass, and what becomes of the record."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from benchmarks import ROOT, all_ops, commands, counters, device_checks, gpu_check, sanitizer
from benchmarks.__main__ import GROUPS
from benchmarks.commands import FailedError, TimedOutError
from benchmarks.stages import AbsentError, CutShortError


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so_and_fails(tmp_path: Path) -> None:
    out = tmp_path / "record.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu_check", "--out", str(out)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "nothing was checked: torch" in done.stderr
    assert not out.exists()


def test_every_op_gives_finite_results(capsys: pytest.CaptureFixture[str]) -> None:
    assert all_ops.main("cpu") == 0
    assert "on cpu, 0 not finite" in capsys.readouterr().out


def test_the_build_command() -> None:
    command = gpu_check.build_command("90", Path("/f"), Path("/f/site"))
    assert "-Ccmake.define.CMAKE_CUDA_ARCHITECTURES=90" in command
    assert "-Ccmake.define.AMSX_CUDA=ON" in command
    assert {"--no-build-isolation", "--no-deps", "--no-index", "--target"} <= set(command)
    assert command[-1] == str(ROOT)


def report(path: Path, cases: str, **counts: int) -> Path:
    numbers = {"tests": 3, "failures": 0, "errors": 0, "skipped": 0} | counts
    attributes = " ".join(f'{key}="{value}"' for key, value in numbers.items())
    path.write_text(f"<testsuites><testsuite {attributes}>{cases}</testsuite></testsuites>")
    return path


def test_counts_of_a_report(tmp_path: Path) -> None:
    path = tmp_path / "report.xml"
    assert gpu_check.test_counts(report(path, ""))["tests"] == 3
    one = '<testcase><skipped message="one CUDA device: nothing to switch to"/></testcase>'
    assert gpu_check.test_counts(report(path, one, skipped=1))["skipped"] == 1
    with pytest.raises(FailedError, match="tests failed"):
        gpu_check.test_counts(report(path, "", failures=1))
    with pytest.raises(FailedError, match="tests failed"):
        gpu_check.test_counts(report(path, "", errors=2))
    none = '<testcase><skipped message="torch sees no CUDA device"/></testcase>'
    with pytest.raises(FailedError, match="skipped that should run on a GPU: torch sees no CUDA device"):
        gpu_check.test_counts(report(path, none, skipped=1))
    with pytest.raises(FailedError, match="no test ran"):
        gpu_check.test_counts(report(path, "", tests=0))


@pytest.mark.parametrize("tool", sanitizer.SUMMARIES)
def test_the_sanitizers_verdict(tool: str) -> None:
    if tool == "racecheck":
        summary = "========= RACECHECK SUMMARY: 0 hazards displayed (0 errors, 0 warnings)"
        bad = "========= RACECHECK SUMMARY: 1 hazard displayed (1 error, 0 warnings)"
    else:
        summary, bad = "========= ERROR SUMMARY: 0 errors", "========= ERROR SUMMARY: 2 errors"
    ran = "all ops: 360 results on cuda, 0 not finite\n"
    assert sanitizer.counts_in(tool, ran + summary) == {"reported": 0, "results": 360}
    for log in (ran + bad, ran, summary, "all ops: 360 results on cuda, 1 not finite\n" + summary):
        with pytest.raises(FailedError, match="does not say that all is well"):
            sanitizer.counts_in(tool, log)


def test_without_the_sanitizer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None)
    with pytest.raises(AbsentError, match="no compute-sanitizer on PATH or beside nvcc"):
        sanitizer.sanitize("memcheck", Path(), 1.0)


def test_the_sanitizer_beside_nvcc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for folder, name in (("bin", "nvcc"), ("compute-sanitizer", "compute-sanitizer")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    gpu_check.toolkit_on_path()
    assert shutil.which("nvcc") == str(tmp_path / "bin" / "nvcc")
    assert sanitizer.find_program() == str(tmp_path / "compute-sanitizer" / "compute-sanitizer")


def test_the_sanitizer_looks_at_kernels_alone() -> None:
    command = sanitizer.command_of("compute-sanitizer", "racecheck")
    options = command[: command.index(sys.executable)]
    # The driver's refusals that torch asks for and copes with would count as errors.
    assert options[options.index("--report-api-errors") + 1] == "no"
    assert options[options.index("--kernel-name") + 1] == "kns=amsx"


@pytest.mark.parametrize("reported", ["", "========= Invalid __global__ read of size 4 bytes"])
def test_a_sanitizer_that_takes_too_long(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reported: str) -> None:
    code = f"import time; print({reported!r}, flush=True); time.sleep(60)"
    monkeypatch.setattr(sanitizer, "find_program", lambda: sys.executable)
    monkeypatch.setattr(sanitizer, "command_of", lambda *_: [sys.executable, "-c", code])
    with pytest.raises(FailedError if reported else CutShortError, match="Invalid" if reported else "within 1 s"):
        sanitizer.sanitize("memcheck", tmp_path, 1.0)


def test_a_device_that_the_sanitizer_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> str:
        raise FailedError("exit status 1: ...\n========= Error: Device not supported. Please refer to ...")

    monkeypatch.setattr(sanitizer, "find_program", lambda: "compute-sanitizer")
    monkeypatch.setattr(sanitizer, "run", refused)
    with pytest.raises(AbsentError, match="Device not supported"):
        sanitizer.sanitize("memcheck", Path(), 1.0)


def test_benchmarks_that_are_cut_short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def stopped(*_: object) -> str:
        raise TimedOutError("stopped after 9 s")

    monkeypatch.setattr(gpu_check, "run", stopped)
    figures = tmp_path / "figures.json"
    with pytest.raises(FailedError):
        gpu_check.run_benchmarks(("sampler",), tmp_path, figures, None, 9.0)
    figures.write_text("{}")
    with pytest.raises(CutShortError, match="stopped after 9 s") as cut:
        gpu_check.run_benchmarks(("sampler",), tmp_path, figures, None, 9.0)
    assert "run sampler" in cut.value.details["command"]


def test_commands_that_fail_or_hang(tmp_path: Path) -> None:
    environment = commands.environment_with(tmp_path)
    assert gpu_check.run([sys.executable, "-c", "print('fine')"], tmp_path, environment, 60) == "fine\n"
    with pytest.raises(FailedError, match=r"exit status 3(?s:.*)this went wrong"):
        gpu_check.run([sys.executable, "-c", "print('this went wrong'); exit(3)"], tmp_path, environment, 60)
    with pytest.raises(FailedError, match="stopped after 1 s"):
        gpu_check.run([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path, environment, 1)
    # A child that outlives the command, and holds its output open, is ended with it.
    code = (
        "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(30)'])\nprint('left')"
    )
    began = time.monotonic()
    assert gpu_check.run([sys.executable, "-c", code], tmp_path, environment, 60) == "left\n"
    assert time.monotonic() - began < 20


def test_the_built_amsx_comes_first(tmp_path: Path) -> None:
    (tmp_path / "amsx").mkdir()
    (tmp_path / "amsx" / "__init__.py").write_text("print('the one in the folder')")
    command = [sys.executable, "-c", "import benchmarks, amsx"]
    assert "the one in the folder" in gpu_check.run(command, ROOT, commands.environment_with(tmp_path), 60)


NAMES = ["build", "checks", "headlines", "tests", "sanitizers", "counters", "other benchmarks"]


def goal(text: str, measured: str | None) -> dict[str, object]:
    return {"goal": text, "measured": measured, "outcome": "not measured" if measured is None else "met"}


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A GPU and stages that pass, none of them real; the records' folder."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "Pretended GPU")

    def benchmarks(
        names: tuple[str, ...], site: Path, figures: Path, plots: Path | None, limit: float
    ) -> dict[str, object]:
        goals = [goal("fast", "9 %" if "sampler" in names else None), goal("small", None)]
        figures.write_text(json.dumps({"environment": {}, "settings": {}, "rows": list(names), "goals": goals}))
        return {}

    def absent(*_: object) -> dict[str, object]:
        raise AbsentError("not on PATH")

    monkeypatch.setattr(gpu_check, "build", lambda *_: {"architecture": "90"})
    monkeypatch.setattr(gpu_check, "run_tests", lambda *_: {"tests": 80})
    monkeypatch.setattr(
        sanitizer, "works", lambda site: {"memcheck": absent, "racecheck": lambda limit: {"reported": 0}}
    )
    monkeypatch.setattr(device_checks, "works", lambda *_: {"spikes": lambda limit: {"most": 29}})
    monkeypatch.setattr(counters, "count", absent)
    monkeypatch.setattr(gpu_check, "run_benchmarks", benchmarks)
    monkeypatch.setattr(gpu_check, "ROOT", tmp_path)
    return tmp_path / "benchmarks" / "records"


def fail(*_: object) -> dict[str, object]:
    raise FailedError("broken on purpose")


def test_all_passed(pretended: Path, tmp_path: Path) -> None:
    assert gpu_check.check(tmp_path, None, None, 1.0) == 0
    (path,) = pretended.iterdir()
    assert path.name.startswith("pretended-gpu-20")
    record = json.loads(path.read_text())
    assert record["passed"] is True
    stages = {stage["name"]: stage for stage in record["stages"]}
    assert list(stages) == NAMES
    assert (stages["counters"]["outcome"], stages["counters"]["reason"]) == ("absent", "not on PATH")
    assert stages["sanitizers"]["details"]["memcheck"]["outcome"] == "absent"
    assert stages["checks"]["details"]["spikes"]["details"] == {"most": 29}
    assert "device" in stages["tests"]["details"]
    assert record["rows"] == [*gpu_check.HEADLINES, *gpu_check.OTHERS]
    assert record["goals"] == [goal("fast", "9 %"), goal("small", None)]


BROKEN = {"build": "build", "tests": "run_tests", "headlines": "run_benchmarks", "counters": "count", "checks": "works"}


@pytest.mark.parametrize("stage", BROKEN)
def test_a_stage_that_fails(
    stage: str,
    pretended: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    module = {"counters": counters, "checks": device_checks}.get(stage, gpu_check)
    monkeypatch.setattr(module, BROKEN[stage], fail)
    out = tmp_path / "kept.json"
    assert gpu_check.check(tmp_path, None, None, 1.0) == 1
    assert not pretended.exists()
    assert "gpu_check: FAILED in" in capsys.readouterr().out
    assert gpu_check.check(tmp_path, out, None, 1.0) == 1
    record = json.loads(out.read_text())
    assert (record["passed"], record["finished"]) == (False, True)
    results = {result["name"]: result for result in record["stages"]}
    assert results[stage]["outcome"] == "failed"
    assert "broken on purpose" in results[stage]["reason"]
    others = {result["outcome"] for name, result in results.items() if name != stage}
    assert others == ({"not begun"} if stage == "build" else others - {"not begun"})


def test_the_record_is_there_before_the_end(pretended: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> dict[str, object]:
        raise KeyboardInterrupt

    monkeypatch.setattr(counters, "count", killed)
    out = tmp_path / "kept.json"
    with pytest.raises(KeyboardInterrupt):
        gpu_check.check(tmp_path, out, None, 1.0)
    record = json.loads(out.read_text())
    assert (record["passed"], record["finished"], record["rows"]) == (False, False, list(gpu_check.HEADLINES))
    assert [stage["name"] for stage in record["stages"]] == NAMES[:5]


def test_a_run_that_is_resumed(pretended: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "kept.json"
    with monkeypatch.context() as patched:
        patched.setattr(gpu_check, "run_tests", fail)
        assert gpu_check.check(tmp_path, out, None, 1.0) == 1
    monkeypatch.setattr(gpu_check, "build", fail)  # passed, and so is not run again
    assert gpu_check.check(tmp_path, out, None, 1.0, gpu_check.passed_in(out)) == 0
    record = json.loads(out.read_text())
    assert record["passed"] is True
    assert [stage["outcome"] for stage in record["stages"]] == [*["passed"] * 5, "absent", "passed"]


def test_to_resume_takes_a_record_and_a_folder(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        gpu_check.main(["--resume", "--out", str(tmp_path / "record.json")])
    assert "--resume needs --out" in capsys.readouterr().err
    assert gpu_check.passed_in(tmp_path / "none.json") == {}


def test_what_the_stages_may_take_leaves_time_for_the_last() -> None:
    stages = gpu_check.stages("90", Path("folder"), None, 1.0)
    assert [stage.name for stage in stages] == NAMES
    assert sum(stage.budget for stage in stages[:-1]) <= gpu_check.TOTAL
    assert min(stage.budget for stage in stages) > gpu_check.FOR_LAST_CASE


def test_every_benchmark_for_a_gpu_exists() -> None:
    names = {group.name for group in GROUPS}
    assert {*gpu_check.HEADLINES, *gpu_check.OTHERS} <= names


@pytest.mark.parametrize("last", ["test_two PASSED", "test_two FAILED"])
def test_tests_that_take_too_long(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, last: str) -> None:
    code = f"import time; print('test_one PASSED\\\\n{last}', flush=True); time.sleep(60)"
    monkeypatch.setattr(gpu_check, "run", lambda command, *rest: commands.run([sys.executable, "-c", code], *rest))
    with pytest.raises(FailedError if "FAILED" in last else CutShortError) as stopped:
        gpu_check.run_tests(tmp_path, tmp_path, 2.0)
    if "PASSED" in last:
        assert stopped.value.details == {"passed": 2}  # type: ignore[attr-defined]
