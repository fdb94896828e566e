"""What a run keeps of the test videos for every stream.

The activations at the end of training let `amsx test` repeat the post-processing without the model. The activations
after earlier iterations (snapshots) and the change of the features over time are for the report alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from amsx.data.batching import FeatureSet, full_batches
from amsx.data.videos import Timebase, Video
from amsx.files import visible
from amsx.localization.common_axis import finest_streams, on_axis
from amsx.localization.fusion import Activations, fuse
from amsx.model.ams import AMS
from amsx.model.masking import valid_mask
from amsx.training import checkpoint
from amsx.training.config import Config
from amsx.training.setup import seeded


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
        """The weighted mean of both branches, the supplementary one with the given weight."""
        if self.supplementary is None:
            return self.base
        return fuse([self.base, self.supplementary], [1 - supplementary_weight, supplementary_weight])


def on_common_axis(parts: Sequence[StreamActivations]) -> list[StreamActivations]:
    """The streams with their CASs on one time axis, see `amsx.localization.common_axis`.

    ValueError where the streams were tested on different videos or classes.
    """
    first = parts[0]
    for part in parts[1:]:
        if part.ids != first.ids or part.classes != first.classes:
            raise ValueError(f"streams {first.stream!r} and {part.stream!r} were tested on different videos or classes")
    finest = finest_streams([part.timebases for part in parts])
    timebases = tuple(parts[stream].timebases[video] for video, stream in enumerate(finest))
    lengths = np.array([parts[stream].base.lengths[video] for video, stream in enumerate(finest)], dtype=np.int64)
    return [at_times(part, lengths, timebases) for part in parts]


def at_times(part: StreamActivations, lengths: NDArray[np.int64], timebases: tuple[Timebase, ...]) -> StreamActivations:
    """The activations with their CASs at the snippets of other timebases, `lengths` (V,) of them."""
    if part.timebases == timebases and np.array_equal(part.base.lengths, lengths):
        return part

    def moved(branch: Activations) -> Activations:
        cas = on_axis(branch.cas, branch.lengths, part.timebases, lengths, timebases)
        return replace(branch, cas=cas, lengths=lengths)

    other = part.supplementary
    return replace(
        part, timebases=timebases, base=moved(part.base), supplementary=None if other is None else moved(other)
    )


def infer(
    model: AMS,
    features: FeatureSet,
    *,
    both: bool,
    class_threshold: float,
) -> tuple[Activations, Activations | None]:
    """Run a model over whole videos: the base branch's activations and, if `both`, the aligned supplementary ones.

    The classes whose probability reaches `class_threshold` guide the sampler. The model is left in evaluation mode.
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


def video_activations(
    model: AMS, videos: Sequence[Video], *, stream: str, classes: Sequence[str], config: Config, epoch: int
) -> StreamActivations:
    """The activations of whole `videos` by a model of `stream` after `epoch` epochs, on the model's device.

    A random sampler makes the same draws each time. Errors are those of `FeatureSet.load`.
    """
    features = FeatureSet.load(videos, stream, classes, storage=config.optimization.storage)
    return loaded_activations(model, features, videos, stream=stream, classes=classes, config=config, epoch=epoch)


def loaded_activations(
    model: AMS,
    features: FeatureSet,
    videos: Sequence[Video],
    *,
    stream: str,
    classes: Sequence[str],
    config: Config,
    epoch: int,
) -> StreamActivations:
    """What `video_activations` returns, from the features of the videos' stream."""
    device = next(model.parameters()).device
    with seeded(config.optimization.seed, 1 + epoch, device):
        base, supplementary = infer(
            model,
            features,
            both=config.phases.branches == "both",
            class_threshold=config.sampling.class_threshold,
        )
    return StreamActivations(
        stream=stream,
        ids=tuple(video.id for video in videos),
        classes=tuple(classes),
        timebases=tuple(video.timebase_of(stream) for video in videos),
        base=base,
        supplementary=supplementary,
    )


def in_order(parts: Sequence[StreamActivations], ids: Sequence[str]) -> StreamActivations:
    """The activations of the videos `ids`, each of which is in one of `parts` of the same stream, as one."""
    places = {video: (part, i) for part in parts for i, video in enumerate(part.ids)}
    chosen = [places[video] for video in ids]

    def joined(branch: Literal["base", "supplementary"]) -> Activations | None:
        rows = {id(part): _by_video(getattr(part, branch)) for part in parts if getattr(part, branch) is not None}
        if not rows:
            return None
        cas, probs = zip(*(rows[id(part)][i] for part, i in chosen), strict=True)
        return Activations(np.concatenate(cas), np.stack(probs), np.array([len(values) for values in cas], np.int64))

    base = joined("base")
    assert base is not None  # every part has it
    timebases = tuple(part.timebases[i] for part, i in chosen)
    return StreamActivations(parts[0].stream, tuple(ids), parts[0].classes, timebases, base, joined("supplementary"))


def _by_video(branch: Activations) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """The CAS (n, C) and the probabilities (C,) of every video."""
    return list(zip(np.split(branch.cas, np.cumsum(branch.lengths)[:-1]), branch.probs, strict=True))


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
    """Read what `save_activations` wrote; FileNotFoundError and ValueError as from `checkpoint.load`."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"no activations at {path}: the training did not end yet, or there were no test videos")
    tensors, header = checkpoint.load(path, kind="activations")
    try:
        ids, classes = _names(header["ids"]), _names(header["classes"])
        timebases = tuple(Timebase(float(d), float(offset)) for d, offset in header["timebases"])
        stream = _names([header["stream"]])[0]
        lengths = tensors["lengths"].numpy()
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{path} lacks what activations need: {error!r}") from error
    fitting = lengths.shape == (len(ids),) and lengths.dtype == np.int64 and (lengths > 0).all()
    if not fitting or len(timebases) != len(ids):
        raise ValueError(f"{path} is damaged: its lengths or times are not those of {len(ids)} videos")

    def part(name: str) -> Activations | None:
        if f"{name}.cas" not in tensors:
            return None
        cas, probs = tensors[f"{name}.cas"].numpy(), tensors.get(f"{name}.probs", torch.empty(0)).numpy()
        expected = (sum(lengths.tolist()), len(classes)), (len(ids), len(classes))
        if (cas.shape, probs.shape) != expected or cas.dtype.kind != "f" or probs.dtype.kind != "f":
            raise ValueError(
                f"{path} is damaged: {name} has a CAS {cas.shape} and probabilities {probs.shape}, expected "
                f"{expected[0]} and {expected[1]}"
            )
        return Activations(cas, probs, lengths)

    base = part("base")
    if base is None:
        raise ValueError(f"{path} holds no CAS of the base branch")
    return StreamActivations(stream, ids, classes, timebases, base, part("supplementary"))


def _names(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError(f"expected a list of names, got {str(values)[:80]}")
    return tuple(values)


def save_snapshot(folder: Path, iteration: int, activations: StreamActivations) -> None:
    """Write the activations after an iteration to `folder`/iterations/<iteration>.safetensors, in float16.

    Two branches take 4 * N * C bytes: about 8 MB an iteration for a stream of THUMOS14, 140 MB for one of ActivityNet
    1.2.
    """

    def half(part: Activations) -> Activations:
        return replace(part, cas=part.cas.astype(np.float16), probs=part.probs.astype(np.float16))

    other = activations.supplementary
    small = replace(activations, base=half(activations.base), supplementary=None if other is None else half(other))
    save_activations(folder / "iterations" / f"{iteration}.safetensors", small)


def load_snapshots(folder: Path) -> dict[int, StreamActivations]:
    """Iteration -> the activations that `save_snapshot` wrote, in float32; empty where the run kept none."""

    def single(part: Activations) -> Activations:
        return replace(part, cas=part.cas.astype(np.float32), probs=part.probs.astype(np.float32))

    snapshots = {}
    for path in sorted(visible(folder / "iterations", "*.safetensors"), key=lambda path: int(path.stem)):
        activations = load_activations(path)
        other = activations.supplementary
        snapshots[int(path.stem)] = replace(
            activations, base=single(activations.base), supplementary=None if other is None else single(other)
        )
    return snapshots


def feature_change(features: FeatureSet) -> NDArray[np.float32]:
    """How much the features change at each of the N snippets of all videos: (N,), a cosine distance in [0, 2].

    It is the mean of the distances to the snippet before and to the one after, within the same video. Features that
    are all zero have no direction and count as unchanged.
    """
    rows = features.rows
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
    """Write the `feature_change` of the test videos as the tensor `change` (N,), in the order of the activations."""
    checkpoint.save(path, {"change": torch.from_numpy(feature_change(features))}, {}, kind="input")


def load_input(path: Path) -> NDArray[np.float32] | None:
    """Read the change of the features (N,) that `save_input` wrote; None where the run has no such file."""
    if not path.is_file():
        return None
    return checkpoint.load(path, kind="input")[0]["change"].numpy()
