"""Kernel launches of one call on CUDA, counted by the profiler: kernels, copies and clears alike."""

from collections.abc import Callable

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.problems import Problem
from benchmarks.rows import OUT_OF_TIME, Row, print_table
from benchmarks.sampler import backward, forward
from benchmarks.settings import Settings
from benchmarks.timing import Spread, UnavailableError

GROUP = "launches"
OTHERS = ("eager gather", "binary search")


def run(settings: Settings) -> list[Row]:
    problem = Problem(B=2, T=12, D=8, H=3) if settings.quick else Problem(B=16)
    rows: list[Row] = []
    for direction, contenders in (("forward", forward), ("backward", backward)):
        case, parameters = f"{direction} {problem.name}", problem.parameters(direction)
        found = []
        for contender in contenders(problem, settings, OTHERS):
            row = Row(GROUP, case, contender.name, parameters, unit="launches")
            found.append(_counted(row, contender.prepare, settings))
        print_table(found)
        rows += found
    return rows


def _counted(row: Row, prepare: Callable[[], Callable[[], object]], settings: Settings) -> Row:
    fields = {**vars(row)}
    if not settings.cuda:
        return Row(**{**fields, "note": "there are launches on CUDA alone"})
    if settings.out_of_time:
        return Row(**{**fields, "note": OUT_OF_TIME})
    try:
        call = prepare()
        count, kernels = of_call(call)
    except UnavailableError as reason:
        return Row(**{**fields, "note": str(reason)})
    if count == 0:
        return Row(**{**fields, "note": "the profiler saw no launch (no CUPTI?)"})
    return Row(**{**fields, "spread": Spread.of([count]), "details": {"kernels": kernels}})


def of_call(call: Callable[[], object]) -> tuple[int, list[str]]:
    """How much one call puts on the device, and the kernels' names."""
    for _ in range(2):
        call()
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
        call()
        torch.cuda.synchronize()
    on_device = [e for e in profiler.events() if e.device_type == torch.autograd.DeviceType.CUDA]
    names = [e.name for e in on_device if not getattr(e, "is_user_annotation", False)]
    return len(names), names
