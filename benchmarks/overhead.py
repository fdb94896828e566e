"""What a call costs beside its actual work, measured on tiny inputs (B 1, T 16, D 8)."""

import torch

import amsx
from benchmarks import rivals
from benchmarks.calls import gradient
from benchmarks.measuring import measure
from benchmarks.rows import Row
from benchmarks.settings import Settings
from benchmarks.timing import Contender, ready
from benchmarks.workloads import Workload

GROUP = "overhead"
TINY = Workload(B=1, T=16, D=8)


def run(settings: Settings) -> list[Row]:
    feats, cas = TINY.inputs(settings.device)
    timestamps = amsx.adaptive_sample(feats, cas).timestamps
    inner = 2 if settings.quick else 200
    case = f"B {TINY.B}, T {TINY.T}, D {TINY.D}"
    plain = [
        Contender("clone", ready(feats.clone), inner=inner),
        Contender("amsx", ready(lambda: amsx.adaptive_sample(feats, cas)), inner=inner),
        Contender("amsx, continuous", ready(lambda: amsx.adaptive_sample(feats, cas, mode="continuous")), inner=inner),
        Contender("amsx align_cas", ready(lambda: amsx.align_cas(cas, timestamps)), inner=inner),
        Contender("eager gather", ready(lambda: rivals.gathered(feats, cas)), inner=inner),
        Contender("eager searchsorted", ready(lambda: rivals.aligned(cas, timestamps)), inner=inner),
    ]
    with torch.no_grad():
        rows = measure(GROUP, f"a call, no gradient, {case}", TINY.parameters("forward"), plain, settings)
    grad = torch.randn_like(feats)
    backward = [
        Contender("clone", ready(feats.clone), inner=inner),
        Contender("clone, backward", lambda: gradient(torch.clone, feats, grad), inner=inner),
        Contender("amsx", lambda: gradient(lambda x: amsx.adaptive_sample(x, cas).feats, feats, grad), inner=inner),
        Contender("eager gather", lambda: gradient(lambda x: rivals.gathered(x, cas), feats, grad), inner=inner),
    ]
    case = f"autograd.grad through a call, {case}"
    return rows + measure(GROUP, case, TINY.parameters("backward"), backward, settings)
