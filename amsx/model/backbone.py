"""One branch of AMS: features in, class activation sequence and category probabilities out."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from amsx.model.attention import suppressed, weighted_mean
from amsx.model.masking import smooth, top_k_mean, with_neighbours
from amsx.model.part import Part
from amsx.model.valid_rows import hidden_and_heads


class BranchOutput(NamedTuple):
    """The output of a branch for a batch of B videos of T snippets, at the times of its own input.

    It is float32 where the branch computed in 16 bits (torch.autocast).
    """

    cas: Tensor  # (B, T, C) in [0, 1]: softmax over the classes and a background channel, which is left out
    logits: Tensor  # (B, T, C) class logits before the softmax
    embedding: Tensor  # (B, T, H) the hidden features they are read from
    log_probs: Tensor  # (B, C) log of the category probabilities
    cas_probs: Tensor  # (B, C) top-k mean of the CAS, through which the video labels train it
    attention: Tensor | None = None  # (B, T) in [0, 1], foreground weights that the CAS is multiplied by; None: none


class Backbone(nn.Module):
    """FC, ReLU, dropout, then two parallel FC layers with softmax (Section III-B).

    One head gives the CAS, a distribution over the C classes and a background channel at every snippet; the
    other gives category evidence, whose top-k mean over time becomes the category probabilities. The
    background channel is a choice of this project: without it a softmax must name an action in every snippet,
    and a sigmoid per class separates actions from clutter less well on real features.

    Features are first shifted and scaled by the buffers `shift` and `scale` (D,), which `standardize_by`
    fills. `smoothing` > 0 then averages them over time: this backbone sees each snippet alone, so without context its
    noise goes through to the CAS, which breaks the proposals of one action into many.

    With `attention`, a third head gives every snippet a foreground weight, see `amsx.model.attention`. The CAS is then
    the product of its softmax and this weight, and category evidence is averaged with the weight over all of time.
    """

    shift: Tensor
    scale: Tensor

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        hidden: int,
        dropout: float,
        top_k_divisor: int,
        smoothing: float = 0.0,
        kernel: int = 1,
        background: bool = True,
        attention: bool = False,
    ) -> None:
        """`smoothing` is the standard deviation, in snippets, of a Gaussian over time; 0 leaves the features alone.

        `kernel` is the odd number of snippets that the first layer sees. Above 1 the layer is a temporal convolution,
        and what lies beyond a video's ends counts as the mean feature.

        Without `background` the softmax of the CAS is over the classes alone.
        """
        super().__init__()
        self.register_buffer("shift", torch.zeros(in_features))
        self.register_buffer("scale", torch.ones(in_features))
        self.num_classes = num_classes
        self.dropout = dropout
        self.top_k_divisor = top_k_divisor
        self.smoothing = smoothing
        self.kernel = kernel
        self.embed = nn.Linear(kernel * in_features, hidden)
        self.activation_head = nn.Linear(hidden, num_classes + int(background))  # the background is the last channel
        self.category_head = nn.Linear(hidden, num_classes)
        self.attention_head = nn.Linear(hidden, 1) if attention else None

    def standardize_by(self, mean: Tensor, deviation: Tensor) -> None:
        """Let the branch standardize its input to (features - mean) / deviation; both are (D,)."""
        self.shift.copy_(mean)
        self.scale.copy_(1 / deviation)

    def forward(self, feats: Tensor, lengths: Tensor, part: Part | None = None) -> BranchOutput:
        """The branch's output for `feats` (B, T, D) with `lengths` (B,); its rows in the padding mean nothing.

        `part`: where the videos lie in a batch that several processes share (None: they are a whole batch).
        """
        embedding, activation, category, attention = self._read(feats, lengths, part)
        cas, logits = self._cas_and_logits(activation, attention)
        if attention is not None:
            weights = attention.sigmoid()
            log_probs = weighted_mean(category, weights, lengths).log_softmax(dim=1)
            cas_probs = top_k_mean(cas, lengths, self.top_k_divisor)
            return BranchOutput(cas, logits, embedding, log_probs, cas_probs, weights)
        evidence = torch.stack([category, cas])  # (2, B, T, C)
        pooled = top_k_mean(evidence.flatten(0, 1), lengths.repeat(2), self.top_k_divisor)
        category_evidence, cas_probs = pooled.reshape(2, -1, self.num_classes)  # (B, C) each
        return BranchOutput(cas, logits, embedding, category_evidence.log_softmax(dim=1), cas_probs)

    def cas(self, feats: Tensor, lengths: Tensor) -> Tensor:
        """The CAS that `forward` gives (B, T, C), alone: without the time that category evidence takes."""
        _, activation, _, attention = self._read(feats, lengths, None)
        return self._cas_and_logits(activation, attention)[0]

    def _read(self, feats: Tensor, lengths: Tensor, part: Part | None) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """The hidden features (B, T, H) and what the heads read of them.

        These are the logits of the CAS (B, T, C + 1, or C without a background), category evidence (B, T, C), and the
        logits of attention (B, T), None where there is none.
        """
        if self.smoothing > 0:
            feats = smooth(feats, lengths, self.smoothing)
        dropout = self.dropout if self.training else 0.0
        raised = 1 / (1 - dropout)  # what is kept is raised; it is cheaper, as standardizing is, on the weights
        # 16 bits would lose small deviations from a large mean; a convolution must see the mean beyond a video's ends.
        if self.kernel > 1 or torch.is_autocast_enabled(feats.device.type):
            feats = with_neighbours((feats - self.shift) * self.scale, lengths, self.kernel)
            weight, bias = self.embed.weight * raised, self.embed.bias * raised
        else:
            weight = self.embed.weight * (self.scale * raised)
            bias = self.embed.bias * raised - weight @ self.shift
        layers = [self.activation_head, self.category_head]
        if self.attention_head is not None:
            layers.append(self.attention_head)
        heads, heads_bias = torch.cat([x.weight for x in layers]), torch.cat([x.bias for x in layers])
        embedding, read = hidden_and_heads(feats, lengths, weight, bias, heads, heads_bias, dropout, part)
        embedding, read = whole(embedding), whole(read)
        width = self.activation_head.out_features  # C + 1, or C without a background
        attention = None if self.attention_head is None else read[..., -1]
        return embedding, read[..., :width], read[..., width : width + self.num_classes], attention

    def _cas_and_logits(self, activation: Tensor, attention: Tensor | None) -> tuple[Tensor, Tensor]:
        """The CAS and its class logits, (B, T, C) each, from what the heads read (see `_read`)."""
        cas, logits = activation.softmax(dim=2)[..., : self.num_classes], activation[..., : self.num_classes]
        return (cas, logits) if attention is None else suppressed(cas, logits, attention)


def whole(x: Tensor) -> Tensor:
    """A tensor of 16-bit numbers in float32; any other as it is."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
