"""Peak memory of a call beyond its inputs and outputs.

On the CPU it is read from the resident set of a process started for it, on CUDA from torch's allocator.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import amsx
from benchmarks import ROOT, rivals
from benchmarks.calls import compiled, gradient
from benchmarks.measuring import OUT_OF_TIME
from benchmarks.rows import Row, print_table
from benchmarks.settings import Settings
from benchmarks.timing import Call, Spread, UnavailableError
from benchmarks.workloads import DIRECTIONS, QUICK, Workload, declared_bytes

GROUP = "memory"
RIVALS = ("amsx", "eager gather", "compiled gather", "literal float32")


def run(settings: Settings) -> list[Row]:
    workload = QUICK if settings.quick else Workload()
    rows: list[Row] = []
    for direction in DIRECTIONS:
        case = f"{direction}, peak beyond inputs and outputs, {workload.name}"
        names = ("amsx", "literal float32") if settings.quick else RIVALS
        of_direction = [_row(case, direction, rival, workload, settings) for rival in names]
        print_table(of_direction)
        rows += of_direction
    return rows


def _row(case: str, direction: str, rival: str, workload: Workload, settings: Settings) -> Row:
    row = Row(GROUP, case, rival, workload.parameters(direction), unit="B")
    if settings.out_of_time:
        return replace(row, note=OUT_OF_TIME)
    try:
        if settings.cuda:
            extra, output = _on_cuda(workload, rival, direction)
        else:
            extra, output = _in_a_process(workload, rival, direction, settings)
    except UnavailableError as reason:
        return replace(row, note=str(reason))
    details = {"output_bytes": output, "outputs": extra / output}
    return replace(row, spread=Spread.of([extra]), note=f"{extra / output:.2f} x the output", details=details)


def _function_of(rival: str, workload: Workload, feats: Tensor, cas: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    if rival == "amsx":
        return lambda x, c: amsx.adaptive_sample(x, c, interp_factor=workload.H).feats
    if rival == "eager gather":
        return rivals.gathered
    if rival == "compiled gather":
        return compiled(rivals.gathered, feats, cas)
    return lambda x, c: rivals.literal(x, c, workload.H)


def _on_cuda(workload: Workload, rival: str, direction: str) -> tuple[int, int]:
    """(peak bytes beyond inputs and outputs, bytes of the output)."""
    feats, cas = workload.inputs("cuda")
    call, outputs = _call(workload, rival, direction, feats, cas)
    call()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    kept = call()
    torch.cuda.synchronize()
    del kept
    return max(torch.cuda.max_memory_allocated() - before - outputs, 0), outputs


def _in_a_process(workload: Workload, rival: str, direction: str, settings: Settings) -> tuple[int, int]:
    """The same two numbers, measured by this module run as a program in a process of its own."""
    question = {"workload": vars(workload), "rival": rival, "direction": direction, "threads": settings.threads}
    command = [sys.executable, "-m", "benchmarks.memory", json.dumps(question)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode != 0:
        raise RuntimeError(f"the memory of {rival} {direction} could not be measured:\n{done.stderr}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if "unavailable" in answer:
        raise UnavailableError(answer["unavailable"])
    return answer["extra"], answer["outputs"]


def _call(workload: Workload, rival: str, direction: str, feats: Tensor, cas: Tensor) -> tuple[Call, int]:
    """The call to measure, and the bytes of its output."""
    if direction == "forward":
        function = _function_of(rival, workload, feats, cas)
        return (lambda: function(feats, cas)), declared_bytes(feats)
    function = _function_of(rival, workload, feats.requires_grad_(), cas)
    return gradient(lambda x: function(x, cas), feats, torch.ones_like(feats)), declared_bytes(feats)


def _child(question: dict[str, Any]) -> dict[str, Any]:
    """Measure in this process: the highest resident set during one call, less that before it and the output."""
    import ctypes

    torch.set_num_threads(question["threads"])
    workload = Workload(**question["workload"])
    feats, cas = workload.inputs("cpu")
    try:
        call, outputs = _call(workload, question["rival"], question["direction"], feats, cas)
    except UnavailableError as reason:
        return {"unavailable": str(reason)}
    call()  # compiles and starts the threads; the memory that it freed is given back below
    if hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)
    try:
        Path("/proc/self/clear_refs").write_text("5")  # resets the high-water mark
        before = _resident("VmRSS")
        kept = call()
        peak = _resident("VmHWM")
    except OSError as error:
        return {"unavailable": f"the high-water mark of the resident set cannot be reset here ({error})"}
    del kept
    return {"extra": max(peak - before - outputs, 0), "outputs": outputs}


def _resident(key: str) -> int:
    """Bytes of this process's resident set: VmRSS as it is now, VmHWM at its highest."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    raise OSError(f"no {key} in /proc/self/status")


if __name__ == "__main__":
    print(json.dumps(_child(json.loads(sys.argv[1]))))
