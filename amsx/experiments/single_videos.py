"""Fig. 6 of the paper: nine strips that show what AMS does to single test videos.

The paper shows frames; features are what is at hand here, so the first strip shows where they change. All strips are of
one stream, after the last iteration of seed 0, for one class of the video:

1. input: how much the features change from snippet to snippet, 1 - cosine
2. the ground truth
3. the base branch's CAS, its threshold and its proposals
4. the sampling weights, Eq. 4
5. the sampling density: how many samples fall on each snippet, Eq. 5 and 6
6. the supplementary branch's CAS before alignment, in sampled time: as it sees the video, slowed down where the
   weights are high; the ground truth behind it is stretched alike
7. the same after alignment, Eq. 7, with its threshold and proposals
8. pseudo-labels, Eq. 8: what either branch teaches the other
9. both CASs fused, with threshold and proposals: the result
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from amsx.data.videos import Dataset, Video
from amsx.experiments.plans import FIGURES, cell_of
from amsx.figures.strips import Strip, draw_strips
from amsx.localization.detections import detect
from amsx.localization.fusion import Activations
from amsx.localization.proposals import true_runs
from amsx.model.ams import AMS, predicted_classes
from amsx.model.pseudo_labels import pseudo_labels
from amsx.ops.alignment import align_cas
from amsx.ops.sampling import sampling_weights
from amsx.report.timelines import sample_density
from amsx.training import checkpoint
from amsx.training.config import Config
from amsx.training.setup import build_model, load_model

VIDEOS = 6  # pictures per stream


def draw_videos(dataset: Dataset, config: Config, out: Path, streams: Sequence[str]) -> list[Path]:
    """Draw the telling test videos of every stream to `out`/figure6/<stream>/<video>.png and .svg."""
    written = []
    for stream in streams:
        cell = cell_of(config, FIGURES[6].rows[0], 0, stream)
        tensors, _ = checkpoint.load(out / cell.folder / "model.safetensors", kind="checkpoint")
        model = build_model(dataset.dims[stream], len(dataset.classes), cell.config)
        load_model(model, tensors)
        model.eval()
        for video, label in telling_videos(dataset):
            channel = dataset.classes.index(label)
            feats = torch.from_numpy(video.streams[stream].load())
            strips = _strips(model, feats, channel, video, label, cell.config)
            truth = [(s.start, s.end) for s in video.segments if s.label == label]
            path = out / "figure6" / stream / video.id
            written += draw_strips(path, f"{video.id}, {stream}: {label}", strips, truth, video.timebase)
    return written


def telling_videos(dataset: Dataset) -> list[tuple[Video, str]]:
    """Test videos to look at, each with a class: of every class the video with most instances, the fullest first."""
    best: dict[str, tuple[int, Video]] = {}
    for video in dataset.subset("test"):
        for label in {s.label for s in video.segments} & set(dataset.classes):
            count = sum(s.label == label for s in video.segments)
            if label not in best or count > best[label][0]:
                best[label] = (count, video)
    found = sorted(best.items(), key=lambda item: (-item[1][0], item[0]))
    return [(video, label) for label, (_, video) in found[:VIDEOS]]


@torch.no_grad()
def _strips(model: AMS, feats: torch.Tensor, channel: int, video: Video, label: str, config: Config) -> list[Strip]:
    """The nine strips of a video of n snippets; `feats` (n, D)."""
    n = len(feats)
    lengths = torch.tensor([n])
    base = model.base_branch(feats[None], lengths)
    channels = predicted_classes(base.log_probs.exp(), config.sampling.class_threshold)
    sampled, timestamps = model.sample(feats[None], lengths, base.cas, channels)
    before = model.supplementary(sampled, lengths).cas
    after = align_cas(before, timestamps, lengths)
    weights = sampling_weights(
        base.cas, labels=channels, lengths=lengths, eta=model.eta, aggregate=config.sampling.aggregate
    )
    taught = {
        name: _runs(
            pseudo_labels(cas[:, :, [channel]], torch.ones(1, 1), lengths, ratio=config.loss.pseudo_threshold)[
                0, :, 0
            ].numpy(),
            video,
        )
        for name, cas in (("base", base.cas), ("supplementary", after))
    }
    truth = [(s.start, s.end) for s in video.segments if s.label == label]
    density = sample_density(base.cas[0].numpy(), channels, config)
    edges = video.timebase.to_seconds(np.arange(n + 1))
    passed = video.timebase.to_seconds(np.concatenate([[0.0], np.cumsum(density)]))  # sampled time at those edges
    stretched = [(float(a), float(b)) for a, b in np.interp(truth, edges, passed).reshape(-1, 2)]
    share = config.localization.supplementary_weight
    fused = (1 - share) * base.cas + share * after

    def located(name: str, cas: torch.Tensor) -> Strip:
        curve = cas[0, :, channel].numpy()
        level, intervals = _proposals(curve, video, label, config)
        return Strip(name, curve, level, {"proposals": intervals})

    return [
        Strip("input:\nchange of features", _change(feats)),
        Strip("ground truth", bars={"truth": truth}),
        located("base CAS,\nproposals", base.cas),
        Strip("sampling weights\n(Eq. 4)", weights[0].numpy()),
        Strip("sampling density\n(samples a snippet)", density),
        Strip("supplementary CAS\nin sampled time", before[0, :, channel].numpy(), shade=stretched),
        located("supplementary CAS\naligned, proposals", after),
        Strip("pseudo-labels\n(Eq. 8)", bars=taught),
        located("fused CAS,\nproposals", fused),
    ]


def _change(feats: torch.Tensor) -> NDArray[np.float32]:
    """(n,) 1 - cosine between a snippet's features and those before it; 0 for the first."""
    change = 1 - torch.nn.functional.cosine_similarity(feats[1:], feats[:-1], dim=1)
    return np.concatenate([[0], change.clamp(min=0).numpy()]).astype(np.float32)


def _proposals(
    curve: NDArray[np.float32], video: Video, label: str, config: Config
) -> tuple[float | None, list[tuple[float, float]]]:
    """The threshold (None where there are several) and the intervals that `amsx test` makes of a CAS of the label."""
    options = replace(config.localization, class_threshold=1.0)
    alone = Activations(curve[:, None], np.ones((1, 1), np.float32), np.array([len(curve)]))
    found = detect(alone, [video.id], [label], [video.timebase], options)[video.id]
    plain = options.threshold_of == "mean" and len(options.levels) == 1
    level = options.levels[0] * float(curve.mean(dtype=np.float64)) if plain else None
    return level, [(d["segment"][0], d["segment"][1]) for d in found]


def _runs(inside: NDArray[np.bool_], video: Video) -> list[tuple[float, float]]:
    """The runs of true snippets, in seconds."""
    return [(float(start), float(end)) for start, end in video.timebase.to_seconds(true_runs(inside))]
