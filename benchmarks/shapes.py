"""Sizes and values at which a sampler may fall behind: one long video, many classes, spikes, continuous mode."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

import amsx
from benchmarks.calls import gradient
from benchmarks.measuring import measure
from benchmarks.rows import Row
from benchmarks.sampler import backward, forward, sample_of
from benchmarks.settings import Settings
from benchmarks.timing import Clock, Contender, ready
from benchmarks.workloads import DIRECTIONS, QUICK, Workload, declared_bytes

GROUP = "shapes"


def run(settings: Settings) -> list[Row]:
    rows: list[Row] = []
    clock: Clock = "cold" if settings.cuda else "wall"
    for title, workload in _cases(settings):
        for direction in DIRECTIONS:
            contenders_of = forward if direction == "forward" else backward
            contenders = contenders_of(workload, settings, ("eager gather",) if workload.H else ())
            case = f"{title}: {direction} {workload.name}"
            rows += measure(GROUP, case, workload.parameters(direction), contenders, settings, clock)
    for workload in _continuous(settings):
        case = f"continuous mode, gradients to features and CAS: {workload.name}, C {workload.C}"
        contenders = whole_gradient(workload, settings)
        rows += measure(GROUP, case, workload.parameters("both gradients"), contenders, settings, clock)
    return rows


def _cases(settings: Settings) -> Sequence[tuple[str, Workload]]:
    """(what is peculiar, workload); smaller ones on the CPU."""
    if settings.quick:
        one, base = QUICK, QUICK
        lengths: tuple[int, ...] = (30,)
    elif settings.cuda:
        one, base = Workload(B=1), Workload(B=16, T=2000)
        lengths = (2615, 20000, 100000)
    else:
        one, base = Workload(B=1), Workload()
        lengths = (2615, 20000)
    return [
        *(("one long video", replace(one, B=1, T=T)) for T in lengths),
        *((f"{C} classes", replace(base, C=C)) for C in (100, 200)),
        ("spikes", replace(base, cas="spiky")),
        ("spikes, eta 0.01", replace(base, cas="spiky", eta=0.01)),
        ("continuous mode", replace(base, H=0)),
    ]


def _continuous(settings: Settings) -> Sequence[Workload]:
    if settings.quick:
        return [replace(QUICK, H=0)]
    base = Workload(B=16, T=2000, H=0) if settings.cuda else Workload(H=0)
    return [base, replace(base, C=100), replace(base, C=200)]


def whole_gradient(workload: Workload, settings: Settings) -> list[Contender]:
    """The gradients of features and CAS through sampling and alignment, from a graph built before."""
    feats, cas = workload.inputs(settings.device)
    moved = declared_bytes(feats, feats, cas, cas)

    def flat(both: Tensor) -> Tensor:  # one leaf for both inputs, as `gradient` takes one
        x = both[: feats.numel()].view_as(feats)
        c = both[feats.numel() :].view_as(cas)
        sampled = sample_of(workload, x, c)
        aligned = amsx.align_cas(c, sampled.timestamps)
        return torch.cat([sampled.feats.reshape(-1), aligned.reshape(-1)])

    both = torch.cat([feats.reshape(-1), cas.reshape(-1)])
    return [
        Contender("clone", ready(feats.clone), bytes=declared_bytes(feats, feats)),
        Contender("amsx", lambda: gradient(flat, both, torch.ones_like(both)), bytes=moved),
    ]
