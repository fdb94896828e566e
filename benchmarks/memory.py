"""Peak memory beyond inputs and outputs: resident set of a process of its own on the CPU, the allocator's on CUDA."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import amsx
from benchmarks import ROOT, rivals
from benchmarks.problems import Problem, declared_bytes
from benchmarks.rows import OUT_OF_TIME, Row, print_table
from benchmarks.settings import Settings
from benchmarks.timing import Spread, UnavailableError

GROUP = "memory"
RIVALS = ("amsx", "eager gather", "compiled gather", "literal float32")


def run(settings: Settings) -> list[Row]:
    problem = Problem(B=2, T=12, D=8, H=3) if settings.quick else Problem()
    rows: list[Row] = []
    for direction in ("forward", "backward"):
        case = f"{direction}, peak beyond inputs and outputs, {problem.name}"
        names = ("amsx", "literal float32") if settings.quick else RIVALS
        found = [_row(case, direction, rival, problem, settings) for rival in names]
        print_table(found)
        rows += found
    return rows


def _row(case: str, direction: str, rival: str, problem: Problem, settings: Settings) -> Row:
    row: dict[str, Any] = {
        "group": GROUP,
        "case": case,
        "rival": rival,
        "parameters": problem.parameters(direction),
        "unit": "B",
    }
    if settings.out_of_time:
        return Row(**row, note=OUT_OF_TIME)
    try:
        if settings.cuda:
            extra, outputs = _on_cuda(problem, rival, direction)
        else:
            extra, outputs = _in_a_process(problem, rival, direction, settings)
    except UnavailableError as reason:
        return Row(**row, note=str(reason))
    details = {"output_bytes": outputs, "outputs": extra / outputs}
    return Row(**row, spread=Spread.of([extra]), note=f"{extra / outputs:.2f} x the output", details=details)


def function_of(rival: str, problem: Problem, feats: Tensor, cas: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    if rival == "amsx":
        return lambda x, c: amsx.adaptive_sample(x, c, interp_factor=problem.H).feats
    if rival == "eager gather":
        return rivals.gathered
    if rival == "compiled gather":
        return rivals.compiled(rivals.gathered, feats, cas)
    return lambda x, c: rivals.literal(x, c, problem.H)


def _on_cuda(problem: Problem, rival: str, direction: str) -> tuple[int, int]:
    """(peak bytes beyond inputs and outputs, bytes of the output)."""
    feats, cas = problem.inputs("cuda")
    call, outputs = _call(problem, rival, direction, feats, cas)
    call()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    kept = call()
    torch.cuda.synchronize()
    del kept
    return max(torch.cuda.max_memory_allocated() - before - outputs, 0), outputs


def _in_a_process(problem: Problem, rival: str, direction: str, settings: Settings) -> tuple[int, int]:
    question = {"problem": vars(problem), "rival": rival, "direction": direction, "threads": settings.threads}
    command = [sys.executable, "-m", "benchmarks.memory", json.dumps(question)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode != 0:
        raise RuntimeError(f"the memory of {rival} {direction} could not be measured:\n{done.stderr}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if "unavailable" in answer:
        raise UnavailableError(answer["unavailable"])
    return answer["extra"], answer["outputs"]


def _call(problem: Problem, rival: str, direction: str, feats: Tensor, cas: Tensor) -> tuple[Callable[[], object], int]:
    if direction == "forward":
        function = function_of(rival, problem, feats, cas)
        return (lambda: function(feats, cas)), declared_bytes(feats)
    leaf = feats.requires_grad_()
    function = function_of(rival, problem, leaf, cas)
    out = function(leaf, cas)
    grad = torch.ones_like(out)
    return (lambda: torch.autograd.grad(out, leaf, grad, retain_graph=True)), declared_bytes(feats)


def _child(question: dict[str, Any]) -> dict[str, Any]:
    """Of this process: the highest resident set during one call, less what was there before and the output."""
    import ctypes

    torch.set_num_threads(question["threads"])
    problem = Problem(**question["problem"])
    feats, cas = problem.inputs("cpu")
    try:
        call, outputs = _call(problem, question["rival"], question["direction"], feats, cas)
    except UnavailableError as reason:
        return {"unavailable": str(reason)}
    call()  # compiles, starts the threads; what it freed is given back below
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
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    raise OSError(f"no {key} in /proc/self/status")


if __name__ == "__main__":
    print(json.dumps(_child(json.loads(sys.argv[1]))))
