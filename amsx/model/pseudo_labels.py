"""Location pseudo-labels: what one branch tells the other (Eq. 8)."""

from torch import Tensor

from amsx.model.masking import masked_mean, valid_mask


def pseudo_labels(cas: Tensor, labels: Tensor, lengths: Tensor, *, ratio: float) -> Tensor:
    """Eq. 8: `cas` (B, T, C) -> bool (B, T, C), true where a ground-truth class exceeds its threshold.

    The threshold of a class in a video is `ratio` times the mean of its activation over the video's valid
    snippets. Classes that `labels` (B, C) does not name, and the padding, are false.
    """
    threshold = ratio * masked_mean(cas, lengths)  # (B, C)
    valid = valid_mask(lengths, cas.shape[1])
    return (cas > threshold[:, None]) & (labels[:, None] != 0) & valid[..., None]
