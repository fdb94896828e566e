"""A description of the installation, for `amsx info` and for bug reports."""

import platform
from importlib import metadata

import numpy
import torch

import amsx
from amsx.ops import native


def describe() -> list[tuple[str, str]]:
    """Lines of (name, value): versions, devices, what was compiled, OpenMP, and why CUDA is off where it is off."""
    lines = [
        ("amsx", amsx.__version__),
        ("Python", f"{platform.python_version()} on {platform.platform()}"),
        ("torch", f"{torch.__version__} (CUDA {torch.version.cuda or 'not built in'})"),
        ("numpy", numpy.__version__),
        ("safetensors", metadata.version("safetensors")),
    ]
    if native.LOAD_ERROR is not None:
        return [*lines, ("native core", f"not loaded: {native.LOAD_ERROR}")]
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
    return [*lines, ("devices", _devices(build["cuda_compiled"]))]


def _instruction_set(available: list[str]) -> str:
    try:
        return f"{native.instruction_set()} (AMSX_ISA chooses among {', '.join(available)})"
    except ValueError as error:
        return f"none: {error}"


def _devices(compiled: bool) -> str:
    names = ["cpu"]
    if torch.cuda.is_available():
        names += [f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())]
        if not compiled:
            names.append("but amsx was built without CUDA kernels")
    elif torch.version.cuda is None:
        names.append("no CUDA: torch was built without it")
    else:
        names.append("no CUDA: torch sees no device or no driver")
    return ", ".join(names)
