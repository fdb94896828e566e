"""What a trained stream says about the test videos, kept so that post-processing can be re-run."""

from dataclasses import dataclass
from pathlib import Path

import torch

from amsx.data.batching import FeatureSet, full_batches
from amsx.data.videos import Timebase
from amsx.localization.fusion import Activations, fuse
from amsx.model.ams import AMS
from amsx.model.masking import valid_mask
from amsx.training import checkpoint


@dataclass(frozen=True)
class StreamActivations:
    """Raw CASs and category probabilities of V test videos from one stream, before any fusion."""

    stream: str
    ids: tuple[str, ...]
    classes: tuple[str, ...]
    timebases: tuple[Timebase, ...]
    base: Activations
    supplementary: Activations | None  # aligned to the snippets; None: the base branch was trained alone

    def fused(self, supplementary_weight: float) -> Activations:
        """Both branches together, the supplementary one with the given weight."""
        if self.supplementary is None:
            return self.base
        return fuse([self.base, self.supplementary], [1 - supplementary_weight, supplementary_weight])


def infer(
    model: AMS,
    features: FeatureSet,
    *,
    both: bool,
    class_threshold: float,
) -> tuple[Activations, Activations | None]:
    """Run a model over videos in full: base activations and, if `both`, the aligned supplementary ones.

    `class_threshold` decides the predicted classes that guide the sampler. The model is left in evaluation
    mode.
    """
    model.eval()
    device = next(model.parameters()).device
    features = features.to(device)
    starts = torch.from_numpy(features.edges[:-1])
    num_classes = model.base.num_classes
    cas = torch.zeros(2, len(features.rows), num_classes)
    probs = torch.zeros(2, len(features), num_classes)
    for batch in full_batches(features):
        base_cas, aligned, base_probs, supplementary_probs = model.predict(
            batch.features, batch.lengths, class_threshold
        )
        mask = valid_mask(batch.lengths, base_cas.shape[1]).cpu()
        rows = (starts[batch.indices][:, None] + torch.arange(base_cas.shape[1]))[mask]
        for branch, values in enumerate((base_cas, aligned)):
            cas[branch, rows] = values.cpu()[mask]
        for branch, values in enumerate((base_probs, supplementary_probs)):
            probs[branch, batch.indices] = values.cpu()
    lengths = features.lengths
    base = Activations(cas[0].numpy(), probs[0].numpy(), lengths)
    return base, Activations(cas[1].numpy(), probs[1].numpy(), lengths) if both else None


def save_activations(path: Path, activations: StreamActivations) -> None:
    """Write a safetensors file: `lengths` (V,), `<branch>.cas` (N, C) and `<branch>.probs` (V, C)."""
    tensors = {"lengths": torch.from_numpy(activations.base.lengths)}
    for name, part in (("base", activations.base), ("supplementary", activations.supplementary)):
        if part is not None:
            tensors[f"{name}.cas"] = torch.from_numpy(part.cas)
            tensors[f"{name}.probs"] = torch.from_numpy(part.probs)
    header = {
        "stream": activations.stream,
        "ids": list(activations.ids),
        "classes": list(activations.classes),
        "timebases": [[t.snippet_seconds, t.offset] for t in activations.timebases],
    }
    checkpoint.save(path, tensors, header, kind="activations")


def load_activations(path: Path) -> StreamActivations:
    """Read what `save_activations` wrote; FileNotFoundError or ValueError as `checkpoint.load`."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"no activations at {path}: the training did not end yet, or there were no test videos")
    tensors, header = checkpoint.load(path, kind="activations")
    lengths = tensors["lengths"].numpy()

    def part(name: str) -> Activations | None:
        if f"{name}.cas" not in tensors:
            return None
        return Activations(tensors[f"{name}.cas"].numpy(), tensors[f"{name}.probs"].numpy(), lengths)

    base = part("base")
    if base is None:
        raise ValueError(f"{path} holds no CAS of the base branch")
    return StreamActivations(
        stream=header["stream"],
        ids=tuple(header["ids"]),
        classes=tuple(header["classes"]),
        timebases=tuple(Timebase(d, offset) for d, offset in header["timebases"]),
        base=base,
        supplementary=part("supplementary"),
    )
