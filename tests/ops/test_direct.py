"""Calls that go past PyTorch's dispatcher: only where nothing could intervene, and with the same outcome."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

import amsx
from amsx.ops import backends, direct, native, registration

pytestmark = pytest.mark.skipif(not direct._KNOWS_KEYS, reason="this torch cannot compare sets of dispatch keys")

FEATS, CAS = torch.randn(2, 6, 3), torch.rand(2, 6, 4)
LABELS, LENGTHS = torch.tensor([[True, False, True, True]] * 2), torch.tensor([6, 4])
OPS = torch.ops.amsx


class Functions(TorchFunctionMode):
    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return function(*args, **(kwargs or {}))


class Recorded(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.ops: list[str] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.ops.append(str(function))
        return function(*args, **(kwargs or {}))


class Subclass(Tensor):
    pass


def negated() -> Tensor:
    """-CAS - 1 behind the bit that stands for a negation that has not been computed."""
    lazy = torch.complex(torch.zeros(2, 6, 4), CAS + 1).conj().imag
    assert lazy.is_neg()
    return lazy


def test_plain_tensors() -> None:
    for cas in (CAS, torch.nn.Parameter(CAS), CAS.expand(2, 6, 4).transpose(0, 1).transpose(0, 1)):
        assert direct.is_possible((FEATS, cas, LABELS, None))
    with torch.inference_mode():
        assert direct.is_possible((FEATS, CAS.clone(), None))
    with torch.no_grad(), torch.autocast("cpu"):
        assert direct.is_possible((FEATS, CAS))


@pytest.mark.parametrize("mode", [Functions, Recorded, torch.profiler.profile, lambda: torch.device("meta")])
def test_a_mode_may_intervene(mode: Callable[[], AbstractContextManager[Any]]) -> None:
    with mode():
        assert not direct.is_possible((FEATS, CAS))
    assert direct.is_possible((FEATS, CAS))


def test_a_transform_or_tracing_may_intervene() -> None:
    seen = []

    def f(x: Tensor) -> Tensor:
        seen.append(direct.is_possible((x,)) or direct.is_possible((FEATS,)))
        return x * 2

    torch.func.vmap(f)(FEATS)
    torch.func.grad(lambda x: f(x).sum())(FEATS)
    torch.jit.trace(f, (FEATS,), check_trace=False)
    assert seen == [False, False, False]


@pytest.mark.parametrize(
    "x",
    [FEATS.as_subclass(Subclass), negated(), FEATS.to("meta"), FEATS.to_sparse(), torch.zeros(2).to_mkldnn(), 1.5],
    ids=["subclass", "negated", "meta", "sparse", "mkldnn", "number"],
)
def test_what_is_no_plain_tensor(x: Any) -> None:
    assert not direct.is_possible((FEATS, x))


def test_a_negation_that_waits_is_computed() -> None:
    expected = amsx.adaptive_sample(FEATS, negated().resolve_neg())
    assert torch.equal(amsx.adaptive_sample(FEATS, negated()).timestamps, expected.timestamps)


def test_modes_and_profilers_see_the_ops() -> None:
    with Recorded() as recorded:
        amsx.adaptive_sample(FEATS, CAS)
    assert "amsx.adaptive_sample.default" in recorded.ops
    with torch.profiler.profile() as profile:
        amsx.adaptive_sample(FEATS, CAS)
    assert any(event.key == "amsx::adaptive_sample" for event in profile.key_averages())


@pytest.mark.parametrize("labels", [None, LABELS, LABELS.t().contiguous().t()])
@pytest.mark.parametrize("lengths", [None, LENGTHS, torch.tensor([6, 1, 4])[::2]])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_same_bits_and_gradients(labels: Tensor | None, lengths: Tensor | None, dtype: torch.dtype) -> None:
    results = []
    for op in (registration.adaptive_sample, OPS.adaptive_sample.default):
        for feats in (FEATS.to(dtype), FEATS.to(dtype).transpose(1, 2).contiguous().transpose(1, 2)):
            x, cas = feats.clone().requires_grad_(), CAS.to(dtype, copy=True).requires_grad_()
            sampled, timestamps = op(x, cas, labels, lengths, 0.75, False, 0)
            results.append((sampled, timestamps, *torch.autograd.grad(sampled.sum() + timestamps.sum(), (x, cas))))
    for result in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(result, results[0], strict=True))


@pytest.mark.parametrize(
    ("feats", "cas", "labels", "lengths", "eta", "factor"),
    [
        (FEATS[0], CAS, None, None, 0.75, 20),
        (FEATS, CAS[:, :5], None, None, 0.75, 20),
        (FEATS, CAS[:1], None, None, 0.75, 20),
        (FEATS[:, :, ::2], CAS, None, None, 0.75, 20),
        (FEATS.long(), CAS, None, None, 0.75, 20),
        (FEATS, CAS.to("meta"), None, None, 0.75, 20),
        (FEATS, CAS[:, :, :0], None, None, 0.75, 20),
        (FEATS, CAS, LABELS[:1], None, 0.75, 20),
        (FEATS, CAS, LABELS.int(), None, 0.75, 20),
        (FEATS, CAS, LABELS.t().contiguous().t(), None, 0.75, 20),
        (FEATS, CAS, None, LENGTHS[:1], 0.75, 20),
        (FEATS, CAS, None, LENGTHS.int(), 0.75, 20),
        (FEATS, CAS, None, LENGTHS[:, None], 0.75, 20),
        (FEATS, CAS, None, None, -0.5, 20),
        (FEATS, CAS, None, None, float("nan"), 20),
        (FEATS, CAS, None, None, 1e39, 20),
        (FEATS, CAS, None, None, 0.75, -1),
        (FEATS, CAS, None, None, 0.75, 1025),
    ],
)
def test_the_core_takes_only_what_fits(
    feats: Tensor, cas: Tensor, labels: Tensor | None, lengths: Tensor | None, eta: float, factor: int
) -> None:
    out, timestamps = torch.empty(2, 6, 3), torch.empty(2, 6)
    assert native.sampled_at_once((FEATS, CAS, None, None), 0.75, False, 20, out, timestamps)
    out.fill_(7)
    assert not native.sampled_at_once((feats, cas, labels, lengths), eta, False, factor, out, timestamps)
    assert (out == 7).all()


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"labels": LABELS, "lengths": LENGTHS, "eta": 0.5},
        {"aggregate": "mean", "interp_factor": 3},
        {"mode": "continuous"},
        {"eta": 1, "interp_factor": np.int64(7)},
        {"labels": LABELS.float(), "lengths": [6, 4]},
    ],
)
def test_arguments_that_the_core_checks_by_itself(monkeypatch: pytest.MonkeyPatch, given: dict[str, Any]) -> None:
    at_once = amsx.adaptive_sample(FEATS, CAS, **given)
    monkeypatch.setattr(registration, "sample_at_once", lambda *inputs: None)
    one_by_one = amsx.adaptive_sample(FEATS, CAS, **given)
    assert torch.equal(at_once.feats, one_by_one.feats)
    assert torch.equal(at_once.timestamps, one_by_one.timestamps)


@pytest.mark.parametrize(
    "wrong",
    [
        {"interp_factor": 0},
        {"interp_factor": True},
        {"interp_factor": 1025, "mode": "continuous"},
        {"mode": "Grid"},
        {"mode": ["grid"]},
        {"aggregate": "sum"},
        {"aggregate": None},
        {"eta": True},
        {"eta": "0.75"},
        {"eta": float("nan")},
        {"labels": LABELS[:1]},
        {"lengths": torch.tensor([6, 7])},
    ],
)
def test_arguments_that_are_wrong_beside_plain_tensors(monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)) as at_once:
        amsx.adaptive_sample(FEATS, CAS, **wrong)
    monkeypatch.setattr(registration, "sample_at_once", lambda *inputs: None)
    with pytest.raises(type(at_once.value)) as one_by_one:
        amsx.adaptive_sample(FEATS, CAS, **wrong)
    assert str(at_once.value) == str(one_by_one.value)
    assert next(iter(wrong)) in str(one_by_one.value)


def test_a_gradient_needs_more_than_the_core(monkeypatch: pytest.MonkeyPatch) -> None:
    more = (None, None, 0.75, False, 20)
    assert registration.sample_at_once(FEATS, CAS, *more) is not None
    for inputs in ((FEATS.clone().requires_grad_(), CAS), (FEATS, CAS.clone().requires_grad_())):
        assert registration.sample_at_once(*inputs, *more) is None
        with torch.no_grad():
            assert registration.sample_at_once(*inputs, *more) is not None
    monkeypatch.setattr(backends, "is_native", lambda device: False)
    assert registration.sample_at_once(FEATS, CAS, *more) is None


def test_the_core_wants_tensors() -> None:
    core = native._core()
    assert core.adaptive_sample_of((FEATS, CAS), 0.75, False, 20, (0, 0), 1) == -1
    with pytest.raises(AttributeError):
        core.adaptive_sample_of((1, CAS, None, None), 0.75, False, 20, (0, 0), 1)
    with pytest.raises(ValueError, match="expected 6 dtypes"):
        core.know_dtypes((torch.float32,))
