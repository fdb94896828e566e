"""Bad input gets an error at the door that names the argument, what it was and what was expected."""

import re

import pytest
import torch

import amsx

X, M = torch.zeros(2, 6, 3), torch.rand(2, 6, 4)
NAN, INF = float("nan"), float("inf")


def with_value(x: torch.Tensor, where: tuple[int, ...], value: float) -> torch.Tensor:
    x = x.clone()
    x[where] = value
    return x


CASES = [
    # feats, cas, options, exception, message
    (X[0, 0], M, {}, ValueError, r"feats has shape \(3,\); expected \(B, T, D\) or \(T, D\)"),
    (X[:, :, None], M, {}, ValueError, r"feats has shape \(2, 6, 1, 3\)"),
    (X[:, :0], M[:, :0], {}, ValueError, r"feats has shape \(2, 0, 3\).*at least one snippet"),
    ("x", M, {}, TypeError, r"feats is a str; expected a tensor"),
    (
        X.int(),
        M,
        {},
        TypeError,
        r"feats has dtype torch.int32; expected float32, float64, float16 or bfloat16",
    ),
    (X, M.bool(), {}, TypeError, r"cas has dtype torch.bool"),
    (
        X,
        M[:, :5],
        {},
        ValueError,
        r"cas has shape \(2, 5, 4\) but feats \(2, 6, 3\); expected the same B and T",
    ),
    (X, M[:1], {}, ValueError, r"cas has shape \(1, 6, 4\) but feats"),
    (X, M[:, :, :0], {}, ValueError, r"cas has shape \(2, 6, 0\)"),
    (X[0], M, {}, ValueError, r"cas has shape \(2, 6, 4\); expected \(T, C\) or \(T,\)"),
    (X, with_value(M, (1, 2, 0), NAN), {}, ValueError, r"cas holds a NaN or infinite value.* video 1"),
    (X, with_value(M, (0, 5, 3), INF), {}, ValueError, r"cas holds a NaN or infinite value.* video 0"),
    (X, with_value(M, (0, 5, 3), -INF), {"aggregate": "mean"}, ValueError, r"cas holds a NaN or infinite"),
    (X, M, {"eta": -0.1}, ValueError, r"eta is -0.1; expected a finite number >= 0"),
    (X, M, {"eta": NAN}, ValueError, r"eta is nan"),
    (X, M, {"eta": "1"}, TypeError, r"eta is '1'; expected a number"),
    (X, torch.ones(2, 6, 4), {"eta": 0}, ValueError, r"weights of video 0 all vanish.*eta > 0"),
    (X, M, {"lengths": torch.tensor([6, 0])}, ValueError, r"lengths\[1\] is outside 1\.\.6"),
    (X, M, {"lengths": torch.tensor([7, 1])}, ValueError, r"lengths\[0\] is outside 1\.\.6"),
    (X, M, {"lengths": torch.tensor([6])}, ValueError, r"lengths has shape \(1,\); expected \(2,\)"),
    (X, M, {"lengths": torch.tensor([6.0, 5.0])}, TypeError, r"lengths has dtype torch.float32"),
    (X, M, {"lengths": [6, 7]}, ValueError, r"lengths\[1\] is outside 1\.\.6"),
    (X, M, {"lengths": [6]}, ValueError, r"lengths has shape \(1,\); expected \(2,\)"),
    (X, M, {"lengths": [6, 5.0]}, TypeError, r"lengths holds values of dtype float64; expected the valid snippets"),
    (X, M, {"lengths": [[6], [5, 4]]}, TypeError, r"lengths is \[\[6\], \[5, 4\]\]; expected the valid snippets"),
    (X, M, {"lengths": 0}, ValueError, r"lengths\[0\] is outside 1\.\.6"),
    (X, M, {"lengths": True}, TypeError, r"lengths is a bool; expected the valid snippets"),
    (X, M, {"lengths": "6"}, TypeError, r"lengths is a str"),
    (X, M, {"lengths": torch.ones(2, 5, dtype=torch.bool)}, ValueError, r"mask of shape \(2, 5\); expected \(2, 6\)"),
    (X, M, {"lengths": torch.tensor([[1, 0, 1, 1, 1, 1]] * 2).bool()}, ValueError, r"boolean mask with a gap"),
    (X, M, {"eta": 1e39}, ValueError, r"eta is 1e\+39; expected at most 3.4.*cas of torch.float32"),
    (X, M, {"eta": True}, TypeError, r"eta is True; expected a number"),
    (X, M, {"eta": torch.ones(2)}, TypeError, r"eta is a tensor of shape \(2,\)"),
    (X, M, {"eta": torch.ones((), requires_grad=True)}, NotImplementedError, r"eta requires a gradient"),
    (X, M, {"interp_factor": torch.tensor(2.0)}, TypeError, r"interp_factor is tensor\(2.\); expected an int"),
    (X, M, {"interp_factor": True}, TypeError, r"interp_factor is True; expected an int"),
    (X, M, {"labels": torch.ones(2, 3)}, ValueError, r"labels has shape \(2, 3\); expected \(2, 4\)"),
    (X, M, {"labels": [1]}, TypeError, r"labels is a list"),
    (X, M[..., 0], {"labels": torch.ones(2, 4)}, ValueError, r"no channels to choose from"),
    (X, M, {"interp_factor": 0}, ValueError, r"interp_factor is 0; expected 1\.\.1024"),
    (X, M, {"interp_factor": 2.0}, TypeError, r"interp_factor is 2.0; expected an int"),
    (X, M, {"aggregate": "sum"}, ValueError, r"aggregate is 'sum'; expected one of 'max', 'mean', 'random'"),
    (X, M, {"mode": "linear"}, ValueError, r"mode is 'linear'; expected one of 'grid', 'continuous'"),
    (X.to_sparse(), M, {}, TypeError, r"feats is torch.sparse_coo; expected a dense tensor"),
    (X, M.to_sparse(), {}, TypeError, r"cas is torch.sparse_coo; expected a dense tensor"),
    (torch.nested.nested_tensor([X[0]], layout=torch.jagged), M, {}, TypeError, r"feats is a nested tensor"),
    (X, M.to("meta"), {}, ValueError, r"cas is on meta but feats on cpu"),
    (X, M, {"labels": torch.ones(2, 4, device="meta")}, ValueError, r"labels is on meta but cas on cpu"),
]


@pytest.mark.parametrize(("feats", "cas", "options", "kind", "message"), CASES, ids=[c[4][:40] for c in CASES])
def test_adaptive_sample(feats, cas, options, kind, message) -> None:
    with pytest.raises(kind, match=message):
        amsx.adaptive_sample(feats, cas, **options)


@pytest.mark.parametrize("value", [NAN, INF, -0.1])
def test_weights_of_ones_own(value: float) -> None:
    weights = with_value(torch.ones(2, 5), (1, 3), value)
    with pytest.raises(ValueError, match=r"weights holds a NaN, infinite or negative value.* video 1"):
        amsx.sampling_timestamps(weights)
    amsx.sampling_timestamps(weights, lengths=torch.tensor([5, 3]))  # in the padding it does not matter


def test_weights_that_vanish() -> None:
    with pytest.raises(ValueError, match=r"weights of video 1 all vanish"):
        amsx.sampling_timestamps(torch.tensor([[0.0, 1.0], [0.0, 0.0]]))


def test_timestamps() -> None:
    with pytest.raises(ValueError, match="timestamps of video 0 decrease"):
        amsx.align_cas(torch.rand(1, 3, 2), torch.tensor([[0.0, 2.0, 1.0]]))
    with pytest.raises(ValueError, match="timestamps of video 0 decrease or hold a NaN"):
        amsx.gather(torch.rand(1, 3, 2), torch.tensor([[NAN, 2.0, 2.0]]))
    with pytest.raises(ValueError, match=re.escape("cas has shape (1, 3, 2) and timestamps (1, 4); expected")):
        amsx.align_cas(torch.rand(1, 3, 2), torch.rand(1, 4))
    with pytest.raises(TypeError, match=r"timestamps has dtype torch.float16; expected float32 or float64"):
        amsx.align_cas(torch.rand(1, 3, 2), torch.rand(1, 3).half())


def test_what_is_not_an_error() -> None:
    nan_elsewhere = with_value(M, (0, 0, 3), NAN)
    labels = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]])
    amsx.adaptive_sample(X, nan_elsewhere, labels=labels)  # the channel is not kept
    assert amsx.adaptive_sample(X[:0], M[:0]).feats.shape == (0, 6, 3)
    assert amsx.adaptive_sample(X[:0], M[:0, :, 0]).feats.shape == (0, 6, 3)
    assert amsx.sampling_timestamps(torch.ones(0, 6)).shape == (0, 6)
    one = amsx.adaptive_sample(X[:, :1], M[:, :1], eta=0, mode="continuous")  # a single snippet has nothing to weigh
    assert torch.equal(one.timestamps, torch.zeros(2, 1))
    no_action = amsx.adaptive_sample(X, M, labels=torch.zeros(2, 4), eta=0, mode="continuous")
    assert torch.equal(no_action.timestamps, torch.arange(6.0).repeat(2, 1))
