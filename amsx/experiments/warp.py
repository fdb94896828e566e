"""How much a trained model's sampler bends time on the test videos, from its saved activations."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from amsx.model.ams import predicted_classes
from amsx.training.activations import StreamActivations
from amsx.training.config import Config
from amsx.training.setup import build_sampler, seeded


@dataclass(frozen=True)
class Warp:
    """The warp of time by a sampler, as a mean over videos. Without a sampler, time stays as it is."""

    ratio: float | None  # the largest sampling weight of a video over its smallest; None: the smallest is 0 in some
    displacement: float  # how far a sample stands from where it would be without a sampler, in snippets

    def to_json(self) -> dict[str, Any]:
        """The values as in a result's JSON file."""
        return {"ratio": self.ratio, "displacement": self.displacement}

    def __str__(self) -> str:
        ratio = "some 0" if self.ratio is None else f"{self.ratio:.2f}x"
        return f"{ratio}, {self.displacement:.2f}"


UNBENT = Warp(1.0, 0.0)


def measure_warp(activations: StreamActivations, config: Config) -> Warp:
    """The warp of the videos whose activations were saved, by the sampler of `config`.

    The base branch's CAS guides it, and the classes that the base branch predicts count, as at test time. Random
    weights are drawn anew here, so their warp is that of other draws of the same kind.
    """
    if activations.supplementary is None or not config.phases.sampler:
        return UNBENT
    sampler, base = build_sampler(config), activations.base
    channels = predicted_classes(torch.from_numpy(base.probs), config.sampling.class_threshold)
    ratios, displacements = [], []
    begin = 0
    with seeded(config.optimization.seed, 0, torch.device("cpu")), torch.no_grad():
        for video, n in enumerate(base.lengths.tolist()):
            lengths = torch.tensor([n])
            cas = torch.from_numpy(base.cas[begin : begin + n])[None]
            weights = sampler.sampling_weights(cas, channels[video : video + 1], lengths)
            times = sampler.timestamps_of(weights, lengths)[0].numpy()
            least = float(weights.min())
            ratios.append(float(weights.max()) / least if least > 0 else None)
            displacements.append(float(np.abs(times - np.arange(n)).mean()))
            begin += n
    known = [ratio for ratio in ratios if ratio is not None]
    return Warp(float(np.mean(known)) if len(known) == len(ratios) else None, float(np.mean(displacements)))


def mean_warp(warps: list[Warp]) -> Warp:
    """The mean over seeds."""
    known = [warp.ratio for warp in warps if warp.ratio is not None]
    ratio = float(np.mean(known)) if len(known) == len(warps) else None
    return Warp(ratio, float(np.mean([warp.displacement for warp in warps])))
