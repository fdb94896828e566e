"""How gpu_check runs a check: in a process of its own, whose answer is a file."""

import json
import sys
from pathlib import Path

import pytest

from benchmarks import commands, device_checks, goal_sizes
from benchmarks.commands import FailedError
from benchmarks.stages import AbsentError
from benchmarks.workloads import QUICK


def with_program(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Every check is this program, which finds the file for its answer in sys.argv[-1]."""

    def run(command: list[str], *rest: object) -> str:
        return commands.run([sys.executable, "-c", code, *command[3:]], *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(device_checks, "run", run)


def test_what_becomes_of_a_check(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    works = device_checks.works(tmp_path, tmp_path)
    assert list(works) == list(device_checks.CHECKS)
    answer = "import json, os, sys; json.dump({}, open(sys.argv[-1], 'w'))"
    seen = "{'name': sys.argv[1], 'jit': os.environ.get('CUDA_FORCE_PTX_JIT')}"
    with_program(monkeypatch, answer.format(seen))
    assert works["spikes"](60) == {"name": "spikes", "jit": None}
    assert works["PTX alone"](60) == {"name": "PTX alone", "jit": "1"}
    with_program(monkeypatch, answer.format("{'absent': 'one device'}") + "; sys.exit(3)")
    with pytest.raises(AbsentError, match="one device"):
        works["another device"](60)
    with_program(monkeypatch, "import sys; sys.exit('it went wrong')")
    with pytest.raises(FailedError, match="it went wrong"):
        works["autocast"](60)


def test_every_kernel_at_a_goal_size(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(goal_sizes, "SIZES", (QUICK,))
    assert goal_sizes.main("cpu") == 0
    assert "goal sizes: 10 calls on cpu" in capsys.readouterr().out


def test_the_answer_is_json(tmp_path: Path) -> None:
    out = tmp_path / "answer.json"
    assert device_checks.main(["PTX alone", "--device", "cpu", "--small", "--json", str(out)]) == 0
    assert json.loads(out.read_text()) == {}
