"""Location pseudo-labels, the targets that one branch gives the other (Eq. 8)."""

import torch
from torch import Tensor

from amsx.choices import MeanReading
from amsx.model.masking import valid_mask
from amsx.model.mean_activation import mean_activation


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
