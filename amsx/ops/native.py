"""Loads the native core and calls it, and turns the faults that it reports into exceptions.

An operation of the core takes dictionaries that together hold every field of its parameters (csrc/kernels.h) by name:
addresses, sizes, strides, the device, its stream and the number of threads. The core refuses a field that is missing,
unknown, given twice or of the wrong kind.
"""

from typing import Any

import torch  # before the extension, so that both share one OpenMP runtime
from torch import Tensor

try:
    import amsx._C as _C
except ImportError as error:  # raised when an op is called: `amsx info` and the pure-Python parts still work
    LOAD_ERROR: ImportError | None = error
else:
    LOAD_ERROR = None
    _C.know_dtypes((torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.bool, torch.int64))

_DTYPES = {torch.float16: 0, torch.bfloat16: 1, torch.float32: 2, torch.float64: 3}

_FAULTS = {
    1: "lengths[{video}] is outside 1..{snippets} (the snippets of the tensor)",
    2: "cas holds a NaN or infinite value, or a range that with eta is too large to weigh, in the valid snippets of "
    "video {video}",
    3: "weights holds a NaN, infinite or negative value in the valid snippets of video {video}",
    4: "the sampling weights of video {video} all vanish: with eta = 0 a constant CAS leaves nothing to sample by; "
    "expected eta > 0, or weights with a positive sum",
    5: "timestamps of video {video} decrease or hold a NaN; expected non-decreasing snippet positions",
}


def build() -> dict[str, Any]:
    """What was compiled: compiler, cuda (on or off, and why), cuda_compiled, cuda_architectures, openmp, isas."""
    facts: dict[str, Any] = _core().build()
    return facts


def instruction_set() -> str:
    """The instruction set that the CPU kernels use: the environment variable AMSX_ISA's choice, or else the best one.

    ValueError where AMSX_ISA names none that this processor and this build have.
    """
    name: str = _core().isa()
    return name


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
    """Eq. 4 where `cas` is given (otherwise `weights` is read), and Eq. 5 where `timestamps` is given."""
    scratch = _scratch(2, weights)
    _run(
        "sampling",
        weights,
        lengths,
        _NO_CAS if cas is None else _aggregated(cas, labels, mean),
        {
            "eta": eta,
            "weights": weights.data_ptr(),
            "weights_dtype": _DTYPES[weights.dtype],
            "timestamps": _address(timestamps),
            "interp_factor": interp_factor,
            "scratch": _address(scratch),
        },
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
    read = _rows(feats, timestamps, out)
    sample = _aggregated(cas, labels, mean)
    sample["eta"] = eta
    sample["weights"] = read["timestamps"]  # on the CPU the timestamps overwrite the weights
    sample["weights_dtype"] = read["timestamps_dtype"]
    sample["interp_factor"] = interp_factor
    sample["scratch"] = None
    if feats.is_cuda:
        weights, scratch = torch.empty_like(timestamps), _scratch(2, timestamps)
        sample["weights"], sample["scratch"] = weights.data_ptr(), _address(scratch)
    _run("adaptive_sample", feats, lengths, sample, read)


def sampled_at_once(
    tensors: tuple[Tensor | None, ...],
    eta: float,
    mean: bool,
    interp_factor: int,
    out: Tensor,
    timestamps: Tensor,
) -> bool:
    """`adaptive_sample` of feats, cas, labels and lengths on the CPU without dictionaries, where the core takes them.

    Returns:
        Whether it does, and has run. No input needs to have been checked.
    """
    outputs, threads = (out.data_ptr(), timestamps.data_ptr()), torch.get_num_threads()
    fault = _core().adaptive_sample_of(tensors, eta, mean, interp_factor, outputs, threads)
    if fault > 0:
        raise refusal(fault % 8, fault // 8, out.shape[1])
    return bool(fault == 0)


def weights_backward(
    grad_weights: Tensor,
    cas: Tensor,
    labels: Tensor | None,
    lengths: Tensor | None,
    mean: bool,
    grad_cas: Tensor,
) -> None:
    """The adjoint of Eq. 4."""
    scratch = _scratch(4, grad_weights)
    _run(
        "weights_backward",
        cas,
        lengths,
        _aggregated(cas, labels, mean),
        {
            "grad_weights": grad_weights.data_ptr(),
            "grad_cas": grad_cas.data_ptr(),
            "scratch": _address(scratch),
        },
    )


def timestamps_backward(
    grad_timestamps: Tensor, weights: Tensor, timestamps: Tensor, lengths: Tensor | None, grad_weights: Tensor
) -> None:
    """The adjoint of the continuous Eq. 5."""
    scratch = _scratch(3, weights)
    _run(
        "timestamps_backward",
        weights,
        lengths,
        {
            "weights": weights.data_ptr(),
            "weights_dtype": _DTYPES[weights.dtype],
            "timestamps": timestamps.data_ptr(),
            "grad_timestamps": grad_timestamps.data_ptr(),
            "grad_weights": grad_weights.data_ptr(),
            "scratch": _address(scratch),
        },
    )


def rows(operation: str, source: Tensor, timestamps: Tensor, lengths: Tensor | None, out: Tensor) -> None:
    """Runs `gather`, `gather_backward`, `align` or `align_backward`: (B, T, D) with last stride 1 -> (B, T, D)."""
    _run(operation, source, lengths, _rows(source, timestamps, out))


def rows_to_timestamps(
    operation: str, grad: Tensor, source: Tensor, timestamps: Tensor, lengths: Tensor | None, out: Tensor
) -> None:
    """Runs `gather_backward_timestamps` or `align_backward_timestamps`: gradients (B, T, D) -> (B, T)."""
    _run(
        operation,
        source,
        lengths,
        _rows(source, timestamps, out),
        {
            "grad": grad.data_ptr(),
            "grad_stride": (grad.stride(0), grad.stride(1)),
        },
    )


_NO_CAS = {"cas": None, "cas_dtype": 0, "cas_stride": (0, 0, 0), "channels": 0, "labels": None, "mean": False}


def _aggregated(cas: Tensor, labels: Tensor | None, mean: bool) -> dict[str, Any]:
    """The fields of AggregateParams without the shape: a CAS (B, T, C) at any strides, and how it is aggregated."""
    return {
        "cas": cas.data_ptr(),
        "cas_dtype": _DTYPES[cas.dtype],
        "cas_stride": cas.stride(),
        "channels": cas.shape[2],
        "labels": None if labels is None else labels.data_ptr(),
        "mean": mean,
    }


def _rows(source: Tensor, timestamps: Tensor, out: Tensor) -> dict[str, Any]:
    """The fields of RowsParams without the shape: rows (B, T, D) with last stride 1, timestamps (B, T), the output."""
    stride = source.stride()
    return {
        "dims": source.shape[2],
        "source": source.data_ptr(),
        "source_dtype": _DTYPES[source.dtype],
        "source_stride": (stride[0], stride[1]),
        "timestamps": timestamps.data_ptr(),
        "timestamps_dtype": _DTYPES[timestamps.dtype],
        "out": out.data_ptr(),
    }


def _scratch(count: int, like: Tensor) -> Tensor | None:
    """Memory that the CUDA kernels need for themselves, (count, B, T) for `like` (B, T); the CPU needs none."""
    return torch.empty((count, *like.shape), dtype=torch.int64, device=like.device) if like.is_cuda else None


def _address(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()


def _run(operation: str, like: Tensor, lengths: Tensor | None, *fields: dict[str, Any]) -> None:
    """Runs an operation of the core on the device and stream of `like` (B, T, ...); a fault becomes a ValueError."""
    if like.is_cuda:
        device, stream = like.device.index, torch.cuda.current_stream(like.device).cuda_stream
    else:
        device, stream = -1, None
    shape = like.shape
    everywhere = {
        "device": device,
        "stream": stream,
        "threads": torch.get_num_threads(),
        "videos": shape[0],
        "snippets": shape[1],
        "lengths": _address(lengths),
    }
    fault = getattr(_core(), operation)((everywhere, *fields))
    if fault:
        raise refusal(fault % 8, fault // 8, shape[1])


def refusal(fault: int, video: int, snippets: int) -> ValueError:
    """The exception for a fault that a kernel found in a video of a batch with T snippets."""
    return ValueError(_FAULTS[fault].format(video=video, snippets=snippets))


def _core() -> Any:
    if LOAD_ERROR is not None:
        raise ImportError(
            f"the native core amsx._C could not be loaded ({LOAD_ERROR}); install amsx with `pip install .` "
            "rather than importing it from its source folder"
        ) from LOAD_ERROR
    return _C
