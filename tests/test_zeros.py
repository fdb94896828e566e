"""Tensors of zeros of which only some rows will be written."""

import pytest
import torch

from amsx.zeros import zeros


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("shape", [(3, 5, 7), (2, 1000, 64), (1, 1), (0, 4)])
def test_it_is_what_torch_makes_and_begins_where_a_line_of_the_cache_does(
    shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    cpu = torch.device("cpu")
    several = [zeros(shape, dtype, cpu) for _ in range(5)]  # all alive, so each begins elsewhere
    for values in several:
        assert torch.equal(values, torch.zeros(shape, dtype=dtype)) and values.dtype == dtype
        assert values.is_contiguous() and values.data_ptr() % 64 == 0
    several[0].add_(1)
    assert not any(values.any() for values in several[1:])
