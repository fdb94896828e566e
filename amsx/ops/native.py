"""Loads the native core and calls it: pointers, strides, streams, threads, and its fault codes as exceptions."""

from typing import Any

import torch  # before the extension, so that both share one OpenMP runtime
from torch import Tensor

try:
    import amsx._C as _C
except ImportError as error:  # said when an op is called: `amsx info` and the pure-Python parts still work
    _C = None
    LOAD_ERROR: ImportError | None = error
else:
    LOAD_ERROR = None

_DTYPES = {torch.float16: 0, torch.bfloat16: 1, torch.float32: 2, torch.float64: 3}
_FLOAT, _DOUBLE = _DTYPES[torch.float32], _DTYPES[torch.float64]

_FAULTS = {
    1: "lengths[{video}] is outside 1..{snippets} (the snippets of the tensor)",
    2: "cas holds a NaN or infinite value, or a range too large to weigh, in the valid snippets of video {video}",
    3: "weights holds a NaN, infinite or negative value in the valid snippets of video {video}",
    4: "the sampling weights of video {video} all vanish: with eta = 0 a constant CAS leaves nothing to sample by; "
    "expected eta > 0, or weights with a positive sum",
    5: "timestamps of video {video} decrease or hold a NaN; expected non-decreasing snippet positions",
}


def compute_dtype(dtype: torch.dtype) -> torch.dtype:
    """What weights and timestamps come in: float64 for float64, else float32."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def build() -> dict[str, Any]:
    """What was compiled: compiler, cuda (on / off, and why), cuda_compiled, cuda_architectures, openmp."""
    return _core().build()


def sampling(
    cas: Tensor | None,
    labels: Tensor | None,
    lengths: Tensor | None,
    eta: float,
    mean: bool,
    weights: Tensor,
    timestamps: Tensor | None,
    interp_factor: int,
) -> None:
    """Eq. 4 (where `cas` is given; else `weights` is read) and Eq. 5 (where `timestamps` is given)."""
    scratch = None
    if timestamps is not None and weights.is_cuda:
        scratch = torch.empty(weights.shape, dtype=torch.int64, device=weights.device)
    if cas is None:
        columns: tuple[int, ...] = (0, 0, 0, 0, 0, 0)
    else:
        columns = (cas.data_ptr(), _DTYPES[cas.dtype], *cas.stride(), cas.shape[2])
    _run(
        _core().sampling,
        weights,
        lengths,
        *columns,
        _address(labels),
        eta,
        mean,
        weights.data_ptr(),
        _DOUBLE if weights.dtype == torch.float64 else _FLOAT,
        _address(timestamps),
        interp_factor,
        _address(scratch),
    )


def adaptive_sample(
    feats: Tensor,
    cas: Tensor,
    labels: Tensor | None,
    lengths: Tensor | None,
    eta: float,
    mean: bool,
    interp_factor: int,
    out: Tensor,
    timestamps: Tensor,
) -> None:
    """Eq. 4 to 6 in one call."""
    at_weights = at_scratch = 0
    if feats.is_cuda:  # the CPU needs neither
        weights = torch.empty_like(timestamps)
        scratch = torch.empty_like(timestamps, dtype=torch.int64)
        at_weights, at_scratch = weights.data_ptr(), scratch.data_ptr()
    stride0, stride1, _ = feats.stride()
    _run(
        _core().adaptive_sample,
        feats,
        lengths,
        feats.data_ptr(),
        _DTYPES[feats.dtype],
        stride0,
        stride1,
        feats.size(2),
        cas.data_ptr(),
        _DTYPES[cas.dtype],
        *cas.stride(),
        cas.size(2),
        _address(labels),
        eta,
        mean,
        interp_factor,
        out.data_ptr(),
        timestamps.data_ptr(),
        _DTYPES[timestamps.dtype],
        at_weights,
        at_scratch,
    )


def weights_backward(
    grad_weights: Tensor,
    cas: Tensor,
    labels: Tensor | None,
    lengths: Tensor | None,
    mean: bool,
    grad_cas: Tensor,
) -> None:
    """Adjoint of Eq. 4."""
    _run(
        _core().weights_backward,
        cas,
        lengths,
        cas.data_ptr(),
        _DTYPES[cas.dtype],
        *cas.stride(),
        cas.shape[2],
        _address(labels),
        mean,
        grad_weights.data_ptr(),
        _DTYPES[grad_weights.dtype],
        grad_cas.data_ptr(),
    )


def timestamps_backward(
    grad_timestamps: Tensor, weights: Tensor, timestamps: Tensor, lengths: Tensor | None, grad_weights: Tensor
) -> None:
    """Adjoint of the continuous Eq. 5."""
    scratch = torch.empty(weights.shape, dtype=torch.float64, device=weights.device) if weights.is_cuda else None
    _run(
        _core().timestamps_backward,
        weights,
        lengths,
        weights.data_ptr(),
        timestamps.data_ptr(),
        grad_timestamps.data_ptr(),
        grad_weights.data_ptr(),
        _DTYPES[weights.dtype],
        _address(scratch),
    )


def rows(operation: str, source: Tensor, timestamps: Tensor, lengths: Tensor | None, out: Tensor) -> None:
    """`gather`, `gather_backward`, `align` or `align_backward`: (B, T, D) with last stride 1 -> (B, T, D)."""
    _run(
        getattr(_core(), operation),
        source,
        lengths,
        source.shape[2],
        source.data_ptr(),
        _DTYPES[source.dtype],
        source.stride(0),
        source.stride(1),
        timestamps.data_ptr(),
        _DTYPES[timestamps.dtype],
        out.data_ptr(),
    )


def rows_to_timestamps(
    operation: str, grad: Tensor, source: Tensor, timestamps: Tensor, lengths: Tensor | None, out: Tensor
) -> None:
    """`gather_backward_timestamps` or `align_backward_timestamps`: gradients (B, T, D) -> (B, T)."""
    _run(
        getattr(_core(), operation),
        source,
        lengths,
        source.shape[2],
        grad.data_ptr(),
        _DTYPES[grad.dtype],
        grad.stride(0),
        grad.stride(1),
        source.data_ptr(),
        source.stride(0),
        source.stride(1),
        timestamps.data_ptr(),
        _DTYPES[timestamps.dtype],
        out.data_ptr(),
    )


def _core() -> Any:
    if _C is None:
        raise ImportError(
            f"the native core amsx._C could not be loaded ({LOAD_ERROR}); install amsx with `pip install .` "
            "rather than importing it from its source folder"
        ) from LOAD_ERROR
    return _C


def _address(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr()


def _run(function: Any, like: Tensor, lengths: Tensor | None, *arguments: Any) -> None:
    """Calls `function` on the device and stream of `like` (B, T, ...); a fault becomes a ValueError."""
    if like.is_cuda:
        device, stream = like.device.index, torch.cuda.current_stream(like.device).cuda_stream
    else:
        device, stream = -1, 0
    fault = function(device, stream, torch.get_num_threads(), like.size(0), like.size(1), _address(lengths), *arguments)
    if fault:
        raise ValueError(_FAULTS[fault % 8].format(video=fault // 8, snippets=like.size(1)))
