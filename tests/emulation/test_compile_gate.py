"""nvcc compiles every kernel for every architecture of the build without register spills and without a stack."""

import re
import shutil
from pathlib import Path

import pytest
from emulation.toolchain import CSRC, KERNELS, run

NVCC = shutil.which("nvcc") or shutil.which("/usr/local/cuda/bin/nvcc")


def architectures() -> list[str]:
    """Those that CMakeLists.txt builds for, as far as this nvcc knows them."""
    lines = [
        line for line in (CSRC.parent / "CMakeLists.txt").read_text().splitlines() if "APPEND" in line or "set(" in line
    ]
    built = {
        a for line in lines if "CMAKE_CUDA_ARCHITECTURES" in line for a in re.findall(r"\b(\d+)(?:-real|\b)", line)
    }
    known = set(re.findall(r"sm_(\d+)", run(NVCC, "--list-gpu-code").stdout))
    return sorted(built & known, key=int)


@pytest.mark.skipif(NVCC is None, reason="no nvcc on PATH or in /usr/local/cuda: spills cannot be looked for")
def test_no_spills_and_no_stack(tmp_path: Path) -> None:
    found = architectures()
    assert len(found) >= 2
    code = [f"-gencode=arch=compute_{a},code=sm_{a}" for a in found]
    flags = ["-std=c++17", "-O3", "--fmad=false", "--expt-relaxed-constexpr", "-Xptxas=-v", "--threads=2"]
    done = run(NVCC, *flags, *code, "-fatbin", f"-odir={tmp_path}", *KERNELS)
    assert done.returncode == 0, done.stderr[-4000:]
    report = done.stdout + done.stderr
    for a in found:
        assert f"for 'sm_{a}'" in report
    frames = re.findall(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", report)
    assert len(frames) >= len(found) * len(KERNELS)
    assert set(frames) == {("0", "0", "0")}, re.findall(r"Function properties for (\S+)\n\s+[1-9].*", report)
