"""From activations to detections in seconds, for 210 videos as long as THUMOS14's, two streams of two branches each."""

from dataclasses import replace

import numpy as np

from amsx.data.videos import Timebase
from amsx.evaluation import Columns
from amsx.localization.detections import detect
from amsx.localization.fusion import Activations, fuse
from amsx.localization.post_processing import PostProcessing
from benchmarks.measuring import measure
from benchmarks.rows import Row
from benchmarks.settings import Settings
from benchmarks.timing import Contender, ready

GROUP = "postprocessing"
PAPER = PostProcessing(class_threshold=0.1)  # which the random probabilities of two or three classes per video reach
MANY = replace(  # as BaS-Net and CoLA localize
    PAPER,
    thresholds=tuple(i / 40 for i in range(10)),
    threshold_of="range",
    score="outer-inner-contrast",
    class_weight=0.2,
)
CHOICES = {
    "the paper's": PAPER,
    "ten thresholds, contrast": MANY,
    "ten thresholds, contrast, hard NMS": replace(MANY, nms="hard"),
    "ten thresholds, contrast, soft NMS": replace(MANY, nms="soft"),
}


def run(settings: Settings) -> list[Row]:
    V, C = (5, 4) if settings.quick else (210, 20)
    parts = [synthetic(V, C, seed) for seed in range(4)]
    ids = [f"video {v}" for v in range(V)]
    classes = [f"class {c}" for c in range(C)]
    timebases = [Timebase(0.64)] * V

    def localize(options: PostProcessing) -> Columns:
        streams = [fuse(parts[:2], [0.5, 0.5]), fuse(parts[2:], [0.5, 0.5])]
        return detect(fuse(streams, [0.15, 0.85]), ids, classes, timebases, options)

    counts = [len(localize(options)) for options in CHOICES.values()]
    case = f"{V} videos, {int(parts[0].lengths.sum())} snippets, {C} classes, {', '.join(map(str, counts))} detections"
    contenders = [
        Contender(name, ready(lambda options=options: localize(options)))  # type: ignore[misc]
        for name, options in CHOICES.items()
    ]
    return measure(GROUP, case, {"videos": V, "C": C}, contenders, settings)


def synthetic(V: int, C: int, seed: int) -> Activations:
    """Smooth random activations. The lengths are THUMOS14's for every seed: median about 253 snippets, longest 2615."""
    lengths = np.clip(np.random.default_rng(0).lognormal(np.log(253), 0.8, V), 20, 2615).astype(np.int64)
    lengths[lengths.argmax()] = 2615
    rng = np.random.default_rng(seed)
    noise = rng.random((int(lengths.sum()) + 8, C), dtype=np.float32)
    cas = np.lib.stride_tricks.sliding_window_view(noise, 9, axis=0).mean(axis=-1)
    probs = rng.dirichlet(np.full(C, 0.1), size=V).astype(np.float32)
    return Activations(np.ascontiguousarray(cas), probs, lengths)
