"""The benchmarks as on a GPU, at tiny sizes on a pretended device: that their code runs, not what it measures."""

from collections.abc import Iterator
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
from emulation.device import EmulatedDevice
from emulation.pretended import OnDevice, Pretence
from torch import Tensor

from benchmarks import alignment, binary_search, kernels, launches, sampler, shapes
from benchmarks.rows import Row
from benchmarks.settings import Settings
from benchmarks.timing import Call, UnavailableError, warm_up
from benchmarks.workloads import Workload

SEEN = [("void amsx::cuda::gather_kernel<float, 4>(amsx::RowsParams)", 4e-5)]


class Event:
    """One of a device that takes a millisecond for everything."""

    def __init__(self, enable_timing: bool) -> None:
        pass

    def record(self) -> None:
        pass

    def synchronize(self) -> None:
        pass

    def elapsed_time(self, end: "Event") -> float:
        return 1.0


class Stream:
    cuda_stream = 0

    def __init__(self, device: object = None) -> None:
        pass

    def wait_stream(self, other: "Stream") -> None:
        pass


class Graph:
    def replay(self) -> None:
        """What was captured has been done already."""


@pytest.fixture
def settings(emulated: EmulatedDevice, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    inputs = Workload.inputs

    def on_device(workload: Workload, device: str) -> tuple[Tensor, ...]:
        return tuple(x.to(device) for x in inputs(workload, "cpu"))

    def seen(call: Call) -> list[tuple[str, float]]:
        call()
        return SEEN * kernels.CALLS

    def absent() -> None:
        raise UnavailableError("no nvcc on PATH")

    monkeypatch.setattr(OnDevice, "emulated", emulated, raising=False)
    replaced = {
        "is_available": lambda: True,
        "synchronize": lambda: None,
        "empty_cache": lambda: None,
        "current_stream": Stream,
        "get_device_properties": lambda index: SimpleNamespace(L2_cache_size=1 << 10),
        "mem_get_info": lambda: (1 << 12, 1 << 12),
        "Event": Event,
        "Stream": Stream,
        "CUDAGraph": Graph,
        "stream": nullcontext,
        "graph": lambda graph, stream: nullcontext(),
    }
    for name, stand_in in replaced.items():
        monkeypatch.setattr(torch.cuda, name, stand_in)
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    monkeypatch.setattr(binary_search, "_library", absent)
    monkeypatch.setattr(kernels, "on_the_device", seen)
    monkeypatch.setattr(launches, "on_the_device", seen)
    monkeypatch.setattr(Workload, "inputs", on_device)
    with Pretence():
        yield Settings(device="cuda", repeats=1, quick=True)


def missing(rows: list[Row]) -> set[str]:
    """The contenders that have no figure."""
    return {row.rival for row in rows if row.spread is None}


def test_sampler(settings: Settings) -> None:
    rows = sampler.run(settings)
    assert missing(rows) == {"binary search", "binary search, CUDA graph"}
    graphs = {row.rival for row in rows if row.rival.endswith(", CUDA graph")}
    assert graphs == {f"{name}, CUDA graph" for name in ("amsx", *sampler.CAPTURED)}


def test_alignment_and_shapes(settings: Settings) -> None:
    assert missing(alignment.run(settings)) == set()
    assert missing(shapes.run(settings)) == set()


def test_kernels_and_launches(settings: Settings) -> None:
    rows = kernels.run(settings)
    assert {row.rival for row in rows} == {"gather_kernel<float, 4>", "all kernels"}
    assert missing(launches.run(settings)) == {"binary search", "binary search, CUDA graph"}


def test_the_warm_up_ends(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "empty", lambda size, device: torch.zeros(4, device=device))
    warm_up("cuda", 0.01)
