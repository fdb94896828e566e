"""Which kernels the ops run on a device: those of the native core, or the composite ops of `amsx.ops.composite`.

A CPU has the native core's kernels, and so has a CUDA device for which the core was compiled: it holds machine code for
the device's compute capability, or PTX that the driver compiles. Every other device has the composite ops, about which
one warning says why, and what can be done. AMSX_KERNELS=composite or AMSX_KERNELS=native decides for all devices.
"""

import os
import re
import warnings
from dataclasses import dataclass
from typing import Any

import torch

from amsx.ops import native

VARIABLE = "AMSX_KERNELS"
CHOICES = ("native", "composite")


@dataclass(frozen=True)
class Backend:
    """What the ops run on one device."""

    kernels: str  # "native" (machine code of the core), "PTX" (of the core, compiled by the driver) or "composite"
    reason: str | None = None  # why the native core has no kernels there
    remedy: str | None = None  # what can be done about it

    @property
    def is_native(self) -> bool:
        return self.kernels != "composite"


_backends: dict[torch.device, Backend] = {}  # of the devices that an op has met


def is_native(device: torch.device) -> bool:
    """Whether the native core has kernels for a device. Warns when it is first asked about one without."""
    known = _backends.get(device)
    if known is None:
        known = _backends[device] = backend_of(device)
        if known.reason is not None:
            warnings.warn(
                f"amsx has no kernels for {device}: {known.reason}. Its ops run there in plain PyTorch, which is right "
                f"but slower; {known.remedy}, or set {VARIABLE}=composite to be content with it",
                RuntimeWarning,
                stacklevel=2,
            )
    return known.is_native


def backend_of(device: torch.device) -> Backend:
    """What the ops run on a device, and why; the environment's choice comes first."""
    choice = os.environ.get(VARIABLE)
    if choice:
        if choice not in CHOICES:
            raise ValueError(f"{VARIABLE} is {choice!r}; expected {' or '.join(CHOICES)}, or nothing for the best")
        return Backend(choice)
    if native.LOAD_ERROR is not None:
        return Backend(
            "composite",
            f"the native core amsx._C could not be loaded ({native.LOAD_ERROR})",
            "install amsx with `pip install .` rather than importing it from its source folder",
        )
    if device.type == "cpu":
        return Backend("native")
    if device.type != "cuda":
        return Backend(
            "composite", f"the native core supports cpu and cuda, not {device.type}", "move the tensors to one of these"
        )
    if torch.version.hip is not None:
        return Backend(
            "composite",
            "this torch is built for ROCm, and the native core supports NVIDIA's CUDA alone",
            "move the tensors to the CPU",
        )
    capability = torch.cuda.get_device_capability(device)
    return cuda_backend(native.build(), capability, driver_version())


def driver_version() -> tuple[int, int] | None:
    """The newest CUDA version that the NVIDIA driver supports, or None where torch cannot say."""
    ask: Any = getattr(torch._C, "_cuda_getDriverVersion", None)
    version = ask() if ask is not None else 0
    return (version // 1000, version % 1000 // 10) if version > 0 else None


def cuda_backend(build: dict[str, Any], capability: tuple[int, int], driver: tuple[int, int] | None) -> Backend:
    """What runs on a CUDA device of a compute `capability` under a `driver`, given what `native.build` says.

    A driver runs machine code of every toolkit of its own major version or an older one, and compiles PTX of toolkits
    that are not newer than itself.
    """
    if not build["cuda_compiled"]:
        return Backend(
            "composite",
            f"amsx was built without CUDA kernels ({build['cuda'].removeprefix('off: ')})",
            "install a CUDA toolkit with nvcc and build amsx again (`pip install --force-reinstall --no-deps .`)",
        )
    toolkit = _toolkit(build["cuda"])
    if toolkit is not None and driver is not None and driver[0] < toolkit[0]:
        return Backend(
            "composite",
            f"its driver supports CUDA {_dotted(driver)}, and amsx's kernels were compiled with CUDA "
            f"{_dotted(toolkit)}",
            f"update the driver, or build amsx with nvcc {driver[0]} or older",
        )
    machine, ptx = code_for(build["cuda_architectures"], capability)
    if machine:
        return Backend("native")
    number = f"{capability[0]}{capability[1]}"
    rebuild = (
        "build amsx for this device (`pip install --force-reinstall --no-deps . "
        f"--config-settings=cmake.define.CMAKE_CUDA_ARCHITECTURES={number}-real`)"
    )
    if not ptx:
        return Backend(
            "composite",
            f"there is no kernel image for its compute capability sm_{number} (amsx was built for "
            f"{build['cuda_architectures']})",
            rebuild,
        )
    if toolkit is not None and driver is not None and driver < toolkit:
        return Backend(
            "composite",
            f"there is only PTX of CUDA {_dotted(toolkit)} for its compute capability sm_{number}, which its driver, "
            f"of CUDA {_dotted(driver)}, cannot compile",
            f"update the driver, or {rebuild}",
        )
    return Backend("PTX")


def code_for(architectures: str, capability: tuple[int, int]) -> tuple[bool, bool]:
    """Whether code compiled for CMake's `architectures` has machine code, and PTX, for a compute capability.

    Machine code (`80-real`) runs on devices of the same major and no lower minor capability, PTX (`80-virtual`) on all
    of no lower capability; `80` stands for both. Code for `90a` runs on 9.0 alone, code for `100f` within its major.
    """
    machine = ptx = False
    for name in re.split(r"[\s;,]+", architectures.strip()):
        parsed = re.fullmatch(r"(\d+)(\d)([af]?)(-real|-virtual)?", name)
        if parsed is None:
            if name in ("native", "all", "all-major"):  # for the devices of the machine that built it, or for all
                machine = True
            continue
        major, minor, limit, kind = int(parsed[1]), int(parsed[2]), parsed[3], parsed[4]
        same_major = capability[0] == major and capability[1] >= minor
        machine |= kind != "-virtual" and (capability == (major, minor) if limit == "a" else same_major)
        reached = {"a": capability == (major, minor), "f": same_major, "": capability >= (major, minor)}[limit]
        ptx |= kind != "-real" and reached
    return machine, ptx


def _toolkit(status: str) -> tuple[int, int] | None:
    """The version of the CUDA toolkit in the status of a build ("on: nvcc 13.0.88")."""
    found = re.search(r"(\d+)\.(\d+)", status)
    return None if found is None else (int(found[1]), int(found[2]))


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
