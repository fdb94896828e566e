"""The two-branch model: base branch, adaptive sampler, and the supplementary branch that sees its choice."""

from typing import Literal

import torch
from torch import Tensor, nn

from amsx.model.backbone import Backbone, BranchOutput
from amsx.ops.alignment import align_cas
from amsx.ops.sampling import adaptive_sample


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
        sampler: bool = True,
        eta: float = 0.75,
        interp_factor: int = 20,
        aggregate: Literal["max", "mean", "random"] = "max",
        mode: Literal["grid", "continuous"] = "grid",
    ) -> None:
        """`sampler=False`: both branches see the same features. eta to mode: see `adaptive_sample`."""
        super().__init__()
        self.base = Backbone(in_features, num_classes, hidden=hidden, dropout=dropout, top_k_divisor=top_k_divisor)
        self.supplementary = Backbone(
            in_features, num_classes, hidden=hidden, dropout=dropout, top_k_divisor=top_k_divisor
        )
        self.sampler = sampler
        self.eta = eta
        self.interp_factor = interp_factor
        self.aggregate = aggregate
        self.mode = mode

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
        sampled, timestamps = adaptive_sample(
            feats,
            base_cas,
            labels=channels,
            lengths=lengths,
            eta=self.eta,
            interp_factor=self.interp_factor,
            aggregate=self.aggregate,
            mode=self.mode,
        )
        output = self.supplementary(sampled, lengths)
        return output, align_cas(output.cas, timestamps, lengths)

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
