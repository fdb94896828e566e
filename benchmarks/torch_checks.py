"""Checks of the ops inside torch on a device: graphs, streams, compilation, autocast, other devices, PTX alone."""

import importlib.util

import torch
from torch import Tensor

import amsx
from benchmarks.comparing import Place, expect_close, expect_same_bits, random_batch
from benchmarks.stages import AbsentError

OPS = torch.ops.amsx
REPEATS = 100


def model(feats: Tensor, cas: Tensor) -> tuple[Tensor, Tensor]:
    """Sampling and alignment, as a network has them."""
    sampled = amsx.adaptive_sample(feats, cas, mode="continuous")
    return sampled.feats, amsx.align_cas(cas, sampled.timestamps)


def step(function: object, feats: Tensor, cas: Tensor) -> list[Tensor]:
    """What `model`, or a compiled one, gives and the gradients to both inputs."""
    x, c = (y.detach().clone().requires_grad_() for y in (feats, cas))
    outputs = function(x, c)  # type: ignore[operator]
    gradients = torch.autograd.grad(outputs, (x, c), [torch.ones_like(y) for y in outputs])
    return [y.detach().clone() for y in (*outputs, *gradients)]


def first_launch_in_a_capture(place: Place) -> dict[str, object]:
    """The first call ever is inside the capture of a CUDA graph. Needs a process of its own."""
    feats, cas = random_batch(2, place.size(2200, 30), 64, 20, torch.float32)
    grad = torch.ones_like(feats)
    x, c, g = (place.put(y) for y in (feats, cas, grad))
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        sampled, timestamps, *_ = OPS.adaptive_sample(x, c, None, None, 0.75, False, 20)
        back = OPS.gather_backward(g, timestamps, None)
        aligned = OPS.align_cas(c, timestamps, None)
    graph.replay()
    torch.cuda.synchronize()
    expected, times, *_ = OPS.adaptive_sample(feats, cas, None, None, 0.75, False, 20)
    expect_same_bits("captured adaptive_sample", sampled, expected)
    expect_same_bits("captured gradient", back, OPS.gather_backward(grad, times, None))
    expect_same_bits("captured align_cas", aligned, OPS.align_cas(cas, times, None))
    return {}


def ptx_alone(place: Place) -> dict[str, object]:
    """The driver compiles the kernels' PTX: CUDA_FORCE_PTX_JIT=1, under which torch's own kernels may not run."""
    if place.device == "cuda":  # so that nothing but amsx's kernels is launched: copies only
        torch.cuda.init()
    feats, cas = random_batch(2, place.size(600, 30), 64, 20, torch.float32)
    for dtype in (torch.float32, torch.bfloat16):
        x, c = feats.to(dtype), cas.to(dtype)
        there = OPS.adaptive_sample(place.put(x), place.put(c), None, None, 0.75, False, 20)
        here = OPS.adaptive_sample(x, c, None, None, 0.75, False, 20)
        for name, a, b in zip(("feats", "timestamps"), there, here, strict=False):
            expect_same_bits(f"{dtype}, {name} of PTX", a, b)
        back = OPS.gather_backward(place.put(x), there[1], None)
        expect_same_bits(f"{dtype}, gradient of PTX", back, OPS.gather_backward(x, here[1], None))
    return {}


def concurrent_streams(place: Place) -> dict[str, object]:
    """A hundred repeats on four streams at a time give the same bits."""
    feats, cas = random_batch(4, place.size(2100, 30), place.size(256, 8), 20, torch.float32)
    x, c = place.put(feats), place.put(cas)
    assert x is not None and c is not None
    first = step(model, x, c)
    torch.cuda.synchronize()
    streams = [torch.cuda.Stream() for _ in range(4)]
    repeats = place.size(REPEATS, 3)
    for begin in range(0, repeats, 20):  # so many at a time stay in memory
        kept: list[list[Tensor]] = []
        for i in range(begin, min(begin + 20, repeats)):
            with torch.cuda.stream(streams[i % len(streams)]):
                kept.append(step(model, x, c))
        torch.cuda.synchronize()
        for i, results in enumerate(kept):
            for k, (a, b) in enumerate(zip(results, first, strict=True)):
                expect_same_bits(f"repeat {begin + i}, result {k}", a, b.cpu())
    return {"repeats": repeats, "streams": len(streams)}


def compiled_by_inductor(place: Place) -> dict[str, object]:
    """torch.compile with its default, forward and backward, against eager."""
    return _compiled(place, {})


def compiled_with_reduced_overhead(place: Place) -> dict[str, object]:
    """torch.compile(mode="reduce-overhead"), which replays CUDA graphs, on new values at every step."""
    return _compiled(place, {"mode": "reduce-overhead"})


def _compiled(place: Place, options: dict[str, str]) -> dict[str, object]:
    if place.device == "cuda" and not place.small and importlib.util.find_spec("triton") is None:
        raise AbsentError("no triton, which inductor needs on a GPU")
    fast = torch.compile(model, fullgraph=True, **options)  # type: ignore[call-overload]
    for seed in range(4):
        feats, cas = (place.put(y) for y in random_batch(2, place.size(300, 20), 64, 20, torch.float32, seed))
        assert feats is not None and cas is not None
        for k, (a, b) in enumerate(zip(step(fast, feats, cas), step(model, feats, cas), strict=True)):
            expect_close(f"step {seed}, result {k}", a, b.cpu())
    return {"steps": 4, **options}


def autocast(place: Place) -> dict[str, object]:
    """Between two linear layers under autocast to bfloat16: the values are those of the same call outside."""
    feats, _ = random_batch(2, place.size(500, 20), 64, 1, torch.float32)
    x = place.put(feats)
    torch.manual_seed(0)
    before, score = (torch.nn.Linear(64, n).to(place.device) for n in (64, 20))
    with torch.autocast(torch.device(place.device).type, dtype=torch.bfloat16):
        embedded = before(x)
        cas = score(embedded)
        sampled = amsx.adaptive_sample(embedded, cas, mode="continuous")
        loss = sampled.feats.square().mean() + amsx.align_cas(cas, sampled.timestamps).square().mean()
    loss.backward()
    if sampled.feats.dtype != torch.bfloat16:
        raise AssertionError(f"features of bfloat16 became {sampled.feats.dtype} under autocast")
    outside = amsx.adaptive_sample(embedded.detach(), cas.detach(), mode="continuous")
    expect_same_bits("under autocast", sampled.feats, outside.feats.cpu())
    for parameter in (*before.parameters(), *score.parameters()):
        if parameter.grad is None or not parameter.grad.isfinite().all():
            raise AssertionError("a layer's gradient is missing or not finite under autocast")
    return {}


def another_device_current(place: Place) -> dict[str, object]:
    """Tensors on the second device while the first is current, and the other way round."""
    if torch.cuda.device_count() < 2:
        raise AbsentError("one CUDA device: nothing to switch to")
    feats, cas = random_batch(2, 300, 64, 20, torch.float32)
    expected = step(model, feats, cas)
    for current, other in ((0, 1), (1, 0)):
        with torch.cuda.device(current):
            results = step(model, feats.to(f"cuda:{other}"), cas.to(f"cuda:{other}"))
            if torch.cuda.current_device() != current:
                raise AssertionError(f"device {torch.cuda.current_device()} became current instead of {current}")
        for k, (a, b) in enumerate(zip(results, expected, strict=True)):
            expect_close(f"device {other} while {current} is current, result {k}", a, b)
    return {}
