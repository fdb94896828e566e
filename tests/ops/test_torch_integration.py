"""The ops inside torch: opcheck, torch.compile, torch.export, autocast, DataLoader workers, one OpenMP runtime."""

import subprocess
import sys
import tempfile

import pytest
import torch
from torch.library import opcheck

import amsx

OPS = torch.ops.amsx
OP_CALLS = 16  # what op_calls() has, for those who number their tests before it can be called


def tensors() -> tuple[torch.Tensor, ...]:
    torch.manual_seed(0)
    feats = torch.randn(2, 7, 5, requires_grad=True)
    cas = torch.rand(2, 7, 3, requires_grad=True)
    weights = (torch.rand(2, 7) + 0.1).requires_grad_()
    timestamps = amsx.sampling_timestamps(weights.detach(), mode="continuous")
    labels = torch.tensor([[True, False, True], [False, False, False]])
    return feats, cas, weights, timestamps, labels, torch.tensor([7, 4])


def op_calls() -> list[tuple[torch._ops.OpOverload, tuple]]:
    feats, cas, weights, timestamps, labels, lengths = tensors()
    moving = timestamps.clone().requires_grad_()
    grad, grad_t = torch.randn(2, 7, 5), torch.randn(2, 7)
    return [
        (OPS.sampling_weights.default, (cas, labels, lengths, 0.75, False)),
        (OPS.sampling_weights.default, (cas, None, None, 0.75, True)),
        (OPS.sampling_timestamps.default, (weights, lengths, 0)),
        (OPS.sampling_timestamps.default, (weights.detach(), None, 20)),
        (OPS.adaptive_sample.default, (feats, cas, labels, lengths, 0.75, False, 0)),
        (OPS.adaptive_sample.default, (feats, cas.detach(), None, None, 0.75, False, 20)),
        (OPS.gather.default, (feats, timestamps, lengths)),
        (OPS.gather.default, (feats, moving, None)),
        (OPS.align_cas.default, (cas, timestamps, lengths)),
        (OPS.align_cas.default, (cas, moving, lengths)),
        (OPS.sampling_weights_backward.default, (grad_t, cas.detach(), labels, lengths, False)),
        (OPS.sampling_timestamps_backward.default, (grad_t, weights.detach(), timestamps, lengths)),
        (OPS.gather_backward.default, (grad, timestamps, lengths)),
        (OPS.gather_backward_timestamps.default, (grad, feats.detach(), timestamps, lengths)),
        (OPS.align_cas_backward.default, (grad, timestamps, lengths)),
        (OPS.align_cas_backward_timestamps.default, (grad, feats.detach(), timestamps, lengths)),
    ]


def test_every_op_is_checked() -> None:
    calls = op_calls()
    assert len(calls) == OP_CALLS
    assert {op.name() for op, _ in calls} == {
        schema.name for schema in torch._C._jit_get_all_schemas() if schema.name.startswith("amsx::")
    }


@pytest.mark.parametrize("index", range(OP_CALLS))
def test_opcheck(index: int) -> None:
    op, arguments = op_calls()[index]
    opcheck(op, arguments)


def test_without_a_gradient_the_values_are_the_same() -> None:
    feats, cas, _, _, labels, lengths = tensors()
    for mode in ("grid", "continuous"):
        expected = amsx.adaptive_sample(feats, cas, labels=labels, lengths=lengths, mode=mode)
        assert expected.feats.requires_grad
        with torch.no_grad():
            sampled = amsx.adaptive_sample(feats, cas, labels=labels, lengths=lengths, mode=mode)
        assert not sampled.feats.requires_grad
        assert torch.equal(sampled.feats, expected.feats)
        assert torch.equal(sampled.timestamps, expected.timestamps)


def model(feats: torch.Tensor, cas: torch.Tensor, labels: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    sampled = amsx.adaptive_sample(feats, cas, labels=labels, lengths=lengths, mode="continuous")
    return amsx.align_cas(torch.tanh(sampled.feats), sampled.timestamps, lengths).square().sum()


def test_compile_without_graph_breaks() -> None:
    feats, cas, _, _, labels, lengths = tensors()
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    expected = torch.autograd.grad(model(feats, cas, labels, lengths), (feats, cas))
    actual = torch.autograd.grad(compiled(feats, cas, labels, lengths), (feats, cas))
    for a, b in zip(actual, expected, strict=True):
        torch.testing.assert_close(a, b)


def test_export() -> None:
    class Sampler(torch.nn.Module):
        def forward(self, feats: torch.Tensor, cas: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
            sampled = amsx.adaptive_sample(feats, cas, lengths=lengths)
            return amsx.align_cas(sampled.feats, sampled.timestamps, lengths)

    feats, cas, _, _, _, lengths = tensors()
    inputs = (feats.detach(), cas.detach(), lengths)
    T = torch.export.Dim("T", min=2, max=4096)
    program = torch.export.export(Sampler(), inputs, dynamic_shapes=({1: T}, {1: T}, None))
    torch.testing.assert_close(program.module()(*inputs), Sampler()(*inputs))
    longer = (torch.randn(2, 11, 5), torch.rand(2, 11, 3), torch.tensor([11, 3]))
    torch.testing.assert_close(program.module()(*longer), Sampler()(*longer))


def test_meta_tensors_give_shapes() -> None:
    sampled = amsx.adaptive_sample(torch.empty(2, 7, 5, device="meta"), torch.empty(2, 7, 3, device="meta"))
    assert sampled.feats.shape == (2, 7, 5)
    assert sampled.timestamps.shape == (2, 7)


def run_python(code: str) -> str:
    # In a folder without a source tree, which `python -c` would import instead of the installed package.
    with tempfile.TemporaryDirectory() as empty:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, cwd=empty)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc/self/maps")
def test_one_openmp_runtime_in_the_process() -> None:
    code = (
        "import amsx, torch\n"
        "amsx.gather(torch.randn(8, 500, 64), torch.arange(500.).repeat(8, 1))\n"
        "print(*{l.split()[-1] for l in open('/proc/self/maps') if 'omp' in l.split()[-1].rsplit('/')[-1]})\n"
    )
    assert len(run_python(code).split()) <= 1


@pytest.mark.skipif(not hasattr(sys, "getdlopenflags"), reason="needs fork")
def test_workers_forked_after_a_parallel_region() -> None:
    code = (
        "import amsx, torch\n"
        "from torch.utils.data import DataLoader, Dataset\n"
        "torch.set_num_threads(2)\n"
        "x, t = torch.randn(8, 500, 64), torch.arange(500.).repeat(8, 1)\n"
        "amsx.gather(x, t)\n"
        "class D(Dataset):\n"
        "    def __len__(self): return 4\n"
        "    def __getitem__(self, i): return amsx.gather(x, t)\n"
        "print(sum(len(b) for b in DataLoader(D(), num_workers=2, multiprocessing_context='fork')))\n"
    )
    assert run_python(code).strip() == "4"


def test_import_order_does_not_matter() -> None:
    assert run_python("import amsx.ops.native, torch; print(torch.ops.amsx is not None)").strip() == "True"


def test_nothing_larger_than_outputs_is_allocated() -> None:
    resource = pytest.importorskip("resource")
    del resource
    code = (
        "import resource, torch, amsx\n"
        "x, c = torch.randn(8, 1000, 1024), torch.rand(8, 1000, 20)\n"
        "amsx.adaptive_sample(x[:, :10], c[:, :10])\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "out = amsx.adaptive_sample(x, c)\n"
        "after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print((after - before) * 1024 / (x.numel() * 4))\n"
    )
    # The output is as large as the input; the literal up-sampling would take twenty times that.
    assert float(run_python(code)) < 1.2
