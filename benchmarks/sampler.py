"""The sampler forward and backward, over sizes, dtypes and H, beside the copy and the rivals."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

import amsx
from amsx.ops import reference
from benchmarks import binary_search, rivals
from benchmarks.problems import Problem, declared_bytes
from benchmarks.rows import Row, measure
from benchmarks.settings import Settings
from benchmarks.timing import Call, Clock, Contender, UnavailableError, ready

GROUP = "sampler"
LITERAL_LIMIT = 4 << 30  # bytes of up-sampled features beyond which the literal float32 version is left out

CPU_HEADLINE = Problem()
CUDA_HEADLINES = tuple(Problem(B=16, T=2000, D=1024, dtype=dtype) for dtype in ("float32", "bfloat16"))

ALL = ("reference", "literal float32", "eager gather", "compiled gather", "binary search")
GATHERS = ("eager gather", "compiled gather")


def run(settings: Settings) -> list[Row]:
    """Every case, the one the goals speak of first."""
    rows: list[Row] = []
    for problem, clock, others in _cases(settings):
        for direction in ("forward", "backward"):
            contenders = (forward if direction == "forward" else backward)(problem, settings, others)
            case = f"{direction} {problem.name}"
            rows += measure(GROUP, case, problem.parameters(direction), contenders, settings, clock)
            if settings.cuda:
                torch.cuda.empty_cache()
    return rows


def _cases(settings: Settings) -> Sequence[tuple[Problem, Clock, tuple[str, ...]]]:
    if settings.quick:
        tiny = Problem(B=2, T=12, D=8, H=3)
        clocks: tuple[Clock, ...] = ("cold", "wall") if settings.cuda else ("wall",)
        return [
            *((tiny, clock, ALL) for clock in clocks),
            *((replace(tiny, dtype="bfloat16"), clock, ("eager gather",)) for clock in clocks),
        ]
    if settings.cuda:
        sizes = [
            Problem(B=16, T=T, D=D, dtype=dtype)
            for dtype in ("float32", "bfloat16")
            for T in (2000, 1000)
            for D in (1024, 2048)
        ]
        return [  # in order of weight, should the time run out; what compiles at length late
            *((problem, "cold", ("eager gather",)) for problem in sizes),
            *((problem, "wall", ("eager gather", "compiled gather", "binary search")) for problem in CUDA_HEADLINES),
            (Problem(B=16, T=2000, dtype="float16"), "cold", ("eager gather",)),
            *((Problem(B=16, T=2000, H=H), "cold", ()) for H in (1, 200)),
            *((problem, "cold", ALL) for problem in CUDA_HEADLINES),
        ]
    return [
        (CPU_HEADLINE, "wall", ALL),
        (Problem(dtype="float16"), "wall", GATHERS),
        (Problem(dtype="bfloat16"), "wall", GATHERS),
        (Problem(H=1), "wall", ("literal float32",)),
        (Problem(H=200), "wall", ()),
        (Problem(B=1), "wall", GATHERS),
        (Problem(B=16, D=2048), "wall", GATHERS),
        (Problem(B=16, T=400), "wall", GATHERS),
    ]


def forward(problem: Problem, settings: Settings, others: Sequence[str]) -> list[Contender]:
    """The copy, amsx, and those of the `others` that the device knows."""
    feats, cas = problem.inputs(settings.device)
    moved = declared_bytes(feats, cas, feats) + 4 * problem.B * problem.T  # in, in, out, timestamps out

    def sample() -> object:
        return amsx.adaptive_sample(feats, cas, interp_factor=problem.H)

    contenders = [
        Contender("clone", ready(feats.clone), bytes=declared_bytes(feats, feats)),
        Contender("amsx", ready(sample), bytes=moved),
    ]
    if settings.cuda:
        contenders.append(Contender("amsx, CUDA graph", lambda: graph_of(sample), bytes=moved))
    possible = [
        Contender("eager gather", ready(lambda: rivals.gathered(feats, cas)), bytes=moved),
        Contender("compiled gather", lambda: _bound(rivals.gathered, feats, cas), bytes=moved),
        Contender("binary search", ready(lambda: binary_search.forward(feats, cas)), bytes=moved),
        Contender("literal float32", lambda: _literal(problem, feats, cas), bytes=moved, limit=3),
        Contender("reference", ready(lambda: _reference(problem, feats, cas)), bytes=moved, limit=3),
    ]
    return contenders + _wanted(possible, others, settings)


def backward(problem: Problem, settings: Settings, others: Sequence[str]) -> list[Contender]:
    """The adjoint to the features: autograd.grad through a graph built before; the copy is the same as forward."""
    feats, cas = problem.inputs(settings.device)
    grad = torch.randn_like(feats)
    timestamps = amsx.adaptive_sample(feats, cas, interp_factor=problem.H).timestamps
    cumulated = rivals.weights(cas).cumsum(dim=1)
    moved = declared_bytes(grad, timestamps, feats)

    def sample(x: Tensor) -> Tensor:
        return amsx.adaptive_sample(x, cas, interp_factor=problem.H).feats

    def adjoint() -> Tensor:
        return torch.ops.amsx.gather_backward(grad, timestamps, None)

    contenders = [
        Contender("clone", ready(feats.clone), bytes=declared_bytes(feats, feats)),
        Contender("amsx", lambda: gradient(sample, feats, grad), bytes=moved),
        Contender("amsx, bare adjoint", ready(adjoint), bytes=moved),
    ]
    if settings.cuda:
        contenders.append(Contender("amsx, CUDA graph", lambda: graph_of(adjoint), bytes=moved))
    possible = [
        Contender("eager gather", lambda: gradient(lambda x: rivals.gathered(x, cas), feats, grad), bytes=moved),
        Contender("compiled gather", lambda: compiled_gradient(rivals.gathered, feats, cas, grad), bytes=moved),
        Contender("binary search", ready(lambda: binary_search.backward(grad, cumulated)), bytes=moved),
        Contender("literal float32", lambda: _literal_gradient(problem, feats, cas, grad), bytes=moved, limit=2),
        Contender(
            "reference", lambda: gradient(lambda x: _reference(problem, x, cas), feats, grad), bytes=moved, limit=2
        ),
    ]
    return contenders + _wanted(possible, others, settings)


def _wanted(possible: Sequence[Contender], others: Sequence[str], settings: Settings) -> list[Contender]:
    return [c for c in possible if c.name in others and (settings.cuda or c.name != "binary search")]


def _reference(problem: Problem, feats: Tensor, cas: Tensor) -> Tensor:
    return reference.adaptive_sample(feats, cas, interp_factor=problem.H)[0]


def gradient(function: Callable[[Tensor], Tensor], x: Tensor, grad: Tensor) -> Call:
    """Builds the graph once; the call is its backward alone."""
    leaf = x.detach().requires_grad_()
    out = function(leaf)
    return lambda: torch.autograd.grad(out, leaf, grad, retain_graph=True)


def compiled_gradient(function: Callable[[Tensor, Tensor], Tensor], x: Tensor, beside: Tensor, grad: Tensor) -> Call:
    """The same through torch.compile."""
    leaf = x.detach().requires_grad_()
    fast = rivals.compiled(function, leaf, beside)
    call = gradient(lambda y: fast(y, beside), leaf, grad)
    try:
        call()  # compiles the backward
    except Exception as error:
        lines = str(error).strip().splitlines() or [""]
        message = f"torch.compile's backward failed: {type(error).__name__}: {lines[0][:120]}"
        raise UnavailableError(message) from error
    return call


def graph_of(call: Call) -> Call:
    """`call` captured in a CUDA graph; the result is its replay."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        call()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = call()

    def replay(kept: object = result) -> None:
        graph.replay()

    return replay


def _bound(function: Callable[[Tensor, Tensor], Tensor], x: Tensor, beside: Tensor) -> Call:
    fast = rivals.compiled(function, x, beside)
    return lambda: fast(x, beside)


def _literal(problem: Problem, feats: Tensor, cas: Tensor) -> Call:
    _check_literal_fits(problem)
    x = feats.float()
    return lambda: rivals.literal(x, cas, problem.H)


def _literal_gradient(problem: Problem, feats: Tensor, cas: Tensor, grad: Tensor) -> Call:
    _check_literal_fits(problem)
    return gradient(lambda x: rivals.literal(x, cas, problem.H), feats.float(), grad.float())


def _check_literal_fits(problem: Problem) -> None:
    if problem.upsampled_bytes > LITERAL_LIMIT:
        raise UnavailableError(
            f"left out: it would hold {problem.upsampled_bytes / (1 << 30):.1f} GiB of up-sampled features"
        )
