"""Which kernels run where, and what is said where the core has none."""

import re
import warnings
from typing import Any

import pytest
import torch

import amsx
from amsx import info
from amsx.ops import backends, native

CORE = {"cuda_compiled": True, "cuda": "on: nvcc 13.0.88", "cuda_architectures": "75-real 80-real 90-real 100-real 120"}
CODE = [
    # architectures, capability, machine code, PTX
    ("80-real 90-real 120", (8, 0), True, False),
    ("80-real 90-real 120", (8, 6), True, False),
    ("86-real", (8, 0), False, False),
    ("80-real 90-real 120", (9, 0), True, False),
    ("80-real 90-real 120", (10, 0), False, False),
    ("80-real 90-real 120", (12, 1), True, True),
    ("80-real;90-virtual", (10, 3), False, True),
    ("52-virtual,80-real", (7, 5), False, True),
    ("90a-real", (9, 0), True, False),
    ("90a", (10, 0), False, False),
    ("100f", (10, 3), True, True),
    ("100f", (12, 0), False, False),
    ("all-major", (7, 5), True, False),
    ("", (9, 0), False, False),
]


@pytest.mark.parametrize(("architectures", "capability", "machine", "ptx"), CODE)
def test_code_for_a_capability(architectures: str, capability: tuple[int, int], machine: bool, ptx: bool) -> None:
    assert backends.code_for(architectures, capability) == (machine, ptx)


@pytest.mark.parametrize(
    ("changed", "capability", "driver", "kernels", "reason", "remedy"),
    [
        ({}, (9, 0), (13, 0), "native", None, None),
        ({}, (9, 0), None, "native", None, None),
        (
            {},
            (12, 1),
            (12, 8),
            "composite",
            "driver supports CUDA 12.8, and .* with CUDA 13.0",
            "update the driver",
        ),
        ({"cuda": "on: nvcc 12.9.1"}, (9, 0), (12, 4), "native", None, None),  # of one major version
        ({"cuda": "on: nvcc 12.9.1"}, (9, 0), (13, 0), "native", None, None),
        ({"cuda_architectures": "80-virtual"}, (9, 0), (13, 0), "PTX", None, None),
        (
            {"cuda_architectures": "80-virtual", "cuda": "on: nvcc 12.9.1"},
            (9, 0),
            (12, 4),
            "composite",
            "only PTX of CUDA 12.9 for its compute capability sm_90, which its driver, of CUDA 12.4, cannot compile",
            "update the driver, or build amsx for this device .*CMAKE_CUDA_ARCHITECTURES=90-real",
        ),
        ({}, (6, 1), (13, 0), "composite", "no kernel image .* sm_61 .*built for 75-real 80-real", "=61-real"),
        (
            {"cuda_compiled": False, "cuda": "off: no nvcc on PATH", "cuda_architectures": ""},
            (9, 0),
            (13, 0),
            "composite",
            r"built without CUDA kernels \(no nvcc on PATH\)",
            "install a CUDA toolkit",
        ),
    ],
)
def test_cuda_devices(
    changed: dict[str, Any],
    capability: tuple[int, int],
    driver: tuple[int, int] | None,
    kernels: str,
    reason: str | None,
    remedy: str | None,
) -> None:
    backend = backends.cuda_backend({**CORE, **changed}, capability, driver)
    assert backend.kernels == kernels
    for text, pattern in [(backend.reason, reason), (backend.remedy, remedy)]:
        assert (text is None) == (pattern is None)
        assert pattern is None or re.search(pattern, text or "")


def test_other_devices() -> None:
    backend = backends.backend_of(torch.device("xpu", 1))
    assert not backend.is_native
    assert backend.reason == "the native core supports cpu and cuda, not xpu"


@pytest.fixture
def pretended_gpu(monkeypatch: pytest.MonkeyPatch) -> torch.device:
    """A CUDA device, for those who ask torch about one, that this core has no kernels for."""
    monkeypatch.delenv(backends.VARIABLE, raising=False)
    monkeypatch.setattr(backends, "_backends", {})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (3, 5))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla K40")
    monkeypatch.setattr(torch.version, "hip", None)
    monkeypatch.setattr(backends, "driver_version", lambda: (11, 4))
    monkeypatch.setattr(native, "build", lambda: {**CORE, "compiler": "g++", "openmp": None, "isas": ["scalar"]})
    return torch.device("cuda", 0)


def test_one_warning_says_why(pretended_gpu: torch.device) -> None:
    with pytest.warns(RuntimeWarning, match="no kernels for cuda:0: its driver .* plain PyTorch.*update the driver"):
        assert not backends.is_native(pretended_gpu)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not backends.is_native(pretended_gpu)
        assert backends.is_native(torch.device("cpu"))


def test_info_says_what_runs_on_each_device(pretended_gpu: torch.device, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = dict(info.describe())
    assert lines["cpu"] == "native kernels"
    assert lines["cuda:0"].startswith("Tesla K40, sm_35, driver for CUDA 11.4, runtime CUDA ")
    assert "composite ops: its driver supports CUDA 11.4" in lines["cuda:0"]
    monkeypatch.setattr(backends, "driver_version", lambda: (13, 0))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    assert dict(info.describe())["cuda:0"].endswith("; native kernels")
    monkeypatch.setattr(torch.version, "hip", "6.2")
    assert "ROCm" in dict(info.describe())["cuda:0"]


def test_the_environment_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "_backends", {})
    monkeypatch.setenv(backends.VARIABLE, "composite")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sampled = amsx.adaptive_sample(torch.randn(1, 4, 2), torch.rand(1, 4, 3))
    assert sampled.feats.shape == (1, 4, 2)
    assert backends._backends[torch.device("cpu")] == backends.Backend("composite")
    monkeypatch.setattr(backends, "_backends", {})
    monkeypatch.setenv(backends.VARIABLE, "fast")
    with pytest.raises(ValueError, match="AMSX_KERNELS is 'fast'; expected native or composite"):
        amsx.adaptive_sample(torch.randn(1, 4, 2), torch.rand(1, 4, 3))


def test_without_the_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(backends.VARIABLE, raising=False)
    monkeypatch.setattr(backends, "_backends", {})
    monkeypatch.setattr(native, "_C", None)
    monkeypatch.setattr(native, "LOAD_ERROR", ImportError("no such file"))
    feats, cas = torch.randn(1, 4, 2), torch.rand(1, 4, 3)
    with pytest.warns(RuntimeWarning, match=r"amsx has no kernels for cpu: the native core .* \(no such file\)"):
        sampled = amsx.adaptive_sample(feats, cas)
    assert sampled.feats.isfinite().all()
    assert dict(info.describe())["native core"] == "not loaded: no such file"
