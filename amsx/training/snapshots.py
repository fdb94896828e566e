"""What a training run keeps for later looks at the test videos: the CASs of every iteration, and how the input changes.

Nothing here is read by the training: it is for the report (`amsx report`), where one sees what the branches would
have taught each other on videos whose truth is known.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from amsx.data.batching import FeatureSet
from amsx.localization.fusion import Activations
from amsx.training import checkpoint
from amsx.training.activations import StreamActivations, load_activations, save_activations
from amsx.training.phases import Phase


def snapshot_epochs(phases: Sequence[Phase]) -> dict[int, int]:
    """Finished epochs -> the iteration that ends there, phase zero as 0; the last one's CASs are the run's own."""
    done, ends = 0, {}
    for phase in phases:
        done += phase.epochs
        ends[phase.iteration] = done
    return {epoch: iteration for iteration, epoch in ends.items() if epoch < done}


def both_trained(phases: Sequence[Phase], epoch: int) -> bool:
    """Whether both branches have been trained once `epoch` epochs of the schedule are finished."""
    began = 0
    for phase in phases:
        if phase.trains == "supplementary":
            return began < epoch
        began += phase.epochs
    return False


def save_snapshot(folder: Path, iteration: int, activations: StreamActivations) -> None:
    """Write `folder`/iterations/<iteration>.safetensors: like activations.safetensors, in float16.

    Both branches take 4 * N * C bytes: for a stream of THUMOS14 about 8 MB an iteration, of ActivityNet 1.2 140 MB.
    """

    def half(part: Activations) -> Activations:
        return replace(part, cas=part.cas.astype(np.float16), probs=part.probs.astype(np.float16))

    other = activations.supplementary
    small = replace(activations, base=half(activations.base), supplementary=None if other is None else half(other))
    save_activations(folder / "iterations" / f"{iteration}.safetensors", small)


def load_snapshots(folder: Path) -> dict[int, StreamActivations]:
    """Iteration -> what `save_snapshot` wrote, in float32; empty for a run that kept none."""

    def single(part: Activations) -> Activations:
        return replace(part, cas=part.cas.astype(np.float32), probs=part.probs.astype(np.float32))

    found = {}
    for path in sorted((folder / "iterations").glob("*.safetensors"), key=lambda path: int(path.stem)):
        kept = load_activations(path)
        other = kept.supplementary
        found[int(path.stem)] = replace(
            kept, base=single(kept.base), supplementary=None if other is None else single(other)
        )
    return found


def feature_change(features: FeatureSet) -> NDArray[np.float32]:
    """How much the input changes at every snippet of every video, end to end: (N,), cosine distance in [0, 2].

    The mean of the distances to the snippet before and the one after, within the video. Zero features (which have
    no direction) count as unchanged.
    """
    rows = torch.as_tensor(features.rows)
    change = np.zeros(len(rows), np.float32)
    for begin, end in zip(features.edges[:-1].tolist(), features.edges[1:].tolist(), strict=True):
        if end - begin < 2:
            continue
        unit = torch.nn.functional.normalize(rows[begin:end].float(), dim=1)
        cosine = (unit[1:] * unit[:-1]).sum(dim=1)
        empty = (unit[1:].abs().sum(dim=1) == 0) | (unit[:-1].abs().sum(dim=1) == 0)
        step = torch.where(empty, 0.0, 1 - cosine).cpu().numpy()
        change[begin] = step[0]
        change[end - 1] = step[-1]
        change[begin + 1 : end - 1] = (step[1:] + step[:-1]) / 2
    return change


def save_input(path: Path, features: FeatureSet) -> None:
    """Write the test videos' `feature_change` as `change` (N,), ordered as in activations.safetensors."""
    checkpoint.save(path, {"change": torch.from_numpy(feature_change(features))}, {}, kind="input")


def load_input(path: Path) -> NDArray[np.float32] | None:
    """What `save_input` wrote, (N,); None for a run that has no such file."""
    if not path.is_file():
        return None
    return checkpoint.load(path, kind="input")[0]["change"].numpy()
