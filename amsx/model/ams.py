"""The two-branch model: base branch, adaptive sampler, and the supplementary branch that sees its choice."""

from typing import Literal

import torch
from torch import Tensor, nn

from amsx.model.backbone import Backbone, BranchOutput
from amsx.model.masking import valid_mask
from amsx.model.pseudo_labels import pseudo_labels
from amsx.ops.alignment import align_cas
from amsx.ops.sampling import adaptive_sample, gather, sampling_timestamps

LEAST_ETA = 1e-6  # in place of 0, which leaves a video of constant CAS without any weight: it is sampled uniformly


class AMS(nn.Module):
    """Both branches of one stream (Section III). Identical backbones, own weights."""

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        hidden: int,
        dropout: float,
        top_k_divisor: int,
        smoothing: float = 0.0,
        sampler: bool = True,
        weights: Literal["adaptive", "random", "erase"] = "adaptive",
        eta: float = 0.75,
        interp_factor: int = 20,
        aggregate: Literal["max", "mean", "random"] = "max",
        mode: Literal["grid", "continuous"] = "grid",
        erase_threshold: float = 0.7,
    ) -> None:
        """`sampler=False`: both branches see the same features.

        `smoothing`: see `Backbone`; `eta` to `mode`: see `adaptive_sample`.
        `weights` of the sampler: "adaptive" is Eq. 4; "random" are drawn anew from [0, 1) in every call; "erase" is
        the hard special case of Section III-C4, 0 where a class exceeds `erase_threshold` times its mean (Eq. 8's
        rule) and 1 elsewhere, a video that would be erased as a whole being left as it is.
        """
        super().__init__()
        self.base, self.supplementary = (
            Backbone(
                in_features,
                num_classes,
                hidden=hidden,
                dropout=dropout,
                top_k_divisor=top_k_divisor,
                smoothing=smoothing,
            )
            for _ in range(2)
        )
        self.sampler = sampler
        self.weights = weights
        self.eta = max(eta, LEAST_ETA)
        self.interp_factor = interp_factor
        self.aggregate = aggregate
        self.mode = mode
        self.erase_threshold = erase_threshold

    def base_branch(self, feats: Tensor, lengths: Tensor) -> BranchOutput:
        """`feats` (B, T, D), `lengths` (B,) -> the base branch's output at the snippets."""
        return self.base(feats, lengths)

    def supplementary_branch(
        self, feats: Tensor, lengths: Tensor, base_cas: Tensor, channels: Tensor
    ) -> tuple[BranchOutput, Tensor]:
        """Its output at the sampled times, and its CAS aligned to the snippets (B, T, C); Eq. 4 to 7.

        `base_cas` (B, T, C) guides the sampler through the classes of `channels` (B, C): the ground truth in
        training, the predicted classes at test time.
        """
        if not self.sampler:
            output = self.supplementary(feats, lengths)
            return output, output.cas
        sampled, timestamps = self.sample(feats, lengths, base_cas, channels)
        output = self.supplementary(sampled, lengths)
        return output, align_cas(output.cas, timestamps, lengths)

    def sample(self, feats: Tensor, lengths: Tensor, base_cas: Tensor, channels: Tensor) -> tuple[Tensor, Tensor]:
        """What the supplementary branch sees, (B, T, D), and where each snippet of it was read, (B, T)."""
        if self.weights == "adaptive":
            return adaptive_sample(
                feats,
                base_cas,
                labels=channels,
                lengths=lengths,
                eta=self.eta,
                interp_factor=self.interp_factor,
                aggregate=self.aggregate,
                mode=self.mode,
            )
        if self.weights == "random":
            weights = torch.rand(base_cas.shape[:2], device=base_cas.device)
        else:
            weights = kept_by_erasing(base_cas, channels, lengths, self.erase_threshold)
        timestamps = sampling_timestamps(weights, lengths=lengths, interp_factor=self.interp_factor, mode=self.mode)
        return gather(feats, timestamps, lengths), timestamps

    @torch.no_grad()
    def predict(self, feats: Tensor, lengths: Tensor, class_threshold: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Test time: base and aligned supplementary CAS (B, T, C), both branches' probabilities (B, C)."""
        base = self.base_branch(feats, lengths)
        base_probs = base.log_probs.exp()
        channels = predicted_classes(base_probs, class_threshold)
        output, aligned = self.supplementary_branch(feats, lengths, base.cas, channels)
        return base.cas, aligned, base_probs, output.log_probs.exp()


def predicted_classes(probs: Tensor, threshold: float) -> Tensor:
    """Multi-hot (B, C): classes whose probability reaches `threshold`, or the likeliest where none does."""
    best = torch.zeros_like(probs).scatter_(1, probs.argmax(dim=1, keepdim=True), 1.0)
    above = (probs >= threshold).to(probs.dtype)
    return torch.where(above.any(dim=1, keepdim=True), above, best)


def kept_by_erasing(cas: Tensor, channels: Tensor, lengths: Tensor, ratio: float) -> Tensor:
    """Weights (B, T) of hard erasing: 0 where a class of `channels` (B, C) exceeds `ratio` times its mean, else 1."""
    kept = ~pseudo_labels(cas, channels, lengths, ratio=ratio).any(dim=2)
    left = (kept & valid_mask(lengths, cas.shape[1])).any(dim=1, keepdim=True)
    return (kept | ~left).to(torch.float32)
