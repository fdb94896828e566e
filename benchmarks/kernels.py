"""The duration of every kernel of a call apart, by torch's profiler, with the L2 cache flushed before each call."""

import functools
from collections import defaultdict
from collections.abc import Sequence

from benchmarks.counters import short_name
from benchmarks.launches import on_the_device
from benchmarks.measuring import OUT_OF_TIME
from benchmarks.rows import Row, print_table
from benchmarks.sampler import backward, forward
from benchmarks.settings import Settings
from benchmarks.timing import Call, Spread, flushed
from benchmarks.workloads import QUICK, Workload

GROUP = "kernels"
CALLS = 8  # of each contender
CONTENDERS = {"forward": (forward, "amsx"), "backward": (backward, "amsx, bare adjoint")}


def run(settings: Settings) -> list[Row]:
    rows: list[Row] = []
    for workload in _cases(settings):
        for direction, (contenders, name) in CONTENDERS.items():
            case, parameters = f"{direction} {workload.name}", workload.parameters(direction)
            row = Row(GROUP, case, "amsx", parameters)
            if not settings.cuda or settings.out_of_time:
                of_case = [Row(GROUP, case, "amsx", parameters, note=_why_not(settings))]
            else:
                (contender,) = (c for c in contenders(workload, settings, ()) if c.name == name)
                call = flushed(contender.prepare(), settings.device)
                of_case = rows_of(row, on_the_device(functools.partial(_repeatedly, call)))
            print_table(of_case)
            rows += of_case
            if settings.keep is not None:
                settings.keep(of_case)
    return rows


def _cases(settings: Settings) -> Sequence[Workload]:
    if settings.quick:
        return [QUICK]
    sizes = [(T, D) for T in (2000, 1000) for D in (1024, 2048)]
    return [Workload(B=16, T=T, D=D, dtype=dtype) for dtype in ("float32", "bfloat16") for T, D in sizes]


def _repeatedly(call: Call) -> None:
    for _ in range(CALLS):
        call()


def _why_not(settings: Settings) -> str:
    return OUT_OF_TIME if settings.cuda else "there are kernels on CUDA alone"


def rows_of(row: Row, events: Sequence[tuple[str, float]]) -> list[Row]:
    """A row for each kernel of amsx in what CALLS calls put on the device, and one for a call's kernels together."""
    own = [(name, seconds) for name, seconds in events if "amsx" in name]
    if not own or len(own) % CALLS:
        note = f"the profiler saw {len(own)} kernels of {CALLS} calls" + ("" if own else " (no CUPTI?)")
        return [Row(row.group, row.case, row.rival, row.parameters, note=note)]
    samples: dict[str, list[float]] = defaultdict(list)
    for name, seconds in own:
        samples[short_name(name)].append(seconds)
    of_a_call = len(own) // CALLS
    samples["all kernels"] = [
        sum(seconds for _, seconds in own[i : i + of_a_call]) for i in range(0, len(own), of_a_call)
    ]
    return [
        Row(row.group, row.case, name, row.parameters, clock="cold", spread=Spread.of(values))
        for name, values in samples.items()
    ]
