"""Tensors of zeros of which only some rows will be written."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def zeros(shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> Tensor:
    """`torch.zeros`, which on the CPU costs nothing where no one writes or reads.

    Memory that the system grants is zero as it comes. NumPy leaves it at that; PyTorch
    writes the zeros once more, which for a batch that is mostly padding takes longer than writing the batch.
    """
    if device.type != "cpu":
        return torch.zeros(*shape, dtype=dtype, device=device)
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    return torch.from_numpy(np.zeros(size, dtype=np.uint8)).view(dtype).view(*shape)
