"""The objective of a step (Eq. 11): what the student of a phase is trained by, from a batch to scalars."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from amsx.data.batching import Batch
from amsx.model.ams import AMS, Branch
from amsx.model.backbone import BranchOutput
from amsx.model.losses import (
    cas_classification_loss,
    classification_loss,
    co_activity_similarity_loss,
    localization_loss,
    sparsity_loss,
)
from amsx.model.masking import top_k_mean
from amsx.model.part import Part
from amsx.model.pseudo_labels import confidence, pseudo_labels
from amsx.training.config import Config
from amsx.training.phases import Phase
from amsx.training.setup import autocast


class Objective(nn.Module):
    """Eq. 11 and its terms for a model.

    Of a batch that several processes share, each computes on its own videos; the scalars of all of them sum up to those
    of the whole batch.
    """

    def __init__(self, model: AMS, config: Config, *, negatives: bool) -> None:
        """`negatives`: whether the training videos include some without an action."""
        super().__init__()
        self.model = model
        self.config = config
        self.negatives = negatives

    def forward(self, batch: Batch, phase: Phase, teacher: AMS | None = None) -> list[Tensor]:
        """Eq. 11 and its terms for the student of `phase`, scalars in the order of `amsx.training.epoch_log.TERMS`.

        Attention's sparsity is part of the first and has no scalar of its own.
        `teacher` is the model whose branch gives the pseudo-labels (None: the model itself).
        """
        loss = self.config.loss
        lengths, labels, share = batch.lengths, batch.labels, batch.share
        whole = labels if share is None else share.labels
        with autocast(self.config.optimization.precision, batch.features.device):
            output, cas, teacher_cas = self._outputs(batch, phase, teacher)
        classification = classification_loss(output.log_probs, labels, whole)
        cas_classification = self._cas_classification(output, labels, lengths, whole)
        similarity = co_activity_similarity_loss(
            output.embedding, output.logits, labels, lengths, margin=loss.similarity_margin, whole=whole
        )
        total = classification + loss.cas_weight * cas_classification + loss.similarity_weight * similarity
        if output.attention is not None:
            total = total + loss.sparsity_weight * sparsity_loss(output.attention, lengths, whole)
        localization = torch.zeros_like(total)
        if teacher_cas is not None:
            ratio, reading = loss.pseudo_threshold, loss.pseudo_threshold_of
            targets = pseudo_labels(
                teacher_cas, labels, lengths, ratio=ratio, reading=reading, exclusive=loss.exclusive_targets
            )
            sure = confidence(teacher_cas, labels, lengths, ratio=ratio, reading=reading) if loss.confidence else None
            localization = localization_loss(cas, targets, labels, lengths, whole, sure)
            total = total + loss.localization_weight * localization
        terms = [total, classification, cas_classification, similarity, localization]
        return [0 * term for term in terms] if share is not None and share.idle else terms

    def _cas_classification(self, output: BranchOutput, labels: Tensor, lengths: Tensor, whole: Tensor) -> Tensor:
        """The loss by which video labels train the CAS: Eq. 10 on its logits, or a binary decision for every class.

        Videos without a label show no action. Eq. 10 has no target for them, so they always train by the binary one.
        """
        if self.config.loss.cas_classification == "binary":
            return cas_classification_loss(output.cas_probs, labels, whole)
        evidence = top_k_mean(output.logits, lengths, self.config.model.top_k_divisor)  # (B, C)
        loss = classification_loss(evidence.log_softmax(dim=1), labels, whole)
        if not self.negatives:
            return loss
        silent = (labels == 0).all(dim=1)
        portion = (whole == 0).all(dim=1).to(loss.dtype).mean()
        # The mean over all videos:
        negative = cas_classification_loss(output.cas_probs * silent[:, None], labels * 0, whole)
        return (1 - portion) * loss + negative

    def _outputs(self, batch: Batch, phase: Phase, teacher: AMS | None) -> tuple[BranchOutput, Tensor, Tensor | None]:
        """The student's output, its CAS at the snippets, and the teacher's CAS, which carries no gradient."""
        feats, lengths, labels, share = batch.features, batch.lengths, batch.labels, batch.share
        part = None if share is None else Part(len(share.labels), share.snippets, share.first)
        if phase.trains == "base" and phase.teacher is None:
            output = self.model.base_branch(feats, lengths, part)
            return output, output.cas, None
        with _as_tested(self.model.base):
            guide = self.model.base_cas(feats, lengths)  # guides the sampler, and may give the pseudo-labels
        if phase.trains == "base":
            output = self.model.base_branch(feats, lengths, part)
            cas = output.cas
        else:
            output, cas = self.model.supplementary_branch(feats, lengths, guide, labels, part)
        if phase.teacher == "supplementary":
            taught_by = teacher or self.model
            with _as_tested(taught_by.supplementary):
                return output, cas, taught_by.supplementary_cas(feats, lengths, guide, labels, part)
        if phase.teacher == "base" and teacher is not None:
            with _as_tested(teacher.base):
                return output, cas, teacher.base_cas(feats, lengths)
        return output, cas, guide if phase.teacher == "base" else None


@contextmanager
def _as_tested(branch: Branch) -> Iterator[None]:
    """Within the context, the branch runs as at test time: without dropout and without gradients."""
    training = branch.training
    branch.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        branch.train(training)
