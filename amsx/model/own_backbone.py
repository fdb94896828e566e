"""A branch whose network is the user's own: what it is given, what it must return, and how that is checked."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from amsx.model.backbone import BranchOutput, whole
from amsx.model.losses import EPSILON
from amsx.model.masking import smooth, top_k_mean, valid_mask
from amsx.model.part import Part

CHECKED_LENGTHS = (7, 4, 1)  # snippets of the videos on which a network is checked
TOLERANCE = 1e-3  # of activations and log-probabilities, between a video alone and the same video with padding
CONTRACT = (
    "expected (cas, log_probs), with the class activation sequence (B, T, C) in [0, 1] and the log of the category "
    "probabilities (B, C), then perhaps an embedding (B, T, H); or a BranchOutput of amsx.model.backbone"
)


class OwnBackbone(nn.Module):
    """A branch around a `network` of the user's, with the settings that no network need know of.

    The network is called with features (B, T, D), which are standardized and smoothed as the settings say and are 0 in
    the padding, and lengths (B,). Where it returns no more than a CAS and log-probabilities, the logits are the log of
    the CAS, and the embedding of the co-activity similarity is the network's input.
    """

    shift: Tensor
    scale: Tensor

    def __init__(
        self, network: nn.Module, in_features: int, num_classes: int, *, top_k_divisor: int, smoothing: float
    ) -> None:
        super().__init__()
        self.register_buffer("shift", torch.zeros(in_features))
        self.register_buffer("scale", torch.ones(in_features))
        self.num_classes = num_classes
        self.top_k_divisor = top_k_divisor
        self.smoothing = smoothing
        self.network = network

    def standardize_by(self, mean: Tensor, deviation: Tensor) -> None:
        """Let the branch standardize its input to (features - mean) / deviation; both are (D,)."""
        self.shift.copy_(mean)
        self.scale.copy_(1 / deviation)

    def forward(self, feats: Tensor, lengths: Tensor, part: Part | None = None) -> BranchOutput:
        """The branch's output for `feats` (B, T, D) with `lengths` (B,); its rows in the padding mean nothing.

        `part` is not told to the network: where several processes share a batch, its random numbers are its own.
        """
        if self.smoothing > 0:
            feats = smooth(feats, lengths, self.smoothing)
        valid = valid_mask(lengths, feats.shape[1])[..., None]
        feats = ((feats - self.shift) * self.scale).masked_fill(~valid, 0)
        returned = self.network(feats, lengths)
        if isinstance(returned, BranchOutput):
            values = {key: whole(value) for key, value in returned._asdict().items() if value is not None}
            return BranchOutput(**values)
        if not isinstance(returned, tuple | list) or len(returned) not in (2, 3):
            raise ValueError(f"the backbone returned {_in_words(returned)}; {CONTRACT}")
        cas, log_probs, *others = (whole(value) if isinstance(value, Tensor) else value for value in returned)
        shape = (*feats.shape[:2], self.num_classes)
        if not isinstance(cas, Tensor) or cas.shape != shape:
            raise ValueError(f"the backbone's CAS is {_in_words(cas)}, expected (B, T, C) = {shape}")
        return BranchOutput(
            cas=cas,
            logits=cas.clamp(min=EPSILON).log(),
            embedding=others[0] if others else feats,
            log_probs=log_probs,
            cas_probs=top_k_mean(cas, lengths, self.top_k_divisor),
        )

    def cas(self, feats: Tensor, lengths: Tensor) -> Tensor:
        """The CAS that `forward` gives: (B, T, C)."""
        output: BranchOutput = self(feats, lengths)
        return output.cas


def own_branch(
    make: Callable[..., nn.Module],
    name: str,
    in_features: int,
    num_classes: int,
    *,
    hidden: int,
    dropout: float,
    top_k_divisor: int,
    smoothing: float,
) -> OwnBackbone:
    """A branch with the network `make(in_features, num_classes, hidden=..., dropout=..., top_k_divisor=...)`.

    ValueError that begins with the class's `name` where it cannot be made like this, or does not do what a branch must:
    see `check`.
    """
    try:
        network = make(in_features, num_classes, hidden=hidden, dropout=dropout, top_k_divisor=top_k_divisor)
    except Exception as error:  # whatever the user's code raises
        raise ValueError(
            f"the backbone {name} cannot be made as Class(in_features, num_classes, hidden=..., dropout=..., "
            f"top_k_divisor=...): {type(error).__name__}: {error}"
        ) from error
    branch = OwnBackbone(network, in_features, num_classes, top_k_divisor=top_k_divisor, smoothing=smoothing)
    check(branch, name)
    return branch


def check(branch: OwnBackbone, name: str) -> None:
    """ValueError, which begins with the class's `name`, unless a branch works on a small batch of random features.

    Its output must have the shapes and ranges of `BranchOutput` without a NaN, carry a gradient, be the same in every
    call in evaluation mode, and be the same for a video alone and beside others that are longer.
    """
    training = branch.training
    branch.eval()
    try:
        _check(branch, name)
    finally:
        branch.train(training)


def _check(branch: OwnBackbone, name: str) -> None:
    lengths = torch.tensor(CHECKED_LENGTHS)
    generator = torch.Generator().manual_seed(0)
    features = torch.rand(len(lengths), int(lengths.max()), len(branch.shift), generator=generator)
    output = _call(branch, features, lengths, name)
    _check_output(output, features, lengths, branch.num_classes, name)
    if not any(parameter.requires_grad for parameter in branch.parameters()):
        raise ValueError(f"the backbone {name} has no parameters to train")
    if not (output.cas.requires_grad and output.log_probs.requires_grad):
        raise ValueError(f"the backbone {name} cannot be trained: its CAS or its log-probabilities carry no gradient")
    with torch.no_grad():
        again = _call(branch, features, lengths, name)
        if not (torch.equal(again.cas, output.cas) and torch.equal(again.log_probs, output.log_probs)):
            raise ValueError(
                f"the backbone {name} gives another output in every call in evaluation mode; expected the same: random "
                "numbers belong to training (self.training)"
            )
        for video, n in enumerate(CHECKED_LENGTHS):
            alone = _call(branch, features[[video], :n], lengths[[video]], name)
            cas = float((alone.cas[0] - output.cas[video, :n]).abs().max())
            probs = float((alone.log_probs[0] - output.log_probs[video]).abs().max())
            if max(cas, probs) > TOLERANCE:
                raise ValueError(
                    f"the backbone {name} gives a video of {n} snippets another output where it is padded to "
                    f"{features.shape[1]} beside longer videos: the CAS differs by {cas:.2g}, the log-probabilities by "
                    f"{probs:.2g}. What looks along time must not see the padding: set it to 0 before every such layer "
                    "(amsx.model.masking.valid_mask), and leave it out of means and maxima"
                )


def _call(branch: OwnBackbone, features: Tensor, lengths: Tensor, name: str) -> BranchOutput:
    try:
        output: BranchOutput = branch(features, lengths)
    except Exception as error:  # whatever the user's code raises
        raise ValueError(
            f"the backbone {name} failed on features {tuple(features.shape)} with lengths {lengths.tolist()}: "
            f"{type(error).__name__}: {error}"
        ) from error
    return output


def _check_output(output: BranchOutput, features: Tensor, lengths: Tensor, classes: int, name: str) -> None:
    videos, snippets = features.shape[:2]
    expected: dict[str, tuple[int | None, ...]] = {
        "cas": (videos, snippets, classes),
        "logits": (videos, snippets, classes),
        "embedding": (videos, snippets, None),
        "log_probs": (videos, classes),
        "cas_probs": (videos, classes),
    }
    if output.attention is not None:
        expected["attention"] = (videos, snippets)
    valid = valid_mask(lengths, snippets)
    for field, shape in expected.items():
        value = getattr(output, field)
        fits = isinstance(value, Tensor) and value.is_floating_point() and value.dim() == len(shape)
        if not fits or any(want not in (None, got) for want, got in zip(shape, value.shape, strict=True)):
            wanted = ", ".join("H" if size is None else str(size) for size in shape)
            raise ValueError(
                f"the backbone {name}: {field} is {_in_words(value)}, expected floating-point numbers ({wanted}) for "
                f"{videos} videos of up to {snippets} snippets and {classes} classes"
            )
        seen = value[valid] if shape[1:2] == (snippets,) else value
        if not bool(seen.isfinite().all()):
            raise ValueError(f"the backbone {name}: {field} holds NaN or infinite values for finite features")
    cas = output.cas[valid].detach()
    if float(cas.min()) < 0 or float(cas.max()) > 1:
        raise ValueError(
            f"the backbone {name}: the CAS goes from {float(cas.min()):.3g} to {float(cas.max()):.3g}, expected "
            "probabilities in [0, 1]"
        )
    likeliest = float(output.log_probs.detach().max())
    if likeliest > TOLERANCE:
        raise ValueError(
            f"the backbone {name}: log_probs reach {likeliest:.3g}, expected the log of "
            "probabilities, which is at most 0"
        )


def _in_words(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor {tuple(value.shape)} of {str(value.dtype).removeprefix('torch.')}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)} values"
    return f"{type(value).__name__} {str(value)[:40]!r}"
