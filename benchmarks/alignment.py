"""Re-alignment (Eq. 7) forward and backward at C = 20 and 100, beside formulations with searchsorted."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

import amsx
from amsx.ops import reference
from benchmarks import rivals
from benchmarks.calls import bound, compiled_gradient, gradient, graph_of
from benchmarks.measuring import measure
from benchmarks.rows import Row
from benchmarks.settings import Settings
from benchmarks.timing import Contender, ready
from benchmarks.workloads import Workload, declared_bytes

GROUP = "alignment"


def run(settings: Settings) -> list[Row]:
    rows: list[Row] = []
    for workload in _cases(settings):
        for direction, contenders_of in (("forward", forward), ("backward", backward)):
            contenders = contenders_of(workload, settings)
            case = f"{direction} {workload.dtype} B {workload.B}, T {workload.T}, C {workload.C}"
            for clock in ("cold", "wall") if settings.cuda else ("wall",):
                rows += measure(GROUP, case, workload.parameters(direction), contenders, settings, clock)
    return rows


def _cases(settings: Settings) -> Sequence[Workload]:
    if settings.quick:
        return [Workload(B=2, T=9, D=1, H=3, C=3)]
    first = Workload(B=16, T=2000, D=1) if settings.cuda else Workload(D=1)
    return [first, replace(first, C=100)]


def _inputs(workload: Workload, settings: Settings) -> tuple[Tensor, Tensor]:
    """A random `cas` (B, T, C), and the timestamps (B, T) that another random CAS leads to."""
    feats, cas = workload.inputs(settings.device)
    return cas.flip(1).contiguous(), amsx.adaptive_sample(feats, cas, interp_factor=workload.H).timestamps


def forward(workload: Workload, settings: Settings) -> list[Contender]:
    cas, timestamps = _inputs(workload, settings)
    moved = declared_bytes(cas, timestamps, cas)

    def align() -> Tensor:
        return amsx.align_cas(cas, timestamps)

    contenders = [
        Contender("clone", ready(cas.clone), bytes=declared_bytes(cas, cas)),
        Contender("amsx", ready(align), bytes=moved),
        Contender("eager searchsorted", ready(lambda: rivals.aligned(cas, timestamps)), bytes=moved),
        Contender("compiled searchsorted", lambda: bound(rivals.aligned, cas, timestamps), bytes=moved),
    ]
    if settings.cuda:
        contenders.insert(2, Contender("amsx, CUDA graph", lambda: graph_of(ready(align)), bytes=moved))
    elif workload.C <= 20:
        literal = ready(lambda: reference.align_cas(cas, timestamps))
        contenders.append(Contender("reference", literal, bytes=moved, limit=2))
    return contenders


def backward(workload: Workload, settings: Settings) -> list[Contender]:
    cas, timestamps = _inputs(workload, settings)
    grad = torch.randn_like(cas)
    moved = declared_bytes(grad, timestamps, cas)

    def adjoint() -> Tensor:
        return torch.ops.amsx.align_cas_backward(grad, timestamps, None)

    contenders = [
        Contender("clone", ready(cas.clone), bytes=declared_bytes(cas, cas)),
        Contender("amsx", lambda: gradient(lambda x: amsx.align_cas(x, timestamps), cas, grad), bytes=moved),
        Contender("amsx, bare adjoint", ready(adjoint), bytes=moved),
        Contender(
            "eager searchsorted", lambda: gradient(lambda x: rivals.aligned(x, timestamps), cas, grad), bytes=moved
        ),
        Contender(
            "compiled searchsorted", lambda: compiled_gradient(rivals.aligned, cas, timestamps, grad), bytes=moved
        ),
    ]
    if settings.cuda:
        contenders.insert(3, Contender("amsx, CUDA graph", lambda: graph_of(ready(adjoint)), bytes=moved))
    return contenders
