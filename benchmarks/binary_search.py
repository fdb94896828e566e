"""Builds and calls the rival in binary_search.cu with nvcc and ctypes; with torch's headers it would take a minute."""

import ctypes
import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.rivals import weights
from benchmarks.timing import UnavailableError

_DTYPES = {torch.float32: 0, torch.float16: 1, torch.bfloat16: 2}


def build(architecture: str, folder: Path) -> Path:
    """Compile for an architecture such as "sm_90" into `folder`. UnavailableError where nvcc is missing or fails."""
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        raise UnavailableError("no nvcc on PATH to compile the binary search with")
    library = folder / "binary_search.so"
    source = Path(__file__).with_name("binary_search.cu")
    command = [nvcc, "-O3", "-std=c++17", f"-arch={architecture}", "-shared", "-Xcompiler", "-fPIC"]
    done = subprocess.run([*command, "-o", str(library), str(source)], capture_output=True, text=True)
    if done.returncode != 0:
        raise UnavailableError(f"nvcc could not compile the binary search: {done.stderr.strip()[:200]}")
    return library


@functools.cache
def _library() -> ctypes.CDLL:
    if not torch.cuda.is_available():
        raise UnavailableError("the binary search is a CUDA kernel, and torch sees no GPU")
    major, minor = torch.cuda.get_device_capability()
    with tempfile.TemporaryDirectory() as folder:
        library = ctypes.CDLL(str(build(f"sm_{major}{minor}", Path(folder))))
    library.binary_search.argtypes = [ctypes.c_int] * 2 + [ctypes.c_void_p] * 3 + [ctypes.c_int64] * 3
    library.binary_search.argtypes += [ctypes.c_void_p]
    return library


def forward(feats: Tensor, cas: Tensor) -> Tensor:
    """Eq. 4 to 6 on CUDA, as `rivals.gathered` computes them: (B, T, D) -> (B, T, D)."""
    return _call(0, feats, weights(cas).cumsum(dim=1))


def backward(grad: Tensor, cumulated: Tensor) -> Tensor:
    """The gradient with respect to the features, from the cumulated weights that the forward would have kept."""
    return _call(1, grad, cumulated)


def _call(adjoint: int, source: Tensor, cumulated: Tensor) -> Tensor:
    out = torch.empty_like(source)
    stream = torch.cuda.current_stream(source.device).cuda_stream
    pointers = (source.data_ptr(), cumulated.data_ptr(), out.data_ptr())
    error = _library().binary_search(adjoint, _DTYPES[source.dtype], *pointers, *source.shape, stream)
    if error:
        raise RuntimeError(f"the binary search failed with CUDA error {error}")
    return out
