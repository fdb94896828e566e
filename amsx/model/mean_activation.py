"""The readings of avg(M), the mean activation that thresholds are multiples of (Section IV-B, Eq. 8).

The paper sets theta_loc and alpha to 0.7 avg(M) and does not say what the mean is taken over. A CAS that is sharp has
much the same threshold by every reading; where it is flat, they part.
"""

import torch
from torch import Tensor

from amsx.choices import MeanReading
from amsx.model.masking import masked_mean


def mean_activation(cas: Tensor, labels: Tensor, lengths: Tensor, reading: MeanReading) -> Tensor:
    """avg(M) for every class of every video, (B, C).

    `cas` is (B, T, C), `labels` (B, C) multi-hot, `lengths` (B,). The mean is taken over the valid snippets of the
    class's own channel ("mean"), over those of all channels of the video's classes, which `labels` names
    ("video-mean"), or of all channels ("all-mean"). "lower-mean" is the lower of the first two, so that a class that is
    strong in a video does not raise its own threshold above that of the others. A video without labels has the mean of
    its own channels in place of the second.
    """
    return combined(masked_mean(cas, lengths), labels, reading)


def combined(means: Tensor, labels: Tensor, reading: MeanReading) -> Tensor:
    """avg(M) from the mean activation (B, C) of every channel alone; see `mean_activation`."""
    if reading == "mean":
        return means
    if reading == "all-mean":
        return means.mean(dim=1, keepdim=True).expand_as(means)
    named = (labels != 0).to(means.dtype)
    count = named.sum(dim=1, keepdim=True)
    of_video = torch.where(count > 0, (means * named).sum(dim=1, keepdim=True) / count.clamp(min=1), means)
    return torch.minimum(means, of_video) if reading == "lower-mean" else of_video
