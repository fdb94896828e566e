"""Runs every op and every gradient on a device, at awkward sizes, for compute-sanitizer to watch.

The inputs are made on the CPU, so that nearly all kernels that run on the GPU are those of amsx.
"""

import sys
from collections.abc import Iterator
from itertools import product
from typing import Any, get_args

import torch
from torch import Tensor

import amsx
from amsx.choices import Mode

SIZES = [  # B, T, D, C
    (1, 1, 1, 1),
    (2, 2, 3, 2),
    (2, 129, 65, 5),
    (1, 700, 16, 20),
    (1, 2100, 33, 3),  # more snippets than shared memory holds
    (1, 5, 2056, 101),  # wide rows for which the threads of a block take a second step, whatever the type
    (1, 40, 517, 2),  # the same of rows that are not aligned; and a spike, below
]
SPIKE = 40  # of videos of so many snippets the second one takes nearly all samples, and so has over 16 readers
DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


def results(device: str) -> Iterator[tuple[str, Tensor]]:
    """Yield (op and size in words, output) for every op, size and dtype, in both modes, with and without lengths."""
    for (B, T, D, C), dtype, mode in product(SIZES, DTYPES, get_args(Mode)):
        generator = torch.Generator().manual_seed(B * T + D)
        feats, grad = (torch.randn(B, T, D, generator=generator).to(dtype).to(device) for _ in range(2))
        cas, grad_cas = (torch.rand(B, T, C, generator=generator).to(dtype).to(device) for _ in range(2))
        if T == SPIKE:
            cas = torch.ones_like(cas)
            cas[:, 1] = 0
        labels = (torch.rand(B, C, generator=generator) > 0.3).to(device)
        lengths = torch.randint(1, T + 1, (B,), generator=generator).to(device) if T % 2 else None
        aggregate = "mean" if T % 3 == 0 else "max"
        eta = 0.01 if T == SPIKE else 0.75
        options: Any = {"labels": labels, "lengths": lengths, "aggregate": aggregate, "eta": eta}
        feats.requires_grad_()
        cas.requires_grad_()

        weights = amsx.sampling_weights(cas, **options)
        timestamps = amsx.sampling_timestamps(weights, lengths=lengths, mode=mode)
        gathered = amsx.gather(feats, timestamps, lengths)
        aligned = amsx.align_cas(cas, timestamps, lengths)
        parts = torch.autograd.grad([gathered, aligned], [feats, cas], [grad, grad_cas])
        # The same in one op:
        sampled = amsx.adaptive_sample(feats, cas, mode=mode, **options)
        whole = torch.autograd.grad(sampled.feats, feats, grad)

        size = f"{str(dtype).removeprefix('torch.')} B {B}, T {T}, D {D}, C {C}, {mode}"
        outputs = {
            "weights": weights,
            "timestamps": timestamps,
            "gathered": gathered,
            "aligned": aligned,
            "gradient of gather": parts[0],
            "gradient of the CAS": parts[1],
            "adaptive_sample": sampled.feats,
            "its timestamps": sampled.timestamps,
            "its gradient": whole[0],
        }
        for name, output in outputs.items():
            yield f"{name}, {size}", output.detach()


def main(device: str = "cuda") -> int:
    count, not_finite = 0, []
    for name, output in results(device):
        count += 1
        if not torch.isfinite(output.cpu()).all():
            not_finite.append(name)
    for name in not_finite:
        print(f"not finite: {name}", file=sys.stderr)
    print(f"all ops: {count} results on {device}, {len(not_finite)} not finite")
    return 1 if not_finite else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
