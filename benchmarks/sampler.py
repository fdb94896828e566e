"""The sampler forward and backward, over sizes, dtypes and H, beside a copy and beside its rivals."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

import amsx
from amsx.ops import reference
from amsx.ops.sampling import Sampled
from benchmarks import binary_search, rivals
from benchmarks.calls import bound, compiled_gradient, gradient, graph_of
from benchmarks.measuring import measure
from benchmarks.rows import Row
from benchmarks.settings import Settings
from benchmarks.timing import Call, Clock, Contender, UnavailableError, ready
from benchmarks.workloads import DIRECTIONS, QUICK, Workload, declared_bytes

GROUP = "sampler"
LITERAL_LIMIT = 4 << 30  # bytes of up-sampled features beyond which the literal float32 version is left out

CPU_HEADLINE = Workload()
CUDA_HEADLINES = tuple(Workload(B=16, T=2000, D=1024, dtype=dtype) for dtype in ("float32", "bfloat16"))

ALL = ("reference", "literal float32", "eager gather", "compiled gather", "binary search")
GATHERS = ("eager gather", "compiled gather")
CAPTURED = (*GATHERS, "binary search")


def run(settings: Settings) -> list[Row]:
    """All cases; those that the goals are about come first."""
    rows: list[Row] = []
    for workload, clock, others in _cases(settings):
        for direction in DIRECTIONS:
            contenders = CONTENDERS[direction](workload, settings, others)
            case = f"{direction} {workload.name}"
            rows += measure(GROUP, case, workload.parameters(direction), contenders, settings, clock)
            if settings.cuda:
                torch.cuda.empty_cache()
    return rows


def _cases(settings: Settings) -> Sequence[tuple[Workload, Clock, tuple[str, ...]]]:
    if settings.quick:
        clocks: tuple[Clock, ...] = ("cold", "wall") if settings.cuda else ("wall",)
        return [
            *((QUICK, clock, ALL) for clock in clocks),
            *((replace(QUICK, dtype="bfloat16"), clock, ("eager gather",)) for clock in clocks),
        ]
    if settings.cuda:
        sizes = [
            Workload(B=16, T=T, D=D, dtype=dtype)
            for dtype in ("float32", "bfloat16")
            for T in (2000, 1000)
            for D in (1024, 2048)
        ]
        return [  # the most important first, in case the time runs out; what takes long to compile comes late
            *((workload, "cold", ("eager gather",)) for workload in sizes),
            *((workload, "wall", ("eager gather", "compiled gather", "binary search")) for workload in CUDA_HEADLINES),
            (Workload(B=16, T=2000, dtype="float16"), "cold", ("eager gather",)),
            *((Workload(B=16, T=2000, H=H), "cold", ()) for H in (1, 200)),
            *((workload, "cold", ALL) for workload in CUDA_HEADLINES),
        ]
    return [
        (CPU_HEADLINE, "wall", ALL),
        (Workload(dtype="float16"), "wall", GATHERS),
        (Workload(dtype="bfloat16"), "wall", GATHERS),
        (Workload(H=1), "wall", ("literal float32",)),
        (Workload(H=200), "wall", ()),
        (Workload(B=1), "wall", GATHERS),
        (Workload(B=16, D=2048), "wall", GATHERS),
        (Workload(B=16, T=400), "wall", GATHERS),
    ]


def forward(workload: Workload, settings: Settings, others: Sequence[str]) -> list[Contender]:
    """The copy, amsx, and those of the `others` that can run on the device."""
    feats, cas = workload.inputs(settings.device)
    moved = declared_bytes(feats, cas, feats) + 4 * workload.B * workload.T  # in, in, out, timestamps out

    def sample() -> object:
        return sample_of(workload, feats, cas)

    contenders = [
        Contender("clone", ready(feats.clone), bytes=declared_bytes(feats, feats)),
        Contender("amsx", ready(sample), bytes=moved),
    ]
    if settings.cuda:
        contenders.append(Contender("amsx, CUDA graph", lambda: graph_of(ready(sample)), bytes=moved))
    possible = [
        Contender("eager gather", ready(lambda: rivals.gathered(feats, cas)), bytes=moved),
        Contender("compiled gather", lambda: bound(rivals.gathered, feats, cas), bytes=moved),
        Contender("binary search", ready(lambda: binary_search.forward(feats, cas)), bytes=moved),
        Contender("literal float32", lambda: _literal(workload, feats, cas), bytes=moved, limit=3),
        Contender("reference", ready(lambda: _reference(workload, feats, cas)), bytes=moved, limit=3),
    ]
    return contenders + _wanted(possible, others, settings)


def sample_of(workload: Workload, feats: Tensor, cas: Tensor) -> Sampled:
    """amsx's own call for this workload."""
    if workload.H == 0:
        return amsx.adaptive_sample(feats, cas, eta=workload.eta, mode="continuous")
    return amsx.adaptive_sample(feats, cas, eta=workload.eta, interp_factor=workload.H)


def backward(workload: Workload, settings: Settings, others: Sequence[str]) -> list[Contender]:
    """The gradient with respect to the features: autograd.grad through a graph built before."""
    feats, cas = workload.inputs(settings.device)
    grad = torch.randn_like(feats)
    timestamps = sample_of(workload, feats, cas).timestamps
    cumulated = rivals.weights(cas).cumsum(dim=1)
    moved = declared_bytes(grad, timestamps, feats)

    def sample(x: Tensor) -> Tensor:
        return sample_of(workload, x, cas).feats

    def adjoint() -> Tensor:
        return torch.ops.amsx.gather_backward(grad, timestamps, None)

    contenders = [
        Contender("clone", ready(feats.clone), bytes=declared_bytes(feats, feats)),
        Contender("amsx", lambda: gradient(sample, feats, grad), bytes=moved),
        Contender("amsx, bare adjoint", ready(adjoint), bytes=moved),
    ]
    if settings.cuda:
        contenders.append(Contender("amsx, CUDA graph", lambda: graph_of(ready(adjoint)), bytes=moved))
    possible = [
        Contender("eager gather", lambda: gradient(lambda x: rivals.gathered(x, cas), feats, grad), bytes=moved),
        Contender("compiled gather", lambda: compiled_gradient(rivals.gathered, feats, cas, grad), bytes=moved),
        Contender("binary search", ready(lambda: binary_search.backward(grad, cumulated)), bytes=moved),
        Contender("literal float32", lambda: _literal_gradient(workload, feats, cas, grad), bytes=moved, limit=2),
        Contender(
            "reference", lambda: gradient(lambda x: _reference(workload, x, cas), feats, grad), bytes=moved, limit=2
        ),
    ]
    return contenders + _wanted(possible, others, settings)


CONTENDERS = {"forward": forward, "backward": backward}


def _wanted(possible: Sequence[Contender], others: Sequence[str], settings: Settings) -> list[Contender]:
    """Those of the others that can run here; on CUDA those that can be captured also in a CUDA graph, for fairness."""
    wanted = []
    for contender in possible:
        if contender.name not in others or (contender.name == "binary search" and not settings.cuda):
            continue
        wanted.append(contender)
        if settings.cuda and contender.name in CAPTURED:
            wanted.append(replace(contender, name=f"{contender.name}, CUDA graph", prepare=_captured(contender)))
    return wanted


def _captured(contender: Contender) -> Callable[[], Call]:
    return lambda: graph_of(contender.prepare)


def _reference(workload: Workload, feats: Tensor, cas: Tensor) -> Tensor:
    return reference.adaptive_sample(feats, cas, interp_factor=workload.H)[0]


def _literal(workload: Workload, feats: Tensor, cas: Tensor) -> Call:
    _check_literal_fits(workload)
    x = feats.float()
    return lambda: rivals.literal(x, cas, workload.H)


def _literal_gradient(workload: Workload, feats: Tensor, cas: Tensor, grad: Tensor) -> Call:
    _check_literal_fits(workload)
    return gradient(lambda x: rivals.literal(x, cas, workload.H), feats.float(), grad.float())


def _check_literal_fits(workload: Workload) -> None:
    if workload.upsampled_bytes > LITERAL_LIMIT:
        raise UnavailableError(
            f"left out: it would hold {workload.upsampled_bytes / (1 << 30):.1f} GiB of up-sampled features"
        )
