"""Re-alignment (Eq. 7) forward and backward at C = 20 and 100, beside searchsorted formulations."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

import amsx
from amsx.ops import reference
from benchmarks import rivals
from benchmarks.problems import Problem, declared_bytes
from benchmarks.rows import Row, measure
from benchmarks.sampler import compiled_gradient, gradient, graph_of
from benchmarks.settings import Settings
from benchmarks.timing import Call, Contender, ready

GROUP = "alignment"


def run(settings: Settings) -> list[Row]:
    rows: list[Row] = []
    for problem in _cases(settings):
        for direction in ("forward", "backward"):
            contenders = (forward if direction == "forward" else backward)(problem, settings)
            case = f"{direction} {problem.dtype} B {problem.B}, T {problem.T}, C {problem.C}"
            for clock in ("cold", "wall") if settings.cuda else ("wall",):
                rows += measure(GROUP, case, problem.parameters(direction), contenders, settings, clock)
    return rows


def _cases(settings: Settings) -> Sequence[Problem]:
    if settings.quick:
        return [Problem(B=2, T=9, D=1, H=3, C=3)]
    first = Problem(B=16, T=2000, D=1) if settings.cuda else Problem(D=1)
    return [first, replace(first, C=100)]


def _inputs(problem: Problem, settings: Settings) -> tuple[Tensor, Tensor]:
    """`cas` (B, T, C) and the timestamps (B, T) that another random CAS gives."""
    feats, cas = problem.inputs(settings.device)
    return cas.flip(1).contiguous(), amsx.adaptive_sample(feats, cas, interp_factor=problem.H).timestamps


def forward(problem: Problem, settings: Settings) -> list[Contender]:
    cas, timestamps = _inputs(problem, settings)
    moved = declared_bytes(cas, timestamps, cas)

    def align() -> Tensor:
        return amsx.align_cas(cas, timestamps)

    def compiled() -> Call:
        fast = rivals.compiled(rivals.aligned, cas, timestamps)
        return lambda: fast(cas, timestamps)

    contenders = [
        Contender("clone", ready(cas.clone), bytes=declared_bytes(cas, cas)),
        Contender("amsx", ready(align), bytes=moved),
        Contender("eager searchsorted", ready(lambda: rivals.aligned(cas, timestamps)), bytes=moved),
        Contender("compiled searchsorted", compiled, bytes=moved),
    ]
    if settings.cuda:
        contenders.insert(2, Contender("amsx, CUDA graph", lambda: graph_of(align), bytes=moved))
    elif problem.C <= 20:
        literal = ready(lambda: reference.align_cas(cas, timestamps))
        contenders.append(Contender("reference", literal, bytes=moved, limit=2))
    return contenders


def backward(problem: Problem, settings: Settings) -> list[Contender]:
    cas, timestamps = _inputs(problem, settings)
    grad = torch.randn_like(cas)
    moved = declared_bytes(grad, timestamps, cas)

    def adjoint() -> Tensor:
        return torch.ops.amsx.align_cas_backward(grad, timestamps, None)

    def compiled() -> Call:
        return compiled_gradient(rivals.aligned, cas, timestamps, grad)

    contenders = [
        Contender("clone", ready(cas.clone), bytes=declared_bytes(cas, cas)),
        Contender("amsx", lambda: gradient(lambda x: amsx.align_cas(x, timestamps), cas, grad), bytes=moved),
        Contender("amsx, bare adjoint", ready(adjoint), bytes=moved),
        Contender(
            "eager searchsorted", lambda: gradient(lambda x: rivals.aligned(x, timestamps), cas, grad), bytes=moved
        ),
        Contender("compiled searchsorted", compiled, bytes=moved),
    ]
    if settings.cuda:
        contenders.insert(3, Contender("amsx, CUDA graph", lambda: graph_of(adjoint), bytes=moved))
    return contenders
