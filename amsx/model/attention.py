"""Class-agnostic attention: one foreground weight for every snippet, learned from the labels of videos alone.

The weights (B, T) in [0, 1] suppress the CAS where no action is seen, as in BaS-Net (Lee et al., AAAI 2020), HAM-Net
(Islam et al., AAAI 2021) and CO2-Net (Hong et al., ACM MM 2021). As there, a loss makes them few.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from amsx.model.masking import valid_mask

LEAST_WEIGHT = 1e-6  # in sum over a video, so that weights of zero have a mean


def weighted_mean(x: Tensor, weights: Tensor, lengths: Tensor) -> Tensor:
    """The mean over the valid snippets of `x` (B, T, C), weighted by `weights` (B, T) of at least 0: (B, C)."""
    valid = valid_mask(lengths, x.shape[1])
    weights = torch.where(valid, weights, 0)
    sums = (weights[..., None] * torch.where(valid[..., None], x, 0)).sum(dim=1)
    return sums / weights.sum(dim=1, keepdim=True).clamp(min=LEAST_WEIGHT)


def suppressed(cas: Tensor, logits: Tensor, attention: Tensor) -> tuple[Tensor, Tensor]:
    """A CAS and its class logits, both (B, T, C), under the foreground weights whose logits are `attention` (B, T).

    The CAS is multiplied by the weights, and their logarithm is added to the logits.
    """
    return cas * attention.sigmoid()[..., None], logits + F.logsigmoid(attention)[..., None]
