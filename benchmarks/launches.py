"""Counts, with the profiler, what one call puts on a CUDA device: kernels, copies and clears alike."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.measuring import OUT_OF_TIME
from benchmarks.rows import Row, print_table
from benchmarks.sampler import backward, forward
from benchmarks.settings import Settings
from benchmarks.timing import Call, Spread, UnavailableError
from benchmarks.workloads import QUICK, Workload

GROUP = "launches"
OTHERS = ("eager gather", "binary search")


def run(settings: Settings) -> list[Row]:
    workload = QUICK if settings.quick else Workload(B=16)
    rows: list[Row] = []
    for direction, contenders in (("forward", forward), ("backward", backward)):
        case, parameters = f"{direction} {workload.name}", workload.parameters(direction)
        of_direction = [
            _counted(Row(GROUP, case, contender.name, parameters, unit="launches"), contender.prepare, settings)
            for contender in contenders(workload, settings, OTHERS)
        ]
        print_table(of_direction)
        rows += of_direction
    return rows


def _counted(row: Row, prepare: Callable[[], Call], settings: Settings) -> Row:
    """The row with the number of launches of the call that `prepare` makes, or with the reason for having none."""
    if not settings.cuda:
        return replace(row, note="there are launches on CUDA alone")
    if settings.out_of_time:
        return replace(row, note=OUT_OF_TIME)
    try:
        kernels = launches_of(prepare())
    except UnavailableError as reason:
        return replace(row, note=str(reason))
    if not kernels:
        return replace(row, note="the profiler saw no launch (no CUPTI?)")
    return replace(row, spread=Spread.of([len(kernels)]), details={"kernels": kernels})


def launches_of(call: Call) -> list[str]:
    """The names of all that one call puts on the device, in order."""
    return [name for name, _ in on_the_device(call)]


def on_the_device(call: Call) -> list[tuple[str, float]]:
    """The name and the seconds of all that one call puts on the device, in order; the call is made twice before."""
    for _ in range(2):
        call()
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
        call()
        torch.cuda.synchronize()
    events = [e for e in profiler.events() if e.device_type == torch.autograd.DeviceType.CUDA]
    return [(e.name, e.time_range.elapsed_us() * 1e-6) for e in events if not getattr(e, "is_user_annotation", False)]
