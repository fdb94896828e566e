"""From raw activations to detections in seconds: 210 videos of THUMOS's lengths, two streams of two branches each."""

import numpy as np

from amsx.data.videos import Timebase
from amsx.localization.detections import detect
from amsx.localization.fusion import Activations, fuse
from benchmarks.rows import Row, measure
from benchmarks.settings import Settings
from benchmarks.timing import Contender, ready

GROUP = "postprocessing"


def run(settings: Settings) -> list[Row]:
    V, C = (5, 4) if settings.quick else (210, 20)
    parts = [synthetic(V, C, seed) for seed in range(4)]
    ids = [f"video {v}" for v in range(V)]
    classes = [f"class {c}" for c in range(C)]
    timebases = [Timebase(0.64)] * V

    def localize() -> object:
        streams = [fuse(parts[:2], [0.5, 0.5]), fuse(parts[2:], [0.5, 0.5])]
        fused = fuse(streams, [0.15, 0.85])
        return detect(fused, ids, classes, timebases, class_threshold=0.1, threshold=0.7)

    case = f"{V} videos, {int(parts[0].lengths.sum())} snippets, {C} classes"
    return measure(GROUP, case, {"videos": V, "C": C}, [Contender("amsx", ready(localize))], settings)


def synthetic(V: int, C: int, seed: int) -> Activations:
    """Smooth random activations; lengths alike for every seed, a median of 300 snippets of 0.64 s, a long tail."""
    lengths = np.clip(np.random.default_rng(0).lognormal(np.log(300), 0.7, V), 20, 2500).astype(np.int64)
    rng = np.random.default_rng(seed)
    noise = rng.random((int(lengths.sum()) + 8, C), dtype=np.float32)
    cas = np.lib.stride_tricks.sliding_window_view(noise, 9, axis=0).mean(axis=-1)
    probs = rng.dirichlet(np.full(C, 0.1), size=V).astype(np.float32)
    return Activations(np.ascontiguousarray(cas), probs, lengths)
