"""The ops under torch's transforms: torch.func, torch.vmap, torch.compile with numbers that change, DTensor."""

import os
import socket
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from ops import test_torch_integration
from torch import Tensor
from torch.multiprocessing.spawn import spawn

import amsx
from amsx.ops import checks

OPS = torch.ops.amsx


def batch(B: int = 2, T: int = 5, D: int = 3, C: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(B)
    feats = torch.randn(B, T, D, generator=generator, dtype=torch.float64)
    cas = torch.rand(B, T, C, generator=generator, dtype=torch.float64)
    return feats, cas, torch.randint(1, T + 1, (B,), generator=generator)


def all_ops(feats: Tensor, cas: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Features, timestamps and alignment in continuous mode, as one number."""
    sampled = amsx.adaptive_sample(feats, cas, lengths=lengths, mode="continuous")
    aligned = amsx.align_cas(cas * sampled.feats.sum(), sampled.timestamps, lengths)
    return sampled.feats.square().sum() + aligned.square().sum() + sampled.timestamps.square().sum()


# ---- torch.func


def test_func_grad() -> None:
    feats, cas, lengths = batch()
    expected = torch.autograd.grad(all_ops(feats.requires_grad_(), cas.requires_grad_(), lengths), (feats, cas))
    actual = torch.func.grad(all_ops, argnums=(0, 1))(feats.detach(), cas.detach(), lengths)
    for a, b in zip(actual, expected, strict=True):
        torch.testing.assert_close(a, b)


def test_vjp_and_jacrev() -> None:
    feats, cas, lengths = batch()

    def op(x: Tensor) -> Tensor:
        return amsx.adaptive_sample(x, cas, lengths=lengths).feats

    expected = torch.autograd.functional.jacobian(op, feats)
    torch.testing.assert_close(torch.func.jacrev(op)(feats), expected)
    pulled: Any = torch.func.vjp(op, feats)  # torch's types know three results
    output, pull = pulled
    torch.testing.assert_close(pull(output)[0], torch.tensordot(output, expected, dims=3))

    def through_weights(c: Tensor) -> Tensor:
        return amsx.sampling_timestamps(amsx.sampling_weights(c), mode="continuous")

    torch.testing.assert_close(
        torch.func.jacrev(through_weights)(cas), torch.autograd.functional.jacobian(through_weights, cas)
    )


def test_gradients_of_every_video_at_once() -> None:
    feats, cas, lengths = batch(B=4)
    per_video = torch.func.vmap(torch.func.grad(all_ops, argnums=(0, 1)))(
        feats[:, None], cas[:, None], lengths[:, None]
    )
    for i in range(4):
        inputs = feats[i : i + 1].clone().requires_grad_(), cas[i : i + 1].clone().requires_grad_()
        expected = torch.autograd.grad(all_ops(*inputs, lengths[i : i + 1]), inputs)
        for a, b in zip(per_video, expected, strict=True):
            torch.testing.assert_close(a[i], b)


def test_second_derivatives() -> None:
    feats, cas, _ = batch()

    def cubes(x: Tensor) -> Tensor:
        return amsx.adaptive_sample(x, cas).feats.pow(3).sum()

    with pytest.raises(NotImplementedError, match="forward-mode"):
        torch.func.hessian(cubes)(feats)  # jacfwd of jacrev
    twice = torch.func.jacrev(torch.func.jacrev(cubes))(feats)
    torch.testing.assert_close(twice, torch.autograd.functional.hessian(cubes, feats))
    with pytest.raises(NotImplementedError, match="no second derivative through timestamps"):
        torch.func.grad(lambda c: torch.func.grad(lambda d: all_ops(feats, d))(c).sum())(cas)


def test_forward_mode_is_refused_by_the_registered_ops() -> None:
    feats, cas, _ = batch()
    timestamps = amsx.adaptive_sample(feats, cas).timestamps
    for op in (OPS.gather, OPS.align_cas, OPS.gather_backward):
        with pytest.raises(NotImplementedError, match=r"(feats|cas|grad) carries a forward-mode tangent"):
            torch.func.jvp(lambda x: op(x, timestamps, None), (feats,), (feats,))  # noqa: B023


# ---- torch.vmap


@pytest.mark.parametrize("index", range(test_torch_integration.OP_CALLS))
def test_vmap_is_a_loop(index: int, recwarn: pytest.WarningsRecorder) -> None:
    """Over every input at once, and over one alone."""
    op, arguments = test_torch_integration.op_calls()[index]
    arguments = tuple(x.detach() if isinstance(x, Tensor) else x for x in arguments)
    tensors = [i for i, x in enumerate(arguments) if isinstance(x, Tensor)]
    for mapped in (tensors, tensors[:1]):
        stacked = [torch.stack([x, x.flip(0)], dim=1) if i in mapped else x for i, x in enumerate(arguments)]
        in_dims = tuple(1 if i in mapped else None for i in range(len(arguments)))
        result = torch.func.vmap(op, in_dims=in_dims)(*stacked)
        for k in range(2):
            expected = op(*(x[:, k] if i in mapped else x for i, x in enumerate(stacked)))
            for a, b in zip(outputs(result), outputs(expected), strict=True):
                assert torch.equal(a[k], b)


def outputs(result: Any) -> tuple[Tensor, ...]:
    return (result,) if isinstance(result, Tensor) else result


def test_vmap_of_single_videos_and_of_none() -> None:
    feats, cas, _ = batch()
    expected = amsx.adaptive_sample(feats, cas)
    sampled = torch.func.vmap(lambda x, c: amsx.adaptive_sample(x, c))(feats, cas)
    assert torch.equal(sampled.feats, expected.feats)
    none = torch.func.vmap(lambda x, c: amsx.adaptive_sample(x, c).feats)(feats[:, None][:, :0], cas[:, None][:, :0])
    assert none.shape == (2, 0, 5, 3)


# ---- torch.compile


def compilations(function: Callable[..., Any], calls: list[tuple[Any, ...]]) -> int:
    """How many graphs are compiled for all calls, whose results must be those of `function`."""
    graphs = 0

    def backend(graph: torch.fx.GraphModule, inputs: Any) -> Any:
        nonlocal graphs
        graphs += 1
        return graph.forward

    torch._dynamo.reset()
    compiled = torch.compile(function, fullgraph=True, backend=backend)
    for inputs in calls:
        torch.testing.assert_close(compiled(*inputs), function(*inputs), rtol=0, atol=0)
    return graphs


@pytest.mark.skipif(not checks._NUMBERS_VARY, reason="before torch 2.6 a graph holds each number")
def test_eta_and_interp_factor_change_without_compiling_anew() -> None:
    feats, cas, _ = batch()

    def sample(eta: Any, factor: int) -> tuple[Tensor, Tensor]:
        return amsx.adaptive_sample(feats, cas, eta=eta, interp_factor=factor)

    def weigh(eta: float) -> Tensor:
        return amsx.sampling_weights(cas, eta=eta)

    assert compilations(sample, [(0.1 + 0.05 * i, 20) for i in range(25)]) <= 2
    assert compilations(sample, [(0.5, 2 + i) for i in range(25)]) <= 2
    assert compilations(sample, [(torch.tensor(0.1 + 0.05 * i), 20) for i in range(25)]) == 1
    assert compilations(weigh, [(0.1 + 0.05 * i,) for i in range(25)]) <= 2


def test_gradients_where_eta_changes() -> None:
    feats, cas, _ = batch()

    def gradient(eta: float) -> Tensor:
        c = cas.clone().requires_grad_()
        return torch.autograd.grad(amsx.adaptive_sample(feats, c, eta=eta, mode="continuous").feats.sum(), c)[0]

    torch._dynamo.reset()
    sample = torch.compile(
        lambda c, eta: amsx.adaptive_sample(feats, c, eta=eta, mode="continuous").feats,
        backend="aot_eager",
        fullgraph=True,
    )
    for eta in (0.2, 0.3, 0.4, 0.9):
        c = cas.clone().requires_grad_()
        torch.testing.assert_close(torch.autograd.grad(sample(c, eta).sum(), c)[0], gradient(eta))


def test_bad_numbers_in_a_compiled_function() -> None:
    _, cas, _ = batch()
    with pytest.raises(ValueError, match=r"eta is -1\.0; expected a finite number"):
        OPS.sampling_weights.tensor_eta(cas, None, None, torch.tensor(-1.0), False)
    with pytest.raises(ValueError, match=r"eta has shape \(2,\); expected one number"):
        OPS.sampling_weights.tensor_eta(cas, None, None, torch.ones(2), False)


def test_dynamic_batch_and_time() -> None:
    def model(feats: Tensor, cas: Tensor) -> Tensor:
        sampled = amsx.adaptive_sample(feats, cas)
        return amsx.align_cas(cas, sampled.timestamps)

    sizes = [(2, 5), (3, 7), (4, 11), (5, 6), (6, 19), (7, 8), (8, 9), (9, 4), (10, 3), (11, 12)]
    calls = [tuple(x for x in batch(B=B, T=T)[:2]) for B, T in sizes]
    assert compilations(model, calls) <= 3


@pytest.mark.parametrize("form", ["list", "mask"])
def test_lengths_in_a_compiled_function(form: str) -> None:
    feats, cas, _ = batch()
    mask = torch.arange(5) < torch.tensor([[5], [3]])
    lengths: Any = mask if form == "mask" else [5, 3]
    assert compilations(lambda n: amsx.adaptive_sample(feats, cas, lengths=n).feats, [(lengths,)]) == 1


# ---- DTensor


def sharded(rank: int, port: int, folder: str) -> None:
    """What each of two processes does: all ops on a batch that is split between them, against the whole."""
    import torch.distributed as dist
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Shard, distribute_tensor

    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=2)
    mesh = init_device_mesh("cpu", (2,))
    feats, cas, lengths = batch(B=3)
    whole = [feats.clone().requires_grad_(), cas.clone().requires_grad_()]
    split = [distribute_tensor(x, mesh, [Shard(0)]).requires_grad_() for x in (feats, cas)]
    results = []
    for (x, c), n in ((whole, lengths), (split, distribute_tensor(lengths, mesh, [Shard(0)]))):
        sampled = amsx.adaptive_sample(x, c, lengths=n, mode="continuous")
        aligned = amsx.align_cas(c, sampled.timestamps, n)
        loss = sampled.feats.square().sum() + aligned.square().sum()
        results.append([sampled.feats, sampled.timestamps, aligned, *torch.autograd.grad(loss, (x, c))])
    for a, b in zip(*results, strict=True):
        assert b.placements == (Shard(0),)
        torch.testing.assert_close(b.full_tensor(), a)
    dist.destroy_process_group()
    np.save(os.path.join(folder, f"{rank}.npy"), np.ones(1))  # whoever got here agrees


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch was built without distributed")
def test_dtensor_sharded_on_the_batch(tmp_path: Any) -> None:
    pytest.importorskip("torch.distributed.tensor.experimental", reason="DTensor takes ops of others from torch 2.6 on")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    spawn(sharded, args=(port, str(tmp_path)), nprocs=2)
    assert len(list(tmp_path.iterdir())) == 2
