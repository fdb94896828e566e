"""Fig. 6 of the paper: nine strips that show what AMS does to single test videos.

The paper shows frames; here only features are at hand, so the first strip shows where they change. All strips are of
one stream, after the last iteration of seed 0, for one class of the video:

1. input: how much the features change at every snippet, see `feature_change`
2. the ground truth
3. the base branch's CAS, its threshold and its proposals; this CAS and those of 7 and 9 are smoothed over time as
   `localization.smoothing` says
4. the sampling weights, Eq. 4
5. the sampling density: how many samples fall on each snippet, Eq. 5 and 6
6. the supplementary branch's CAS before alignment, in sampled time: as it sees the video, slowed down where the
   weights are high; the ground truth behind it is stretched in the same way
7. the same after alignment, Eq. 7, with its threshold and proposals
8. pseudo-labels, Eq. 8: the snippets that either branch marks for the other
9. both CASs fused, with threshold and proposals: the result
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from amsx.data.batching import FeatureSet
from amsx.data.videos import Dataset, Timebase, Video
from amsx.experiments.cells import MODEL_FILE
from amsx.experiments.plans import FIGURES, cell_of
from amsx.experiments.reproduction import strips_folder
from amsx.figures.strips import Kind, Strip, density_strip, draw_strips
from amsx.file_names import picture_names
from amsx.localization.detections import detect
from amsx.localization.fusion import Activations
from amsx.localization.post_processing import PostProcessing
from amsx.localization.proposals import thresholds, true_runs
from amsx.localization.smoothing import smoothed
from amsx.model.ams import AMS, predicted_classes
from amsx.model.pseudo_labels import pseudo_labels
from amsx.model.sampler import samples_per_snippet
from amsx.ops.alignment import align_cas
from amsx.training import checkpoint
from amsx.training.activations import feature_change
from amsx.training.config import Config
from amsx.training.setup import build_model, build_sampler, load_model

VIDEOS = 6  # pictures per stream


def draw_single_videos(dataset: Dataset, config: Config, out: Path, streams: Sequence[str]) -> list[Path]:
    """Draw the example videos of every stream below `strips_folder`, as PNG and SVG; the files written."""
    written = []
    for stream in streams:
        cell = cell_of(config, FIGURES[6].rows[0], 0, stream)
        tensors, _ = checkpoint.load(out / cell.folder / MODEL_FILE, kind="checkpoint")
        model = build_model(dataset.dims[stream], len(dataset.classes), cell.config)
        load_model(model, tensors)
        model.eval()
        names = picture_names((video.id,) for video in dataset.subset("test"))
        for example, label in example_videos(dataset):
            video = example.alone(stream)
            storage = cell.config.optimization.storage
            features = FeatureSet.load([video], stream, dataset.classes, storage=storage)
            strips = method_strips(model, features, video, label, dataset.classes.index(label), cell.config)
            path = strips_folder(out, stream) / names[video.id,]
            title = f"{video.id}, {stream}: {label}"
            truth = _truth(video, label)
            written += draw_strips(path, title, strips, truth, video.timebase, row_height=0.72)
    return written


def example_videos(dataset: Dataset) -> list[tuple[Video, str]]:
    """Test videos to draw, each with a class: for every class the video with most instances, the fullest first."""
    best: dict[str, tuple[int, Video]] = {}
    for video in dataset.subset("test"):
        for label in {s.label for s in video.segments} & set(dataset.classes):
            count = sum(s.label == label for s in video.segments)
            if label not in best or count > best[label][0]:
                best[label] = (count, video)
    ordered = sorted(best.items(), key=lambda item: (-item[1][0], item[0]))
    return [(video, label) for label, (_, video) in ordered[:VIDEOS]]


@torch.no_grad()
def method_strips(
    model: AMS, features: FeatureSet, video: Video, label: str, channel: int, config: Config
) -> list[Strip]:
    """The nine strips of a video of n snippets for the class `label`, whose CAS is the column `channel`.

    `features` are those of the video alone; `model` is in evaluation mode.
    """
    n = len(features.rows)
    feats = features.rows[0:n].float()[None]
    lengths = torch.tensor([n])
    base = model.base_branch(feats, lengths)
    channels = predicted_classes(base.log_probs.exp(), config.sampling.class_threshold)
    sampler = build_sampler(config)
    sampled, timestamps = sampler.sample(feats, base.cas, channels, lengths)
    before = model.supplementary(sampled, lengths).cas
    after = align_cas(before, timestamps, lengths)
    weights = sampler.adaptive_weights(base.cas, channels, lengths)
    named = torch.as_tensor(features.labels).float()
    named[:, channel] = 1.0
    pseudo: dict[Kind, list[tuple[float, float]]] = {}
    cases: tuple[tuple[Kind, torch.Tensor], ...] = (("base", base.cas), ("supplementary", after))
    for branch, cas in cases:
        marked = pseudo_labels(
            cas, named, lengths, ratio=config.loss.pseudo_threshold, reading=config.loss.pseudo_threshold_of
        )
        pseudo[branch] = _seconds(video.timebase, true_runs(marked[0, :, channel].numpy()))
    truth = _truth(video, label)
    density = samples_per_snippet(timestamps[0].numpy())
    edges = video.timebase.to_seconds(np.arange(n + 1))
    sampled_edges = video.timebase.to_seconds(np.concatenate([[0.0], np.cumsum(density)]))  # in sampled time
    stretched = [(float(a), float(b)) for a, b in np.interp(truth, edges, sampled_edges).reshape(-1, 2)]
    share = config.localization.supplementary_weight
    fused = (1 - share) * base.cas + share * after

    probs = base.log_probs.exp()

    def proposals(name: str, kind: Kind, cas: torch.Tensor) -> Strip:
        activations = Activations(cas[0].numpy(), probs.numpy(), lengths.numpy())
        activations = smoothed(activations, config.localization.smoothing)
        return cas_strip(name, kind, activations, channel, video.timebase, config.localization)

    return [
        Strip("input:\nchange of features", feature_change(features)),
        Strip("ground truth", bars={"truth": truth}),
        proposals("base CAS,\nproposals", "base", base.cas),
        Strip("sampling weights\n(Eq. 4)", weights[0].numpy()),
        density_strip("sampling density\n(samples a snippet)", density, video.timebase),
        Strip(
            "supplementary CAS\nin sampled time",
            before[0, :, channel].numpy(),
            shade=stretched,
            kind="supplementary",
        ),
        proposals("supplementary CAS\naligned, proposals", "supplementary", after),
        Strip("pseudo-labels\n(Eq. 8)", bars=pseudo),
        proposals("fused CAS,\nproposals", "fused", fused),
    ]


def cas_strip(
    name: str, kind: Kind, activations: Activations, channel: int, timebase: Timebase, options: PostProcessing
) -> Strip:
    """The CAS of one class in one video, with what `amsx test` makes of it: its threshold and its proposals.

    `activations` are those of the video alone. The class, whose CAS is the column `channel`, counts as predicted. The
    threshold is left out where there are several.
    """
    classes = [str(number) for number in range(activations.probs.shape[1])]
    detections = detect(activations.also_predicting(channel), ["video"], classes, [timebase], options)
    of_class = np.array([detections.labels[label] == str(channel) for label in detections.label], dtype=bool)
    proposals = list(zip(detections.start[of_class].tolist(), detections.end[of_class].tolist(), strict=True))
    levels = thresholds(activations, channel, options)
    values = activations.cas[:, channel]
    return Strip(name, values, levels[0] if len(levels) == 1 else None, {"proposal": proposals}, kind=kind)


def _truth(video: Video, label: str) -> list[tuple[float, float]]:
    return [(s.start, s.end) for s in video.segments if s.label == label]


def _seconds(timebase: Timebase, runs: NDArray[np.int64]) -> list[tuple[float, float]]:
    return [(float(start), float(end)) for start, end in timebase.to_seconds(runs)]
