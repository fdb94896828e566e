"""One branch of a trained model as a module of plain PyTorch operations, which other programs can run without amsx."""

from torch import Tensor, nn

from amsx.choices import GUIDED
from amsx.model.ams import AMS, predicted_classes
from amsx.model.masking import valid_mask
from amsx.model.sampler import Sampler, erasing_weights, stretched
from amsx.ops import composite
from amsx.training.phases import Branch


class BaseBranch(nn.Module):
    """The base branch: features (B, T, D) and lengths (B,) to a CAS (B, T, C) and category probabilities (B, C).

    Standardization and smoothing are part of it, so the features are those of the files. Beyond a video's length the
    CAS is 0.
    """

    def __init__(self, model: AMS) -> None:
        super().__init__()
        self.base = model.base

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The CAS at the snippets and the probability of every class."""
        output = self.base(features, lengths)
        return _without_padding(output.cas, lengths), output.log_probs.exp()


class SupplementaryBranch(nn.Module):
    """The supplementary branch at test time, with the base branch and the sampler that choose what it sees.

    It computes what `AMS.predict` computes, with the sampler and the re-alignment (Eq. 4 to 7) in their composite form.
    The inputs and outputs are those of `BaseBranch`.
    """

    def __init__(self, model: AMS, class_threshold: float) -> None:
        """`class_threshold` is the probability from which a class guides the sampler.

        ValueError where the sampler draws random numbers: the exported branch would give another CAS in every call.
        """
        super().__init__()
        self.base = model.base
        self.supplementary = model.supplementary
        self.sampler = model.sampler
        self.class_threshold = class_threshold
        for name in ("weights", "aggregate"):
            if self.sampler is not None and getattr(self.sampler, name) == "random":
                raise ValueError(
                    f"the supplementary branch cannot be exported, because it was trained with sampling.{name}=random "
                    "and draws anew in every call; the base branch can"
                )

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The CAS, aligned to the snippets, and the probability of every class."""
        if self.sampler is None:
            output = self.supplementary(features, lengths)
            return _without_padding(output.cas, lengths), output.log_probs.exp()
        base = self.base(features, lengths)
        channels = predicted_classes(base.log_probs.exp(), self.class_threshold)
        sampled, timestamps = _sample(self.sampler, features, base.cas, channels, lengths)
        output = self.supplementary(sampled, lengths)
        return composite.align_cas(output.cas, timestamps, lengths, exported=True), output.log_probs.exp()


def branch_of(model: AMS, branch: Branch, class_threshold: float) -> nn.Module:
    """The module of a branch in evaluation mode, without gradients."""
    module = BaseBranch(model) if branch == "base" else SupplementaryBranch(model, class_threshold)
    return module.eval().requires_grad_(False)


def _sample(
    sampler: Sampler, features: Tensor, cas: Tensor, channels: Tensor, lengths: Tensor
) -> tuple[Tensor, Tensor]:
    """What `sampler.sample` returns, by the composite ops."""
    factor = sampler.interp_factor if sampler.mode == "grid" else 0
    eta, mean = sampler.positive_eta, sampler.aggregate == "mean"
    if sampler.weights == "adaptive" and not sampler.normalize:
        return composite.adaptive_sample(features, cas, channels != 0, lengths, eta, mean, factor, exported=True)
    if sampler.weights in GUIDED:
        weights = composite.sampling_weights(cas, channels != 0, lengths, eta, mean)
        weights = sampler.placed(stretched(weights, lengths, eta) if sampler.normalize else weights, lengths)
    else:
        weights = erasing_weights(cas, channels, lengths, sampler.erase_threshold)
    timestamps = composite.sampling_timestamps(weights, lengths, factor, exported=True)
    return composite.gather(features, timestamps, lengths), timestamps


def _without_padding(cas: Tensor, lengths: Tensor) -> Tensor:
    return cas.masked_fill(~valid_mask(lengths, cas.shape[1])[..., None], 0)
