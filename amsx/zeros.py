"""Tensors of zeros of which only some rows will be written."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

ALIGNMENT = 64  # bytes, a line of the cache and the widest register


def zeros(shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> Tensor:
    """`torch.zeros`, which on the CPU costs nothing where no one writes or reads.

    Memory that the system grants is zero as it comes. NumPy leaves it at that; PyTorch
    writes the zeros once more, which for a batch that is mostly padding takes longer than writing the batch. As
    PyTorch's own tensors, the result begins at a multiple of 64 bytes: a matrix product whose rows lie across the lines
    of the cache takes longer.
    """
    if device.type != "cpu":
        return torch.zeros(*shape, dtype=dtype, device=device)
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    memory = np.zeros(size + ALIGNMENT, dtype=np.uint8)
    begin = -memory.ctypes.data % ALIGNMENT
    return torch.from_numpy(memory[begin : begin + size]).view(dtype).view(*shape)
