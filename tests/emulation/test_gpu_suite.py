"""tests/gpu on a pretended device whose kernels are emulated: what those tests expect holds before there is a GPU.

All but the tests of streams, graphs and torch's own compilation, which need the real one.
"""

from collections.abc import Iterator

import pytest
import torch
from emulation.device import EmulatedDevice
from emulation.pretended import OnDevice, Pretence
from gpu import test_cuda
from hypothesis import given, settings
from hypothesis import strategies as st
from ops.cases import FACTORS

from amsx.choices import Mode

test_one_video_and_an_empty_batch = test_cuda.test_one_video_and_an_empty_batch
test_non_contiguous_and_unaligned_inputs = test_cuda.test_non_contiguous_and_unaligned_inputs
test_random_aggregation = test_cuda.test_random_aggregation
test_gradients_of_sampling = test_cuda.test_gradients_of_sampling
test_gradients_of_the_parts = test_cuda.test_gradients_of_the_parts
test_lengths_are_clamped = test_cuda.test_lengths_are_clamped
test_negative_weights_count_as_zero = test_cuda.test_negative_weights_count_as_zero_and_vanishing_ones_as_uniform
test_decreasing_timestamps_give_finite_gradients = test_cuda.test_decreasing_timestamps_give_finite_gradients
test_a_cas_that_is_not_finite = test_cuda.test_a_cas_that_is_not_finite_spoils_its_own_video_alone


@pytest.fixture(autouse=True)
def pretended(emulated: EmulatedDevice, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(OnDevice, "emulated", emulated, raising=False)
    torch.manual_seed(0)
    with Pretence():
        yield


@given(test_cuda.inputs(), st.sampled_from([0, *FACTORS]), st.booleans())
@settings(max_examples=20)
def test_the_bits_and_sums_of_the_cpu(x: test_cuda.Inputs, factor: int, mean: bool) -> None:
    test_cuda.check_same_bits(x, factor, mean)
    test_cuda.check_close(x, mean)


@pytest.mark.parametrize("dtype", test_cuda.DTYPES, ids=str)
@pytest.mark.parametrize("mode", test_cuda.MODES)
def test_a_large_size(dtype: torch.dtype, mode: Mode) -> None:
    test_cuda.test_large_sizes((2, 1500, 16, 3), dtype, mode)


def test_all_ops_with_their_gradients() -> None:
    """What the tests of streams and graphs compute on the device and compare to the CPU."""
    lengths = torch.tensor([200, 150])
    there = test_cuda.forward_and_backward(*test_cuda.leaves(4, "cuda"), lengths.to("cuda"))
    test_cuda.assert_like_the_cpu(there, test_cuda.forward_and_backward(*test_cuda.leaves(4), lengths))


def test_a_tensor_of_the_device_says_so() -> None:
    x = torch.ones(3).to("cuda")
    assert x.is_cuda
    assert (x + 1).device == torch.device("cuda", 0)
    assert not x.cpu().is_cuda
