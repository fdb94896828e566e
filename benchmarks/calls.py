"""Calls prepared for timing: through torch.compile, as a gradient alone, captured in a CUDA graph."""

import os
import shutil
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchmarks.timing import Call, UnavailableError


def compiled(function: Callable[..., Any], *example: Tensor) -> Callable[..., Any]:
    """`function` through torch.compile for the shapes of the example, called once.

    UnavailableError where the CPU's compiler is absent or compilation fails.
    """
    if example[0].device.type == "cpu" and not (
        os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
    ):
        raise UnavailableError("torch.compile needs a C++ compiler on the CPU, and none was found")
    import torch._functorch.config as functorch_config

    if hasattr(functorch_config, "donated_buffer"):
        # A compiled backward that may reuse its buffers could not be called again with retain_graph.
        functorch_config.donated_buffer = False
    torch._dynamo.reset()
    result = torch.compile(function, dynamic=False, fullgraph=True)
    _call_once(lambda: result(*example), "torch.compile")
    return result


def bound(function: Callable[..., Any], *inputs: Tensor) -> Call:
    """A call of the compiled `function` on these inputs."""
    fast = compiled(function, *inputs)
    return lambda: fast(*inputs)


def gradient(function: Callable[[Tensor], Tensor], x: Tensor, grad: Tensor) -> Callable[[], tuple[Tensor, ...]]:
    """The backward of `function` at `x` alone: its graph is built here, once."""
    leaf = x.detach().requires_grad_()
    out = function(leaf)
    return lambda: torch.autograd.grad(out, leaf, grad, retain_graph=True)


def compiled_gradient(
    function: Callable[[Tensor, Tensor], Tensor], x: Tensor, other: Tensor, grad: Tensor
) -> Callable[[], tuple[Tensor, ...]]:
    """The backward of the compiled `function(x, other)` with respect to `x`."""
    leaf = x.detach().requires_grad_()
    fast = compiled(function, leaf, other)
    call = gradient(lambda y: fast(y, other), leaf, grad)
    _call_once(call, "torch.compile's backward")
    return call


def graph_of(prepare: Callable[[], Call]) -> Call:
    """The call that `prepare` makes, captured in a CUDA graph; the result is its replay.

    It is also made on the stream of the capture, because a gradient runs on the stream of its forward. UnavailableError
    where it cannot be captured.
    """
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.stream(side):
            call = prepare()
            call()
        torch.cuda.synchronize()
        with torch.cuda.graph(graph, stream=side):
            result = call()
    except RuntimeError as error:
        torch.cuda.synchronize()
        raise UnavailableError(f"cannot be captured: {str(error).splitlines()[0][:120]}") from error

    def replay(kept: object = result) -> None:  # the graph writes into its outputs, which must stay alive
        graph.replay()

    return replay


def _call_once(call: Call, what: str) -> None:
    """Compilation happens at the first call; whatever the compiler stack raises becomes the row's reason."""
    try:
        call()
    except Exception as error:
        lines = str(error).strip().splitlines() or [""]
        raise UnavailableError(f"{what} failed: {type(error).__name__}: {lines[0][:120]}") from error
