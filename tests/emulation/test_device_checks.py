"""The checks of benchmarks/device_checks.py at tiny sizes on a pretended device: each runs, and can fail.

Streams, graphs and torch's compiler are stand-ins that do everything at once, so of those checks only the code runs.
"""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from emulation.device import EmulatedDevice
from emulation.pretended import OnDevice, Pretence

from benchmarks import device_checks, torch_checks, value_checks
from benchmarks.comparing import Place, UnequalError
from benchmarks.stages import AbsentError

PLACE = Place("cuda", small=True)


@pytest.fixture
def pretended(emulated: EmulatedDevice, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The emulated kernels behind "cuda", and stand-ins for what is CUDA's alone."""

    class Graph:
        def replay(self) -> None:
            """What was captured has been done already."""

    monkeypatch.setattr(OnDevice, "emulated", emulated, raising=False)
    monkeypatch.setattr(torch.cuda, "init", lambda: None)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "Stream", object)
    monkeypatch.setattr(torch.cuda, "graph", contextlib.nullcontext)
    monkeypatch.setattr(torch.cuda, "stream", contextlib.nullcontext)
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    monkeypatch.setattr(torch, "autocast", lambda device, dtype: contextlib.nullcontext())
    torch.manual_seed(0)
    with Pretence():
        yield


RUNS = [name for name in device_checks.CHECKS if name not in ("autocast", "another device")]


@pytest.mark.parametrize("name", RUNS)
def test_a_check_runs(pretended: None, emulated: EmulatedDevice, name: str) -> None:
    calls = emulated.calls
    json.dumps(device_checks.CHECKS[name].run(PLACE), allow_nan=False)
    assert emulated.calls > calls


def test_autocast_on_the_cpu() -> None:
    torch_checks.autocast(Place("cpu", small=True))


def test_one_device_is_not_enough(pretended: None) -> None:
    with pytest.raises(AbsentError, match="one CUDA device"):
        torch_checks.another_device_current(PLACE)


@pytest.mark.parametrize("name", ["spikes", "first launch in a capture", "concurrent streams", "beyond 32 bits"])
def test_a_check_notices_a_wrong_value(pretended: None, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The first of many values on the device becomes another with every call."""
    calls = 0

    def spoiled(function: Any) -> Any:
        def call(*arguments: Any) -> Any:
            nonlocal calls
            result = function(*arguments)
            first = result[0] if isinstance(result, tuple) else result
            if isinstance(first, OnDevice):
                calls += 1
                with torch.no_grad():
                    first.view(-1)[0] += calls
            return result

        return call

    class Ops:
        def __getattr__(self, op: str) -> Any:
            return spoiled(getattr(torch.ops.amsx, op))

    monkeypatch.setattr(value_checks, "OPS", Ops())
    monkeypatch.setattr(torch_checks, "OPS", Ops())
    monkeypatch.setattr(torch_checks, "model", spoiled(torch_checks.model))
    with pytest.raises(UnequalError):
        device_checks.CHECKS[name].run(PLACE)


def test_the_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "found.json"
    assert device_checks.main(["spikes", "--device", "cpu", "--small", "--json", str(out)]) == 0
    assert json.loads(out.read_text())["most readers of a row"] > 16
    assert "spikes: passed" in capsys.readouterr().out
    status = device_checks.main(["another device", "--device", "cpu", "--small", "--json", str(out)])
    if torch.cuda.device_count() < 2:
        assert status == device_checks.CANNOT_RUN
        assert json.loads(out.read_text()) == {"absent": "one CUDA device: nothing to switch to"}
