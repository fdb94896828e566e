"""The check for a GPU: what it says without one, what it lets pass, and what becomes of the record."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import ROOT, all_ops, gpu_check
from benchmarks.gpu_check import FailedError


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


def test_outcomes_of_tests(tmp_path: Path) -> None:
    path = tmp_path / "report.xml"
    assert gpu_check.outcomes(report(path, ""))["tests"] == 3
    one = '<testcase><skipped message="one CUDA device: nothing to switch to"/></testcase>'
    assert gpu_check.outcomes(report(path, one, skipped=1))["skipped"] == 1
    with pytest.raises(FailedError, match="tests failed"):
        gpu_check.outcomes(report(path, "", failures=1))
    with pytest.raises(FailedError, match="tests failed"):
        gpu_check.outcomes(report(path, "", errors=2))
    none = '<testcase><skipped message="torch sees no CUDA device"/></testcase>'
    with pytest.raises(FailedError, match="skipped that should run on a GPU: torch sees no CUDA device"):
        gpu_check.outcomes(report(path, none, skipped=1))
    with pytest.raises(FailedError, match="no test ran"):
        gpu_check.outcomes(report(path, "", tests=0))


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
    assert gpu_check.verdict(tool, ran + summary) == {"reported": 0, "results": 360}
    for log in (ran + bad, ran, summary, "all ops: 360 results on cuda, 1 not finite\n" + summary):
        with pytest.raises(FailedError, match="does not say that all is well"):
            gpu_check.verdict(tool, log)


def test_without_the_sanitizer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_check.shutil, "which", lambda name: None)
    assert gpu_check.sanitize("memcheck", Path(), Path(), 1.0) == {"absent": "no compute-sanitizer on PATH"}


def test_a_device_that_the_sanitizer_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> str:
        raise FailedError("exit status 1: ...\n========= Error: Device not supported. Please refer to ...")

    monkeypatch.setattr(gpu_check.shutil, "which", lambda name: name)
    monkeypatch.setattr(gpu_check, "run", refused)
    assert "Device not supported" in gpu_check.sanitize("memcheck", Path(), Path(), 1.0)["absent"]


def test_commands_that_fail_or_hang(tmp_path: Path) -> None:
    environment = gpu_check.environment_with(tmp_path)
    assert gpu_check.run([sys.executable, "-c", "print('fine')"], tmp_path, environment, 60) == "fine\n"
    with pytest.raises(FailedError, match=r"exit status 3(?s:.*)this went wrong"):
        gpu_check.run([sys.executable, "-c", "print('this went wrong'); exit(3)"], tmp_path, environment, 60)
    with pytest.raises(FailedError, match="stopped after 1 s"):
        gpu_check.run([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path, environment, 1)


def test_the_built_amsx_comes_first(tmp_path: Path) -> None:
    (tmp_path / "amsx").mkdir()
    (tmp_path / "amsx" / "__init__.py").write_text("print('the one in the folder')")
    command = [sys.executable, "-c", "import benchmarks, amsx"]
    assert "the one in the folder" in gpu_check.run(command, ROOT, gpu_check.environment_with(tmp_path), 60)


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A GPU and sections that pass, none of them real; the records' folder."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "Pretended GPU")

    def benchmarks(site: Path, figures: Path, plots: Path | None, limit: float) -> dict:
        figures.write_text(json.dumps({"environment": {}, "rows": []}))
        return {}

    monkeypatch.setattr(gpu_check, "build", lambda *_: {"architecture": "90"})
    monkeypatch.setattr(gpu_check, "run_tests", lambda *_: {"tests": 80})
    monkeypatch.setattr(gpu_check, "sanitize", lambda *_: {"absent": "no compute-sanitizer on PATH"})
    monkeypatch.setattr(gpu_check, "run_benchmarks", benchmarks)
    monkeypatch.setattr(gpu_check, "ROOT", tmp_path)
    return tmp_path / "benchmarks" / "records"


def fail(*_: object) -> dict:
    raise FailedError("broken on purpose")


def test_all_passed(pretended: Path, tmp_path: Path) -> None:
    assert gpu_check.check(tmp_path, None, None, 1.0) == 0
    (path,) = pretended.iterdir()
    assert path.name.startswith("pretended-gpu-20")
    record = json.loads(path.read_text())
    assert record["passed"] is True
    assert [s["name"] for s in record["sections"]] == ["build", "tests", "memcheck", "racecheck", "benchmarks"]
    assert record["sections"][2]["outcome"] == "absent: no compute-sanitizer on PATH"


@pytest.mark.parametrize("broken", ["build", "run_tests", "sanitize", "run_benchmarks"])
def test_a_section_that_fails(
    broken: str,
    pretended: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(gpu_check, broken, fail)
    out = tmp_path / "kept.json"
    assert gpu_check.check(tmp_path, None, None, 1.0) == 1
    assert not pretended.exists()
    printed = capsys.readouterr()
    assert "gpu_check: FAILED in" in printed.out
    assert "broken on purpose" in printed.err
    (tmp_path / "figures.json").unlink(missing_ok=True)
    assert gpu_check.check(tmp_path, out, None, 1.0) == 1
    if broken in ("build", "run_benchmarks"):  # nothing was measured: nothing is recorded
        assert not out.exists()
    else:
        assert json.loads(out.read_text())["passed"] is False
