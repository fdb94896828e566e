"""The check for a GPU: what it says without one, what it lets pass, and what becomes of the record."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from benchmarks import ROOT, all_ops, commands, gpu_check, sanitizer
from benchmarks.commands import FailedError, TimedOutError


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


@pytest.mark.parametrize(
    ("tool", "summary", "bad"),
    [
        ("memcheck", "========= ERROR SUMMARY: 0 errors", "========= ERROR SUMMARY: 2 errors"),
        (
            "racecheck",
            "========= RACECHECK SUMMARY: 0 hazards displayed (0 errors, 0 warnings)",
            "========= RACECHECK SUMMARY: 1 hazard displayed (1 error, 0 warnings)",
        ),
    ],
)
def test_the_sanitizers_verdict(tool: str, summary: str, bad: str) -> None:
    ran = "all ops: 360 results on cuda, 0 not finite\n"
    assert sanitizer.counts_in(tool, ran + summary) == {"reported": 0, "results": 360}
    for log in (ran + bad, ran, summary, "all ops: 360 results on cuda, 1 not finite\n" + summary):
        with pytest.raises(FailedError, match="does not say that all is well"):
            sanitizer.counts_in(tool, log)


def test_without_the_sanitizer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None)
    (absent,) = sanitizer.sanitize("memcheck", Path(), 1.0).values()
    assert absent == "no compute-sanitizer on PATH or beside nvcc"


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


def test_a_sanitizer_that_takes_too_long(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sanitizer, "find_program", lambda: sys.executable)
    monkeypatch.setattr(sanitizer, "command_of", lambda *_: [sys.executable, "-c", "import time; time.sleep(60)"])
    assert "not done within 1 s" in sanitizer.sanitize("memcheck", tmp_path, 1.0)["absent"]


def test_benchmarks_that_are_cut_short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def stopped(*_: object) -> str:
        raise TimedOutError("stopped after 9 s")

    monkeypatch.setattr(gpu_check, "run", stopped)
    figures = tmp_path / "figures.json"
    with pytest.raises(FailedError):
        gpu_check.run_benchmarks(tmp_path, figures, None, 9.0)
    figures.write_text("{}")
    assert "stopped after 9 s" in gpu_check.run_benchmarks(tmp_path, figures, None, 9.0)["cut short"]


def test_a_device_that_the_sanitizer_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> str:
        raise FailedError("exit status 1: ...\n========= Error: Device not supported. Please refer to ...")

    monkeypatch.setattr(sanitizer, "find_program", lambda: "compute-sanitizer")
    monkeypatch.setattr(sanitizer, "run", refused)
    assert "Device not supported" in sanitizer.sanitize("memcheck", Path(), 1.0)["absent"]


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


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A GPU and sections that pass, none of them real; the records' folder."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "Pretended GPU")

    def benchmarks(site: Path, figures: Path, plots: Path | None, limit: float) -> dict[str, object]:
        figures.write_text(json.dumps({"environment": {}, "rows": []}))
        return {}

    monkeypatch.setattr(gpu_check, "build", lambda *_: {"architecture": "90"})
    monkeypatch.setattr(gpu_check, "run_tests", lambda *_: {"tests": 80})
    monkeypatch.setattr(sanitizer, "sanitize", lambda *_: {"absent": "no compute-sanitizer on PATH"})
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
    assert [s["name"] for s in record["sections"]] == ["build", "tests", "benchmarks", "memcheck", "racecheck"]
    assert record["sections"][3]["outcome"] == "absent: no compute-sanitizer on PATH"


@pytest.mark.parametrize("broken", ["build", "run_tests", "sanitize", "run_benchmarks"])
def test_a_section_that_fails(
    broken: str,
    pretended: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sanitizer if broken == "sanitize" else gpu_check, broken, fail)
    out = tmp_path / "kept.json"
    assert gpu_check.check(tmp_path, None, None, 1.0) == 1
    assert not pretended.exists()
    printed = capsys.readouterr()
    assert "gpu_check: FAILED in" in printed.out
    assert "broken on purpose" in printed.err
    (tmp_path / "figures.json").unlink(missing_ok=True)
    assert gpu_check.check(tmp_path, out, None, 1.0) == 1
    record = json.loads(out.read_text())
    assert record["passed"] is False
    assert record["finished"] is True
    assert ("rows" in record) == (broken not in ("build", "run_benchmarks"))


def test_the_record_is_there_before_the_end(pretended: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> dict[str, object]:
        raise KeyboardInterrupt

    monkeypatch.setattr(sanitizer, "sanitize", killed)
    out = tmp_path / "kept.json"
    with pytest.raises(KeyboardInterrupt):
        gpu_check.check(tmp_path, out, None, 1.0)
    record = json.loads(out.read_text())
    assert (record["passed"], record["finished"], record["rows"]) == (False, False, [])
    assert [s["name"] for s in record["sections"]] == ["build", "tests", "benchmarks"]


def test_what_a_section_may_take_leaves_time_for_the_rest() -> None:
    limits, tools = gpu_check.LIMITS, len(sanitizer.TOOLS) * gpu_check.FOR_TOOL
    assert limits["build"] + gpu_check.FOR_BENCHMARKS + tools < gpu_check.TOTAL
    assert gpu_check.FOR_BENCHMARKS > gpu_check.FOR_LAST_CASE
