"""What nvcc makes of the kernels: no register spills, no stack, and wide accesses where the source means them."""

import re
import shutil
from pathlib import Path

import pytest
from emulation.toolchain import CSRC, KERNELS, run

NVCC = shutil.which("nvcc") or shutil.which("/usr/local/cuda/bin/nvcc")


def architectures() -> list[str]:
    """Those that CMake builds for by default, as far as this nvcc knows them."""
    lines = (CSRC.parent / "cmake" / "CudaArchitectures.cmake").read_text().splitlines()
    built = {a for line in lines if "set(architectures " in line for a in re.findall(r"\b(\d+)(?:-real|\b)", line)}
    known = set(re.findall(r"sm_(\d+)", run(str(NVCC), "--list-gpu-code").stdout))
    return sorted(built & known, key=int)


@pytest.mark.skipif(NVCC is None, reason="no nvcc on PATH or in /usr/local/cuda: spills cannot be looked for")
def test_no_spills_and_no_stack(tmp_path: Path) -> None:
    found = architectures()
    assert len(found) >= 2
    code = [f"-gencode=arch=compute_{a},code=sm_{a}" for a in found]
    flags = ["-std=c++17", "-O3", "--fmad=false", "--expt-relaxed-constexpr", "-Xptxas=-v", "--threads=2"]
    done = run(str(NVCC), *flags, *code, "-fatbin", f"-odir={tmp_path}", *KERNELS)
    assert done.returncode == 0, done.stderr[-4000:]
    report = done.stdout + done.stderr
    for a in found:
        assert f"for 'sm_{a}'" in report
    frames = re.findall(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", report)
    assert len(frames) >= len(found) * len(KERNELS)
    assert set(frames) == {("0", "0", "0")}, re.findall(r"Function properties for (\S+)\n\s+[1-9].*", report)


@pytest.mark.skipif(NVCC is None, reason="no nvcc on PATH or in /usr/local/cuda: nothing compiles the kernels")
def test_wide_rows_move_sixteen_bytes_at_a_time(tmp_path: Path) -> None:
    ptx = tmp_path / "gather.ptx"
    flags = ["-std=c++17", "-O3", "--fmad=false", "--expt-relaxed-constexpr", "-arch=compute_80", "-ptx"]
    done = run(str(NVCC), *flags, CSRC / "cuda" / "gather.cu", "-o", ptx)
    assert done.returncode == 0, done.stderr[-4000:]
    # gather_kernel<float, 4> and the like; 1 is the width of rows that are not aligned
    entries = re.findall(r"\.entry \S*?(gather(?:_backward)?_kernelI\w+Li([248])E)(.*?)\n}", ptx.read_text(), re.S)
    assert len(entries) == 8
    for name, _, body in entries:
        assert len(re.findall(r"ld\.global\.v(?:4\.[fu]32|2\.f64)", body)) >= 4, name
        assert "st.global.v4" in body, name
        assert not re.search(r"st\.global\.[a-z]", body.replace("st.global.v4", "")), name
