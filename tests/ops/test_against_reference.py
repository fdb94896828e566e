"""Every op against the paper's equations in plain PyTorch, over drawn shapes, padding, ties and spikes."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from ops.cases import Case, cases

import amsx
from amsx.choices import Aggregate, Mode
from amsx.ops import reference

AGGREGATES = ["max", "mean"]
OPS = torch.ops.amsx


def zeroed(x: torch.Tensor, valid: list[int]) -> torch.Tensor:
    """`x` with its padding, which may hold NaN, set to zero."""
    x = x.clone()
    for b, n in enumerate(valid):
        x[b, n:] = 0
    return x


@given(cases(dims=[1]), st.sampled_from(AGGREGATES))
def test_weights(case: Case, aggregate: Aggregate) -> None:
    options: dict[str, Any] = {"labels": case.labels, "lengths": case.lengths, "eta": case.eta, "aggregate": aggregate}
    expected = reference.sampling_weights(case.cas, **options)
    torch.testing.assert_close(amsx.sampling_weights(case.cas, **options), expected, rtol=1e-12, atol=1e-12)


@given(cases(dims=[1]))
def test_grid_timestamps_are_the_first_sub_position_whose_cumulated_weight_reaches_the_point(
    case: Case,
) -> None:
    H, lengths = case.interp_factor, case.lengths
    weights = reference.sampling_weights(case.cas, labels=case.labels, lengths=lengths, eta=case.eta)
    timestamps = amsx.sampling_timestamps(weights, lengths=lengths, interp_factor=H)
    for b, n in enumerate(case.valid):
        cumulated = reference.upsample(weights[b, :n, None], H)[:, 0].cumsum(0)
        goal = (torch.arange(n).double() + 0.5) / n * cumulated[-1]
        index = ((timestamps[b, :n] + 0.5) * H - 0.5).round().long()
        torch.testing.assert_close(timestamps[b, :n], (index.double() + 0.5) / H - 0.5, rtol=0, atol=1e-12)
        slack = 1e-9 * cumulated[-1]  # ties are exact in the kernel, rounded in this sum
        before = torch.where(index > 0, cumulated[(index - 1).clamp(min=0)], 0.0)
        assert (cumulated[index] >= goal - slack).all()
        assert (before < goal + slack).all()
        assert (timestamps[b, n:] == 0).all()


@given(cases(dims=[1]))
def test_continuous_timestamps(case: Case) -> None:
    weights = reference.sampling_weights(case.cas, labels=case.labels, lengths=case.lengths, eta=case.eta)
    expected = reference.sampling_timestamps(weights, lengths=case.lengths, mode="continuous")
    timestamps = amsx.sampling_timestamps(weights, lengths=case.lengths, mode="continuous")
    torch.testing.assert_close(timestamps, expected, rtol=0, atol=1e-6)


@given(cases(), st.sampled_from(AGGREGATES))
def test_grid_features_are_rows_of_the_up_sampled_sequence(case: Case, aggregate: Aggregate) -> None:
    sampled = amsx.adaptive_sample(
        case.feats,
        case.cas,
        labels=case.labels,
        lengths=case.lengths,
        eta=case.eta,
        interp_factor=case.interp_factor,
        aggregate=aggregate,
    )
    for b, n in enumerate(case.valid):
        index = ((sampled.timestamps[b, :n] + 0.5) * case.interp_factor - 0.5).round().long()
        upsampled = reference.upsample(case.feats[b, :n], case.interp_factor)
        torch.testing.assert_close(sampled.feats[b, :n], upsampled[index], rtol=1e-9, atol=1e-9)
        assert (sampled.feats[b, n:] == 0).all()


@given(cases(dims=[1, 3, 65]), st.sampled_from(["grid", "continuous"]))
def test_the_whole_op_where_no_point_falls_on_an_edge(case: Case, mode: Mode) -> None:
    torch.manual_seed(0)
    cas = case.cas + 1e-3 * torch.rand_like(case.cas)  # no ties
    options: dict[str, Any] = {
        "labels": case.labels,
        "lengths": case.lengths,
        "eta": case.eta,
        "interp_factor": case.interp_factor,
        "mode": mode,
    }
    sampled = amsx.adaptive_sample(case.feats, cas, **options)
    feats, timestamps = reference.adaptive_sample(case.feats, cas, **options)
    off = (sampled.timestamps - timestamps).abs() > 1e-6
    # A video without any positive label has constant weights, hence ties.
    if case.labels is not None:
        off &= (case.labels != 0).any(dim=1)[:, None]
    assert not off[torch.tensor([n > 1 for n in case.valid])].any()
    if not (sampled.timestamps - timestamps).abs().gt(1e-6).any():
        torch.testing.assert_close(sampled.feats, feats, rtol=1e-6, atol=1e-5)


@given(cases(dims=[1, 3, 65]), st.sampled_from(["grid", "continuous"]))
def test_gather_and_align(case: Case, mode: Mode) -> None:
    weights = reference.sampling_weights(case.cas, lengths=case.lengths, eta=case.eta)
    timestamps = amsx.sampling_timestamps(weights, lengths=case.lengths, mode=mode)
    for op, oracle, x in [
        (amsx.gather, reference.gather, case.feats),
        (amsx.align_cas, reference.align_cas, case.cas),
    ]:
        expected = oracle(zeroed(x, case.valid), timestamps, case.lengths)
        torch.testing.assert_close(op(x, timestamps, case.lengths), expected, rtol=1e-9, atol=1e-9)


def test_align_with_samples_that_share_a_timestamp() -> None:
    cas = torch.arange(5.0)[None, :, None].double()
    timestamps = torch.tensor([[-0.4, 1.0, 1.0, 1.0, 3.5]], dtype=torch.float64)
    expected = reference.align_cas(cas, timestamps)
    torch.testing.assert_close(amsx.align_cas(cas, timestamps), expected)
    assert expected[0, 1, 0] == 3  # the last of those that share it


@pytest.mark.parametrize("factor", [1, 2, 7])
def test_the_references_up_sampling_is_pytorchs(factor: int) -> None:
    rows = torch.randn(9, 4, dtype=torch.float64)
    expected = torch.nn.functional.interpolate(rows.T[None], scale_factor=float(factor), mode="linear")[0].T
    torch.testing.assert_close(reference.upsample(rows, factor), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dims", [1, 40])
def test_a_row_that_is_not_finite_reaches_those_alone_that_read_it(dtype: torch.dtype, value: float, dims: int) -> None:
    x = torch.randn(1, 6, dims).to(dtype)
    x[0, 3] = value
    # Before the first centre, at centres (also of the row before and after), between them, beyond the last.
    timestamps = torch.tensor([[-0.5, 2.0, 2.5, 3.0, 4.0, 5.4]], dtype=torch.float64)
    finite = [True, True, False, False, True, True]
    for gather in (amsx.gather, reference.gather):
        sampled = gather(x, timestamps)
        assert sampled.isfinite().all(dim=2)[0].tolist() == finite
        assert torch.equal(sampled[0, [0, 1, 4, 5]], x[0, [0, 2, 4, 5]])
    torch.testing.assert_close(amsx.gather(x, timestamps), reference.gather(x, timestamps), equal_nan=True)
    grad = OPS.gather_backward(x, timestamps, None)  # of sample 3, which reads row 3 alone
    assert grad.isfinite().all(dim=2)[0].tolist() == [True, True, True, False, True, True]

    known = torch.tensor([[0.0, 1.0, 1.5, 2.0, 4.0, 5.0]], dtype=torch.float64)  # sample 3 lies on snippet 2
    finite = [True, True, False, False, True, True]
    for align in (amsx.align_cas, reference.align_cas):
        assert align(x, known).isfinite().all(dim=2)[0].tolist() == finite
    grad = OPS.align_cas_backward(x, known, None)  # of snippet 3, halfway between samples 3 and 4
    assert grad.isfinite().all(dim=2)[0].tolist() == [True, True, True, False, False, True]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_rows_written_past_the_caches_are_the_same(dtype: torch.dtype) -> None:
    x = torch.randn(1, 2100, 3100).to(dtype)  # 12.4 MiB or more
    x[0, 1000] = float("nan")
    timestamps = torch.arange(2100.0)[None]
    assert torch.equal(amsx.gather(x, timestamps).nan_to_num(7), x.nan_to_num(7))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("dims", [1, 3, 64, 1023])
@pytest.mark.parametrize("mode", ["grid", "continuous"])
def test_lower_precision_rounds_once(dtype: torch.dtype, dims: int, mode: Mode) -> None:
    generator = torch.Generator().manual_seed(dims)
    feats = torch.randn(2, 33, dims, generator=generator).to(dtype)
    cas = torch.rand(2, 33, 4, generator=generator).to(dtype)
    sampled = amsx.adaptive_sample(feats, cas, mode=mode)
    assert sampled.feats.dtype == dtype
    assert sampled.timestamps.dtype == torch.float32
    exact = reference.gather(feats.double(), sampled.timestamps)
    epsilon = torch.finfo(dtype).eps
    torch.testing.assert_close(sampled.feats.double(), exact, rtol=epsilon, atol=5e-7)
    aligned = amsx.align_cas(cas, sampled.timestamps)
    exact = reference.align_cas(cas.double(), sampled.timestamps)
    torch.testing.assert_close(aligned.double(), exact, rtol=epsilon, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_every_value_of_the_small_types_survives_the_identity(dtype: torch.dtype) -> None:
    values = torch.arange(65536, dtype=torch.int32).to(torch.int16).view(dtype)
    values = values[torch.isfinite(values)][None, :, None].contiguous()
    timestamps = torch.arange(values.shape[1], dtype=torch.float64)[None]
    assert torch.equal(amsx.gather(values, timestamps), values)


def test_two_dimensional_inputs_are_a_batch_of_one() -> None:
    feats, cas = torch.randn(12, 6), torch.rand(12, 3)
    labels, length = torch.tensor([1, 0, 1]), torch.tensor(9)
    one = amsx.adaptive_sample(feats, cas, labels=labels, lengths=length)
    many = amsx.adaptive_sample(feats[None], cas[None], labels=labels[None], lengths=length[None])
    assert torch.equal(one.feats, many.feats[0])
    assert torch.equal(one.timestamps, many.timestamps[0])
    aggregated = amsx.adaptive_sample(feats, cas.amax(dim=1))
    assert torch.equal(aggregated.timestamps, amsx.adaptive_sample(feats, cas).timestamps)
    assert torch.equal(
        amsx.align_cas(cas, one.timestamps, length),
        amsx.align_cas(cas[None], many.timestamps, length[None])[0],
    )
    weights = torch.rand(12) + 0.1
    assert torch.equal(amsx.sampling_timestamps(weights), amsx.sampling_timestamps(weights[None])[0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("width", [4100, 4096])  # rows that begin at whole vectors, and rows that do not
def test_outputs_too_large_for_the_caches_have_the_same_bits(dtype: torch.dtype, width: int) -> None:
    """They are written in another way; column by column nothing depends on the width."""
    generator = torch.Generator().manual_seed(3)
    feats = torch.randn(1, 2100, width, generator=generator).to(dtype)  # 16.4 MiB or more
    cas = torch.rand(1, 2100, 3, generator=generator)
    leaf = feats.clone().requires_grad_()
    sampled = amsx.adaptive_sample(leaf, cas, lengths=torch.tensor([2090]))
    sampled.feats.backward(feats)
    for columns in (slice(0, 40), slice(width - 40, width)):
        few = feats[..., columns].contiguous().requires_grad_()
        expected = amsx.adaptive_sample(few, cas, lengths=torch.tensor([2090]))
        expected.feats.backward(feats[..., columns])
        assert torch.equal(sampled.feats[..., columns], expected.feats)
        assert leaf.grad is not None
        assert few.grad is not None
        assert torch.equal(leaf.grad[..., columns], few.grad)
