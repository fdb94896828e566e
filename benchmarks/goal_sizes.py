"""Runs every kernel of amsx once at the sizes that the goals are about, for a profiler to watch."""

import sys

import torch

import amsx
from benchmarks.workloads import Workload

OPS = torch.ops.amsx
SIZES = tuple(Workload(B=16, T=2000, D=1024, dtype=dtype) for dtype in ("float32", "bfloat16"))


def run(workload: Workload, device: str) -> int:
    """Call every op and every gradient; return how many calls that were."""
    feats, cas = workload.inputs(device)
    grad, grad_cas = torch.ones_like(feats), torch.ones_like(cas)
    grid = amsx.adaptive_sample(feats, cas, interp_factor=workload.H)
    weights = amsx.sampling_weights(cas)
    timestamps = amsx.sampling_timestamps(weights, mode="continuous")
    grad_timestamps = torch.ones_like(timestamps)
    calls = [
        lambda: OPS.gather_backward(grad, grid.timestamps, None),
        lambda: OPS.align_cas(cas, grid.timestamps, None),
        lambda: OPS.align_cas_backward(grad_cas, grid.timestamps, None),
        lambda: OPS.gather_backward_timestamps(grad, feats, timestamps, None),
        lambda: OPS.align_cas_backward_timestamps(grad_cas, cas, timestamps, None),
        lambda: OPS.sampling_timestamps_backward(grad_timestamps, weights, timestamps, None),
        lambda: OPS.sampling_weights_backward(grad_timestamps, cas, None, None, False),
    ]
    for call in calls:
        call()
    return 3 + len(calls)


def main(device: str = "cuda") -> int:
    count = sum(run(workload, device) for workload in SIZES)
    if device == "cuda":
        torch.cuda.synchronize()
    print(f"goal sizes: {count} calls on {device}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
