"""An emulated CUDA device: the native core with its CUDA kernels compiled as C++, called through amsx's own Python."""

import importlib
import importlib.util
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from emulation.toolchain import CSRC, KERNELS, TWINS, Unit, built

native: Any = importlib.import_module("amsx.ops.native")  # its core is replaced here

_FACTS = {"AMSX_COMPILER": '""', "AMSX_CUDA_STATUS": '"emulated"', "AMSX_CUDA_ARCHITECTURES": '""'}


class EmulatedDevice:
    """Takes the place of `amsx._C`: every call runs the CUDA kernel of that name, on tensors in host memory."""

    def __init__(self, core: ModuleType) -> None:
        self._core = core
        self.calls = 0

    def adaptive_sample_of(self, *inputs: Any) -> int:
        return -1  # it is for tensors on a CPU

    def __getattr__(self, name: str) -> Callable[..., int]:
        function = getattr(self._core, name)

        def call(groups: tuple[dict[str, Any], ...]) -> int:
            self.calls += 1
            own = {"device": 0, "stream": None}
            shape = groups[0]["videos"], groups[0]["snippets"]
            memory = torch.empty(5, *shape, dtype=torch.float64)  # what native.py allocates for CUDA tensors alone
            if any("scratch" in fields for fields in groups):
                own["scratch"] = memory[0].data_ptr()
            if name == "adaptive_sample":
                own["weights"] = memory[4].data_ptr()  # at most as wide
            return function(tuple({key: own.get(key, value) for key, value in fields.items()} for fields in groups))

        return call


def build(folder: Path) -> EmulatedDevice:
    """Compiles bindings and kernels of both devices into a module of their own."""
    python = Path(sysconfig.get_paths()["include"])
    if not (python / "Python.h").is_file():
        pytest.skip(f"Python.h is not in {python}: the emulated device is a Python module")
    bindings = (
        "-O0",
        "-DAMSX_WITH_CUDA",
        "-DAMSX_CUDA_COMPILED=1",
        *(f"-D{name}={value}" for name, value in _FACTS.items()),
        f"-I{python}",
        f"-I{Path(torch.__file__).parent / 'include'}",  # pybind11, which torch brings along
    )
    units = [Unit(CSRC / "bindings.cpp", bindings), *map(Unit, KERNELS), *map(Unit, TWINS)]
    path = built(units, folder, "_C.so", ("-fPIC", "-shared", "-fvisibility=hidden"))
    spec = importlib.util.spec_from_file_location("_C", path)
    assert spec is not None
    assert spec.loader is not None
    core = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(core)
    return EmulatedDevice(core)


@contextmanager
def in_place_of_the_cpu(device: EmulatedDevice) -> Iterator[None]:
    """Within, the ops of amsx run the emulated CUDA kernels."""
    installed, calls = native._C, device.calls
    native._C = device
    try:
        yield
        assert device.calls > calls, "no op reached the emulated device"
    finally:
        native._C = installed
