"""What `torch.ops.amsx` makes of arguments that no public function passes: an error, or the result of right ones."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ops.test_torch_integration import OP_CALLS, op_calls
from torch import Tensor

OPS = torch.ops.amsx
REFUSALS = (
    TypeError,
    ValueError,
    NotImplementedError,
    RuntimeError,
)  # the last from torch itself, as for sparse tensors
X, T, M = torch.randn(2, 6, 3), torch.arange(6.0).repeat(2, 1), torch.rand(2, 6, 4)
N, L = torch.tensor([6, 4]), torch.ones(2, 4, dtype=torch.bool)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: OPS.gather(X, T[:, :5], None), ValueError, r"feats has shape \(2, 6, 3\) and timestamps \(2, 5\)"),
        (lambda: OPS.gather(X, T[:1], None), ValueError, r"timestamps \(1, 6\)"),
        (lambda: OPS.gather(X, T.half(), None), TypeError, "timestamps has dtype torch.float16"),
        (lambda: OPS.gather(X.int(), T, None), TypeError, "feats has dtype torch.int32"),
        (lambda: OPS.gather(X[0], T, None), ValueError, r"feats has shape \(6, 3\); expected \(B, T, D\)"),
        (lambda: OPS.gather(X[:, :0], T[:, :0], None), ValueError, r"\(2, 0, 3\); expected at least one snippet"),
        (lambda: OPS.gather(X, T, N[:1]), ValueError, r"lengths has shape \(1,\); expected \(2,\)"),
        (lambda: OPS.gather(X, T, N.int()), TypeError, "lengths has dtype torch.int32"),
        (lambda: OPS.gather(X, T, N + 1), ValueError, r"lengths\[0\] is outside 1\.\.6"),
        (lambda: OPS.gather_backward_timestamps(X[:, :5], X, T, None), ValueError, r"grad has shape \(2, 5, 3\)"),
        (lambda: OPS.align_cas_backward_timestamps(X.half(), X, T, None), TypeError, "grad has dtype torch.float16"),
        (lambda: OPS.sampling_weights(M[:, :0], None, None, 0.5, False), ValueError, r"cas has shape \(2, 0, 4\)"),
        (lambda: OPS.sampling_weights(M[..., :0], None, None, 0.5, False), ValueError, r"cas has shape \(2, 6, 0\)"),
        (lambda: OPS.sampling_weights(M, L[:, :3], None, 0.5, False), ValueError, r"labels has shape \(2, 3\)"),
        (lambda: OPS.sampling_weights(M, L[:1], None, 0.5, False), ValueError, r"labels has shape \(1, 4\)"),
        (lambda: OPS.sampling_weights(M, L.float(), None, 0.5, False), TypeError, "labels has dtype torch.float32"),
        (lambda: OPS.sampling_weights(M, None, None, -1.0, False), ValueError, r"eta is -1\.0"),
        (lambda: OPS.sampling_weights_backward(T[:, :4], M, None, None, False), ValueError, r"grad has shape \(2, 4\)"),
        (lambda: OPS.sampling_weights_backward(T.double(), M, None, None, False), TypeError, "grad has dtype"),
        (lambda: OPS.sampling_timestamps(T.half(), None, 20), TypeError, "weights has dtype torch.float16"),
        (lambda: OPS.sampling_timestamps(T + 1, None, 1 << 40), ValueError, "interp_factor is 1099511627776"),
        (lambda: OPS.sampling_timestamps(T + 1, None, -1), ValueError, "interp_factor is -1"),
        (lambda: OPS.sampling_timestamps_backward(T, T, T.double(), None), TypeError, "timestamps has dtype"),
        (lambda: OPS.adaptive_sample(X, M[:, :5], None, None, 0.5, False, 20), ValueError, "expected the same B and T"),
        (
            lambda: OPS.adaptive_sample(X, M.to("meta"), None, None, 0.5, False, 20),
            ValueError,
            "cas is on meta but feats",
        ),
        (
            lambda: OPS.adaptive_sample(X, M, None, N.to("meta"), 0.5, False, 20),
            ValueError,
            "lengths is on meta but cas",
        ),
        (lambda: OPS.gather(X.to_sparse(), T, None), TypeError, "feats is torch.sparse_coo"),
        (lambda: OPS.gather(X.to("meta"), T[:, :5].to("meta"), None), ValueError, r"timestamps \(2, 5\)"),
    ],
)
def test_wrong_arguments(call: Callable[[], object], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call()


# A tensor of another shape, dtype, layout or of other values.
WAYS: dict[str, Callable[[Tensor], Tensor]] = {
    "shorter": lambda x: x[..., :-1],
    "longer": lambda x: torch.cat([x, x], dim=-1),
    "less": lambda x: x[:1],
    "more": lambda x: torch.cat([x, x]),
    "empty": lambda x: x[..., :0],
    "no videos": lambda x: x[:0],
    "flat": lambda x: x.reshape(-1),
    "deeper": lambda x: x[None],
    "scalar": lambda x: x.reshape(-1)[0],
    "expanded": lambda x: x.reshape(-1)[:1].expand(x.shape),
    "transposed": lambda x: x.transpose(0, -1).contiguous().transpose(0, -1),
    "overlapping": lambda x: torch.as_strided(x, x.shape, (1,) * x.ndim),
    "sliced": lambda x: torch.stack([x, x], dim=-1)[..., 1],
    "offset": lambda x: torch.cat([x.reshape(-1)[:1], x.reshape(-1)])[1:].view(x.shape),
    "negative view": lambda x: torch._neg_view(x) if x.dtype.is_floating_point else x,
    "conjugate view": lambda x: torch.complex(x.float(), x.float()).conj().imag,
    "float16": lambda x: x.half(),
    "float64": lambda x: x.double(),
    "int64": lambda x: x.long(),
    "complex": lambda x: x.to(torch.complex64),
    "bool": lambda x: x != 0,
    "sparse": lambda x: x.to_sparse(),
    "quantized": lambda x: torch.quantize_per_tensor(x.float(), 0.1, 0, torch.qint8),
    "meta": lambda x: x.to("meta"),
    "parameter": lambda x: torch.nn.Parameter(x.detach(), requires_grad=False),
    "NaN": lambda x: x * float("nan") if x.dtype.is_floating_point else x,
    "huge": lambda x: x + 2**40 if x.dtype != torch.bool else x,
    "negative": lambda x: -x - 5 if x.dtype != torch.bool else x,
    "reversed": lambda x: x.flip(-1),
}


@given(st.integers(0, OP_CALLS - 1), st.lists(st.tuples(st.integers(0, 6), st.sampled_from(sorted(WAYS))), max_size=3))
@settings(max_examples=250)
def test_any_arguments(index: int, changes: list[tuple[int, str]]) -> None:
    """Nothing is read or written beyond the tensors (an address sanitizer would tell), and results fit the inputs."""
    op, arguments = op_calls()[index]
    inputs: list[Any] = [x.detach() if isinstance(x, Tensor) else x for x in arguments]
    for at, how in changes:
        if at < len(inputs) and isinstance(inputs[at], Tensor):
            try:
                inputs[at] = WAYS[how](inputs[at])
            except (RuntimeError, NotImplementedError, IndexError):
                return  # torch has no such tensor
    try:
        result = op(*inputs)
    except REFUSALS:
        return
    meta = op(*(x.detach().to("meta") if isinstance(x, Tensor) else x for x in inputs))
    for real, fake in zip(*((x,) if isinstance(x, Tensor) else x for x in (result, meta)), strict=True):
        assert (real.shape, real.dtype) == (fake.shape, fake.dtype)


@pytest.mark.parametrize("index", range(OP_CALLS))
@pytest.mark.parametrize("how", ["expanded", "transposed", "sliced", "offset", "negative view", "parameter"])
def test_other_layouts_give_the_same(index: int, how: str) -> None:
    op, arguments = op_calls()[index]
    for at, x in enumerate(arguments):
        if not isinstance(x, Tensor) or x.dtype == torch.int64:
            continue
        name = op._schema.arguments[at].name
        if how == "expanded" and name in ("timestamps", "weights", "cas"):
            continue  # these values matter beside each other
        laid = WAYS[how](x.detach())
        if name in ("timestamps", "weights", "cas") and how == "negative view":
            laid = torch._neg_view(-x.detach())
        plain = laid.resolve_neg().clone(memory_format=torch.contiguous_format)
        results = (op(*(y if i == at else z for i, z in enumerate(arguments))) for y in (laid, plain))
        for a, b in zip(*((r,) if isinstance(r, Tensor) else r for r in results), strict=True):
            assert torch.equal(a, b)
