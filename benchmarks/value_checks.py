"""Checks of what the kernels compute on a device, where tests/gpu does not go: compared with the CPU."""

import torch
from torch import Tensor

import amsx
from benchmarks.comparing import DTYPES, Place, UnequalError, expect_close, expect_same_bits, random_batch, spiky_cas
from benchmarks.stages import AbsentError

OPS = torch.ops.amsx


def compare_all(place: Place, what: str, feats: Tensor, cas: Tensor, eta: float = 0.75, factor: int = 20) -> None:
    """Every op and gradient on the device and on the CPU: the same bits, or close where sums are added differently."""
    grad, grad_cas = torch.randn(feats.shape).to(feats.dtype), torch.randn(cas.shape).to(cas.dtype)
    results: list[dict[str, Tensor]] = []
    for x, c, g, gc in ((feats, cas, grad, grad_cas), tuple(map(place.put, (feats, cas, grad, grad_cas)))):
        weights = OPS.sampling_weights(c, None, None, eta, False)
        timestamps = OPS.sampling_timestamps(weights, None, factor)
        sampled, whole, *_ = OPS.adaptive_sample(x, c, None, None, eta, False, factor)
        results.append(
            {
                "weights": weights,
                "timestamps": timestamps,
                "sampled": sampled,
                "timestamps of adaptive_sample": whole,
                "gradient of gather": OPS.gather_backward(g, timestamps, None),
                "align_cas": OPS.align_cas(c, timestamps, None),
                "gradient of align_cas": OPS.align_cas_backward(gc, timestamps, None),
            }
        )
    here, there = results
    for name in here:
        expect_same_bits(f"{what}, {name}", there[name], here[name])


def spikes(place: Place) -> dict[str, object]:
    """One snippet takes hundreds of samples: one row of the gradient has as many readers; also eta 0.01."""
    T, D = place.size(1500, 60), place.size(520, 16)
    for dtype in DTYPES:
        feats, _ = random_batch(2, T, D, 1, dtype)
        cas = spiky_cas(2, T, 20).to(dtype)
        for eta in (0.75, 0.01):
            for factor in (20, 0):
                compare_all(place, f"spikes, {dtype}, eta {eta}, H {factor}", feats, cas, eta, factor)
    timestamps = OPS.sampling_timestamps(OPS.sampling_weights(spiky_cas(2, T, 20), None, None, 0.01, False), None, 0)
    readers = torch.stack([t.round().long().bincount(minlength=T).max() for t in timestamps])
    return {"most readers of a row": int(readers.max())}


def long_videos(place: Place) -> dict[str, object]:
    """One video of 2,615, 20,000 and 100,000 snippets."""
    lengths = (40, 300) if place.small else (2615, 20000, 100000)
    for T in lengths:
        for dtype in DTYPES[:2]:
            compare_all(place, f"one video of {T}, {dtype}", *random_batch(1, T, 24, 20, dtype))
            compare_all(place, f"one video of {T}, {dtype}, continuous", *random_batch(1, T, 7, 3, dtype), factor=0)
    return {"snippets": list(lengths)}


def many_classes(place: Place) -> dict[str, object]:
    """A CAS of 100 and 200 classes, both ways of aggregation, and its gradients in continuous mode."""
    for C in (100, 200):
        T = place.size(2000, 30)
        compare_all(place, f"{C} classes", *random_batch(2, T, 8, C, torch.float32))
        for mean in (False, True):
            gradients_of_continuous_mode(place, T, C, mean)
    return {}


def gradients_of_continuous_mode(place: Place, T: int, C: int, mean: bool) -> None:
    feats, cas = random_batch(2, T, 64, C, torch.float32)
    weights = OPS.sampling_weights(cas, None, None, 0.75, mean)
    timestamps = OPS.sampling_timestamps(weights, None, 0)
    grad, grad_t = torch.randn(feats.shape), torch.randn(timestamps.shape)
    calls = {
        "sampling_weights_backward": (grad_t, cas, None, None, mean),
        "sampling_timestamps_backward": (grad_t, weights, timestamps, None),
        "gather_backward_timestamps": (grad, feats, timestamps, None),
        "align_cas_backward_timestamps": (cas, cas, timestamps, None),
    }
    for name, arguments in calls.items():
        op = getattr(OPS, name)
        there = op(*(place.put(x) if isinstance(x, Tensor) else x for x in arguments))
        expect_close(f"{name}, T {T}, C {C}, mean {mean}", there, op(*arguments))


def continuous_backward(place: Place) -> dict[str, object]:
    """From the loss to the CAS: autograd through sampling and alignment in continuous mode."""
    feats, cas = random_batch(3, place.size(1000, 20), place.size(256, 8), 20, torch.float32)
    gradients = []
    for x, c in ((feats, cas), (place.put(feats), place.put(cas))):
        assert x is not None and c is not None
        leaves = [x.requires_grad_(), c.requires_grad_()]
        sampled = amsx.adaptive_sample(*leaves, mode="continuous")
        aligned = amsx.align_cas(leaves[1], sampled.timestamps)
        gradients.append(torch.autograd.grad([sampled.feats.square().mean(), aligned.square().mean()], leaves))
    for name, here, there in zip(("feats", "cas"), *gradients, strict=True):
        expect_close(f"gradient to the {name}", there, here)
    return {}


def nan_rows(place: Place) -> dict[str, object]:
    """A NaN in row r reaches the samples that read r with a weight above 0, and no others; so with its gradient."""
    T, D = place.size(700, 40), place.size(130, 8)
    for dtype in DTYPES:
        feats, cas = random_batch(2, T, D, 5, dtype)
        cas[1] = 0.5  # equal weights: every sample is at a snippet's centre, where the fraction is 0
        grad = torch.ones_like(feats)
        row = T // 2
        feats[:, row], grad[:, row] = torch.nan, torch.nan
        timestamps = OPS.sampling_timestamps(OPS.sampling_weights(cas, None, None, 0.75, False), None, 0)
        position = timestamps.double().clamp(0, T - 1)
        left, fraction = position.floor(), position - position.floor()
        reads = (left == row) | ((left == row - 1) & (fraction > 0))
        there = place.put(timestamps)
        sampled = OPS.gather(place.put(feats), there, None).cpu()
        if not torch.equal(sampled.isnan().all(dim=2), reads) or not torch.equal(sampled.isnan().any(dim=2), reads):
            raise UnequalError(f"{dtype}: a NaN in row {row} does not reach the samples that read it, and them alone")
        back = OPS.gather_backward(place.put(grad), there, None).cpu()
        for b in range(2):
            rows = torch.zeros(T, dtype=torch.bool)
            at = int(left[b, row])
            rows[at] = fraction[b, row] < 1
            if fraction[b, row] > 0:
                rows[at + 1] = True
            if not torch.equal(back[b].isnan().any(dim=1), rows):
                raise UnequalError(f"{dtype}: a NaN in a gradient's row does not reach the rows that it reads alone")
    return {}


def beyond_32_bits(place: Place) -> dict[str, object]:
    """Features of more than 2^31 elements: what lies beyond is compared with a slice of its own."""
    T, D = place.size(2052, 9), place.size(1 << 20, 48)
    if not place.small and torch.cuda.mem_get_info()[0] < 30 << 30:
        raise AbsentError(f"{torch.cuda.mem_get_info()[0] >> 30} GiB are free, and this takes 30")
    cas = torch.rand(1, T, 20)
    timestamps = amsx.adaptive_sample(cas, cas).timestamps
    there = place.put(timestamps)
    feats = torch.randn(1, T, D, device=place.device, dtype=torch.bfloat16)
    for name, op in (("gather", OPS.gather), ("gather_backward", OPS.gather_backward)):
        out = op(feats, there, None)
        for begin in (0, D // 2 - 8, D - 16):
            columns = slice(begin, begin + 16)
            here = op(feats[:, :, columns].cpu().contiguous(), timestamps, None)
            expect_same_bits(f"{name} of {feats.numel()} elements, columns from {begin}", out[:, :, columns], here)
        del out
    return {"elements": feats.numel()}
