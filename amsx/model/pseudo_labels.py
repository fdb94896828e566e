"""Location pseudo-labels, the targets that one branch gives the other (Eq. 8)."""

import torch
from torch import Tensor

from amsx.choices import MeanReading
from amsx.model.masking import valid_mask
from amsx.model.mean_activation import mean_activation

LEAST_WAY = 1e-9  # between the threshold and the largest activation, or 0


def pseudo_labels(
    cas: Tensor,
    labels: Tensor,
    lengths: Tensor,
    *,
    ratio: float,
    reading: MeanReading = "mean",
    exclusive: bool = False,
) -> Tensor:
    """Eq. 8: a boolean tensor (B, T, C), true where `cas` (B, T, C) of a ground-truth class exceeds its threshold.

    The threshold of a class in a video is `ratio` times avg(M), of which `reading` says what the mean is taken over
    (`mean_activation`). Classes that `labels` (B, C) does not name, and the padding, are false.

    `exclusive` keeps a snippet for the highest of its ground-truth classes only. The paper does not say what happens
    where the sets of two classes overlap; a softmax over the classes cannot follow two targets at once.
    """
    threshold = ratio * mean_activation(cas, labels, lengths, reading)  # (B, C)
    valid = valid_mask(lengths, cas.shape[1])
    named = labels[:, None] != 0
    positive = (cas > threshold[:, None]) & named & valid[..., None]
    if exclusive:
        highest = cas.masked_fill(~named, -1.0).argmax(dim=2, keepdim=True)  # (B, T, 1)
        positive &= torch.zeros_like(positive).scatter_(2, highest, True)
    return positive


def confidence(cas: Tensor, labels: Tensor, lengths: Tensor, *, ratio: float, reading: MeanReading = "mean") -> Tensor:
    """How sure the pseudo-labels of `cas` (B, T, C) are, in [0, 1]: 0 at the threshold of Eq. 8, 1 furthest from it.

    Above the threshold it is the share of the way from there to the largest activation of the class in the video, and
    below it that of the way to an activation of 0. It means nothing in the padding. The arguments are those of
    `pseudo_labels`.
    """
    threshold = (ratio * mean_activation(cas, labels, lengths, reading))[:, None]  # (B, 1, C)
    valid = valid_mask(lengths, cas.shape[1])[..., None]
    largest = cas.masked_fill(~valid, 0).amax(dim=1, keepdim=True)
    above = (cas - threshold) / (largest - threshold).clamp(min=LEAST_WAY)
    below = (threshold - cas) / threshold.clamp(min=LEAST_WAY)
    return torch.where(cas > threshold, above, below).clamp(0, 1)
