"""The two-branch model: base branch, sampler, and the supplementary branch that sees what the sampler chose."""

import torch
from torch import Tensor, nn

from amsx.model.backbone import Backbone, BranchOutput
from amsx.model.own_backbone import OwnBackbone
from amsx.model.part import Part
from amsx.model.sampler import Sampler
from amsx.ops.alignment import align_cas

Branch = Backbone | OwnBackbone


class AMS(nn.Module):
    """Both branches of one stream (Section III): two backbones of the same form, each with its own weights.

    `part` says where the videos lie in a batch that several processes share (None: they are a whole batch).
    """

    def __init__(self, base: Branch, supplementary: Branch, sampler: Sampler | None) -> None:
        """With `sampler=None`, the supplementary branch sees the same features as the base branch."""
        super().__init__()
        self.base = base
        self.supplementary = supplementary
        self.sampler = sampler

    def base_branch(self, feats: Tensor, lengths: Tensor, part: Part | None = None) -> BranchOutput:
        """The base branch's output at the snippets of `feats` (B, T, D) with `lengths` (B,)."""
        output: BranchOutput = self.base(feats, lengths, part)
        return output

    def supplementary_branch(
        self, feats: Tensor, lengths: Tensor, base_cas: Tensor, channels: Tensor, part: Part | None = None
    ) -> tuple[BranchOutput, Tensor]:
        """The supplementary branch's output at the sampled times, and its CAS aligned to the snippets (B, T, C).

        Eq. 4 to 7. `base_cas` (B, T, C) guides the sampler through the classes of `channels` (B, C): the ground truth
        in training, the predicted classes at test time. A video of no class is guided by all of them.
        """
        sampled, timestamps = self._sampled(feats, lengths, base_cas, channels, part)
        output = self.supplementary(sampled, lengths, part)
        return output, _aligned(output.cas, timestamps, lengths)

    def base_cas(self, feats: Tensor, lengths: Tensor) -> Tensor:
        """The CAS of `base_branch` alone (B, T, C), which takes less time."""
        return self.base.cas(feats, lengths)

    def supplementary_cas(
        self, feats: Tensor, lengths: Tensor, base_cas: Tensor, channels: Tensor, part: Part | None = None
    ) -> Tensor:
        """The aligned CAS of `supplementary_branch` alone (B, T, C), which takes less time."""
        sampled, timestamps = self._sampled(feats, lengths, base_cas, channels, part)
        return _aligned(self.supplementary.cas(sampled, lengths), timestamps, lengths)

    def _sampled(
        self, feats: Tensor, lengths: Tensor, base_cas: Tensor, channels: Tensor, part: Part | None
    ) -> tuple[Tensor, Tensor | None]:
        """What the supplementary branch sees, and the timestamps (B, T) of it; None: it sees the snippets."""
        if self.sampler is None:
            return feats, None
        channels = torch.where((channels != 0).any(dim=1, keepdim=True), channels, torch.ones_like(channels))
        return self.sampler.sample(feats, base_cas, channels, lengths, part)

    @torch.no_grad()
    def predict(self, feats: Tensor, lengths: Tensor, class_threshold: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """At test time: the base CAS and the aligned supplementary CAS (B, T, C), then their probabilities (B, C).

        The sampler follows the classes whose probability, by the base branch, reaches `class_threshold`.
        """
        base = self.base_branch(feats, lengths)
        base_probs = base.log_probs.exp()
        channels = predicted_classes(base_probs, class_threshold)
        output, aligned = self.supplementary_branch(feats, lengths, base.cas, channels)
        return base.cas, aligned, base_probs, output.log_probs.exp()


def _aligned(cas: Tensor, timestamps: Tensor | None, lengths: Tensor) -> Tensor:
    return cas if timestamps is None else align_cas(cas, timestamps, lengths)


def predicted_classes(probs: Tensor, threshold: float) -> Tensor:
    """Multi-hot (B, C): the classes of each video whose probability reaches `threshold`, or the likeliest if none does.

    `amsx.localization.proposals.predicted_classes` is the same rule for NumPy arrays.
    """
    best = torch.zeros_like(probs).scatter_(1, probs.argmax(dim=1, keepdim=True), 1.0)
    above = (probs >= threshold).to(probs.dtype)
    return torch.where(above.any(dim=1, keepdim=True), above, best)
