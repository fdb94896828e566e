"""The sampler between the branches: where the supplementary branch reads a video (Eq. 4 to 6, and its controls)."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from amsx.choices import GUIDED, Aggregate, Mode, SamplingWeights
from amsx.model.masking import valid_mask
from amsx.model.part import Part, part_of
from amsx.model.pseudo_labels import pseudo_labels
from amsx.ops.sampling import Sampled, adaptive_sample, gather, one_channel, sampling_timestamps, sampling_weights
from amsx.ranges import check_ranges

FLAT = 1e-6  # a CAS that varies by no more is constant: rounding makes such differences
LEAST_ETA = 1e-6  # in place of 0, which leaves a video of constant CAS without any weight: it is sampled uniformly


@dataclass(frozen=True)
class Sampler:
    """Chooses the times at which a video's features are read. It has no parameters to train.

    Its methods take `cas` (B, T, C), `channels` (B, C), multi-hot: the classes that count, and `lengths` (B,): the
    valid snippets of each video. `part` says where the videos lie in a batch that several processes share (None: they
    are a whole batch).
    """

    weights: SamplingWeights = "adaptive"  # how the weights are made; see `sampling_weights`
    eta: float = 0.75  # added to every weight of Eq. 4
    normalize: bool = False  # whether the CAS in Eq. 4 is stretched to [0, 1] in every video
    interp_factor: int = 20  # H, sub-positions per snippet in grid mode; Eq. 6
    aggregate: Aggregate = "max"  # how the channels become one sequence; Eq. 4, Table V
    mode: Mode = "grid"  # Eq. 6, or its limit for infinite H
    erase_threshold: float = 0.7  # of weights "erase", as a multiple of the mean activation; alpha of Eq. 8

    def __post_init__(self) -> None:
        check_ranges(self, "Sampler")

    def sample(
        self, feats: Tensor, cas: Tensor, channels: Tensor, lengths: Tensor, part: Part | None = None
    ) -> Sampled:
        """Read `feats` (B, T, D) at the chosen times: the sampled features (B, T, D) and their timestamps (B, T)."""
        if self.weights == "adaptive" and not self.normalize:  # one op for all of it
            channels, aggregate = self._aggregation(cas, channels, part)
            return adaptive_sample(
                feats,
                cas,
                labels=channels,
                lengths=lengths,
                eta=self.positive_eta,
                interp_factor=self.interp_factor,
                aggregate=aggregate,
                mode=self.mode,
            )
        timestamps = self.timestamps(cas, channels, lengths, part)
        return Sampled(gather(feats, timestamps, lengths), timestamps)

    def timestamps(self, cas: Tensor, channels: Tensor, lengths: Tensor, part: Part | None = None) -> Tensor:
        """The chosen times (B, T) in snippet units, the same as those of `sample`; Eq. 5 and 6."""
        return self.timestamps_of(self.sampling_weights(cas, channels, lengths, part), lengths)

    def timestamps_of(self, weights: Tensor, lengths: Tensor) -> Tensor:
        """The times (B, T) that `weights` (B, T) choose; Eq. 5 and 6."""
        return sampling_timestamps(weights, lengths=lengths, interp_factor=self.interp_factor, mode=self.mode)

    def sampling_weights(self, cas: Tensor, channels: Tensor, lengths: Tensor, part: Part | None = None) -> Tensor:
        """How densely each snippet is sampled, (B, T).

        "adaptive" is Eq. 4. "rolled" lays the same weights half a video later, and what leaves the end comes back at
        the beginning; "reversed" lays them in the opposite order: the same warp at a place that the CAS did not choose.
        "random" weights are drawn from [0, 1) anew in every call. "erase" is the hard special case of Section III-C4,
        see `erasing_weights`.
        """
        if self.weights in GUIDED:
            return self.placed(self.adaptive_weights(cas, channels, lengths, part), lengths)
        if self.weights == "random":
            part = part_of(cas, part)
            return part.own(torch.rand(part.videos, part.snippets, device=cas.device), cas)
        return erasing_weights(cas, channels, lengths, self.erase_threshold)

    def adaptive_weights(self, cas: Tensor, channels: Tensor, lengths: Tensor, part: Part | None = None) -> Tensor:
        """The weights (B, T) of Eq. 4, whatever the setting `weights` is; see `stretched` for `normalize`."""
        eta = self.positive_eta
        channels, aggregate = self._aggregation(cas, channels, part)
        weights = sampling_weights(cas, labels=channels, lengths=lengths, eta=eta, aggregate=aggregate)
        return stretched(weights, lengths, eta) if self.normalize else weights

    def placed(self, weights: Tensor, lengths: Tensor) -> Tensor:
        """The weights (B, T) of Eq. 4 where the setting `weights` lays them: as they are, rolled or reversed."""
        if self.weights == "adaptive":
            return weights
        steps = torch.arange(weights.shape[1], device=weights.device).expand(weights.shape)
        n = lengths[:, None]
        source = (steps + n // 2) % n if self.weights == "rolled" else n - 1 - steps
        return torch.where(steps < n, weights.gather(1, source.clamp(min=0)), weights)

    def _aggregation(self, cas: Tensor, channels: Tensor, part: Part | None) -> tuple[Tensor, Aggregate]:
        """The channels that count, and how they become one. A random class is drawn here: it alone counts then."""
        if self.aggregate != "random":
            return channels, self.aggregate
        draws = torch.rand(part_of(cas, part).videos, channels.shape[1], device=cas.device)
        return one_channel(channels != 0, part_of(cas, part).own(draws, channels)), "max"

    @property
    def draws(self) -> bool:
        """Whether sampling takes random numbers."""
        return self.weights == "random" or (self.weights in GUIDED and self.aggregate == "random")

    @property
    def positive_eta(self) -> float:
        """What is added to the weights: `eta`, or next to nothing where it is 0."""
        return max(self.eta, LEAST_ETA)


def stretched(weights: Tensor, lengths: Tensor, eta: float) -> Tensor:
    """Weights (B, T) of Eq. 4, with max(m) - m divided by its largest value in each video.

    The largest weight becomes 1 + eta and the smallest eta, however flat the CAS is. A constant CAS has equal weights.
    """
    valid = valid_mask(lengths, weights.shape[1])
    lack = (weights - eta).masked_fill(~valid, 0.0)  # max(m) - m
    largest = lack.amax(dim=1, keepdim=True)
    return torch.where(largest > FLAT, lack / largest.clamp(min=FLAT), 0.0) + eta


def erasing_weights(cas: Tensor, channels: Tensor, lengths: Tensor, ratio: float) -> Tensor:
    """Weights (B, T) of hard erasing: 0 where a class of `channels` exceeds `ratio` times its mean (Eq. 8), else 1.

    A video of which nothing would be left keeps all its snippets.
    """
    kept = ~pseudo_labels(cas, channels, lengths, ratio=ratio).any(dim=2)
    left = (kept & valid_mask(lengths, cas.shape[1])).any(dim=1, keepdim=True)
    return (kept | ~left).to(torch.float32)


def samples_per_snippet(timestamps: NDArray[np.float32]) -> NDArray[np.float64]:
    """How many of a video's n samples, at `timestamps` (n,), fall on each of its snippets: (n,), n in sum.

    Sample i stands where the cumulated weights reach i + 0.5; between two samples they are taken to be linear.
    """
    n = len(timestamps)
    times = np.concatenate([[-0.5], timestamps.astype(np.float64), [n - 0.5]])
    cumulated = np.concatenate([[0.0], np.arange(n) + 0.5, [float(n)]])
    at_edges: NDArray[np.float64] = np.interp(np.arange(n + 1) - 0.5, times, cumulated)
    return np.diff(at_edges)
