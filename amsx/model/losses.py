"""The training objectives: Eq. 9, Eq. 10 and W-TALC's co-activity similarity. Padding takes no part in them.

Each is a mean over a batch. `whole` (B', C) are the labels of the batch of which the given videos are a part, such as
the share of one of several processes (None: they are all of it). The results of the parts sum up to that of the batch.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from amsx.model.masking import masked_mean, masked_softmax, valid_mask
from amsx.model.valid_rows import sums_over_time

EPSILON = 1e-6  # keeps log(M) and log(1 - M) finite where an activation saturates in float32


def classification_loss(log_probs: Tensor, labels: Tensor, whole: Tensor | None = None) -> Tensor:
    """Eq. 10: mean cross-entropy of `log_probs` (B, C) against the normalized multi-hot `labels` (B, C).

    A video without any label takes no part.
    """
    count = labels.sum(dim=1)  # (B,)
    per_video = -(labels * log_probs).sum(dim=1) / count.clamp(min=1)
    labelled = count if whole is None else whole.sum(dim=1)
    return per_video.sum() / (labelled > 0).sum().clamp(min=1)


def cas_classification_loss(cas_probs: Tensor, labels: Tensor, whole: Tensor | None = None) -> Tensor:
    """Binary cross-entropy of the CAS's top-k mean (B, C) against `labels` (B, C), summed over classes.

    Eq. 10 trains the category probabilities. The CAS comes from another layer, which without this loss would learn from
    the video labels through the co-activity similarity alone. The result is the mean over the videos; one without a
    label shows no action, and lowers the CAS of every class.
    """
    p = cas_probs.clamp(EPSILON, 1 - EPSILON)
    mean = -torch.where(labels != 0, p.log(), (-p).log1p()).sum(dim=1).mean()
    return mean if whole is None else mean * (len(labels) / len(whole))


def sparsity_loss(attention: Tensor, lengths: Tensor, whole: Tensor | None = None) -> Tensor:
    """The mean over the videos of the mean of their valid foreground weights, `attention` (B, T).

    The L1 norm by which BaS-Net, HAM-Net and CO2-Net keep attention to what the labels of videos call for.
    """
    return masked_mean(attention[..., None], lengths).sum() / len(attention if whole is None else whole)


def localization_loss(
    cas: Tensor,
    targets: Tensor,
    labels: Tensor,
    lengths: Tensor,
    whole: Tensor | None = None,
    confidence: Tensor | None = None,
) -> Tensor:
    """Eq. 9: class-balanced cross-entropy of `cas` (B, T, C) against boolean `targets` (B, T, C).

    For each ground-truth class of a video: -mean over T+ of log M - mean over T- of log(1 - M), where T+ and
    T- are its positive and negative valid snippets (an empty set adds nothing). The mean over all such
    classes of the batch. With `confidence` (B, T, C) in [0, 1], the means over T+ and T- are weighted by it.
    """
    named = labels[:, None] != 0
    valid = valid_mask(lengths, cas.shape[1])[..., None]
    positive = targets & named & valid
    negative = ~targets & named & valid
    cas = cas.clamp(EPSILON, 1 - EPSILON)
    if confidence is None:
        gain = cas.log().masked_fill(~positive, 0).sum(dim=1) / positive.sum(dim=1).clamp(min=1)  # (B, C)
        loss = (-cas).log1p().masked_fill(~negative, 0).sum(dim=1) / negative.sum(dim=1).clamp(min=1)
    else:
        sure, not_so = confidence.masked_fill(~positive, 0), confidence.masked_fill(~negative, 0)
        gain = (sure * cas.log()).sum(dim=1) / sure.sum(dim=1).clamp(min=EPSILON)
        loss = (not_so * (-cas).log1p()).sum(dim=1) / not_so.sum(dim=1).clamp(min=EPSILON)
    return -(gain + loss).sum() / ((labels if whole is None else whole) != 0).sum().clamp(min=1)


def co_activity_similarity_loss(
    embedding: Tensor,
    logits: Tensor,
    labels: Tensor,
    lengths: Tensor,
    *,
    margin: float,
    whole: Tensor | None = None,
) -> Tensor:
    """W-TALC's co-activity similarity over the pairs of videos (0, 1), (2, 3), ... of a batch.

    `embedding` (B, T, H), class `logits` (B, T, C), `labels` (B, C), `lengths` (B,). With A the softmax of
    the logits over time, the part of a video that shows a class is X^T A and the rest X^T (1 - A) / (n - 1).
    The parts of two videos that share the class should be nearer to each other, by `margin` in cosine
    distance, than either is to the other's rest. The mean over the shared classes of all pairs; zero when
    nothing is shared.
    """
    attention = masked_softmax(logits, lengths)  # (B, T, C)
    valid = valid_mask(lengths, embedding.shape[1]).to(attention.dtype)
    # One product gives the parts that show each class, and (the last row) the sum over the valid snippets.
    parts = sums_over_time(torch.cat([attention, valid[..., None]], dim=2), embedding, lengths)  # (B, C + 1, H)
    shown, total = parts[:, :-1], parts[:, -1]
    rest = (total[:, None] - shown) / (lengths - 1).clamp(min=1)[:, None, None]
    shown, rest = F.normalize(shown, dim=2), F.normalize(rest, dim=2)  # a zero vector stays zero: distance 1
    shared = _shared_classes(labels).to(embedding.dtype)  # (pairs, C)
    first, second = slice(0, 2 * len(shared), 2), slice(1, 2 * len(shared), 2)
    near = 1 - (shown[first] * shown[second]).sum(dim=2)
    far_second = 1 - (shown[first] * rest[second]).sum(dim=2)
    far_first = 1 - (rest[first] * shown[second]).sum(dim=2)
    hinge = (near - far_second + margin).relu() + (near - far_first + margin).relu()
    count = shared if whole is None else _shared_classes(whole)
    return 0.5 * (hinge * shared).sum() / count.sum().clamp(min=1)


def _shared_classes(labels: Tensor) -> Tensor:
    """The classes that the pairs of videos (0, 1), (2, 3), ... have in common: (B, C) -> boolean (pairs, C)."""
    paired = 2 * (len(labels) // 2)
    return (labels[:paired:2] != 0) & (labels[1:paired:2] != 0)
