"""Estimates, before a training begins, of how long it will take, and how much memory and disk it will need.

For the time, a few steps of every kind of phase are timed on this machine with random features in the shape of a batch
of mean size, and multiplied by the steps of the schedule. Other work is timed likewise: a checkpoint is written, a
batch is tested, a few videos are read. The memory is counted on the CPU, not measured: features, parameters with Adam's
moments, and what the largest step keeps for its gradients. Where several processes train together, they make the steps
together, and the memory is that of each of them. All of it leaves out other work on the machine, a slow disk, fusion
and scoring, and predictions.
"""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from amsx.choices import Storage
from amsx.data.batching import FeatureSet, batches_by_length, multi_hot, pair_order
from amsx.data.storage import BYTES, available_memory, storage_of
from amsx.data.videos import Dataset, Video
from amsx.model.own_backbone import OwnBackbone
from amsx.training import checkpoint
from amsx.training.activations import infer
from amsx.training.config import Config
from amsx.training.phases import schedule, snapshot_epochs, total_epochs
from amsx.training.ranks import Ranks
from amsx.training.stopping import split
from amsx.training.trainer import Trainer

STEPS = 4  # steps that are timed for each kind of phase; the first one is not counted
KEPT = 48 << 20  # bytes that the C library keeps of what was freed, as measured
READ = 4  # videos that are read for the time that reading takes


@dataclass(frozen=True)
class Expectation:
    """The time, memory and disk that the training and the test of one stream are expected to take."""

    stream: str
    seconds: float  # of reading, training and testing
    memory: int  # bytes on each device for features, model and steps, beside what Python and torch take by themselves
    disk: int  # bytes of the stream's folder, but for its predictions
    temporary: int  # bytes of the files to which each process copies features for as long as it needs them
    steps: int  # optimizer steps
    snippets: int  # snippets of all batches of an epoch, padding included


@dataclass(frozen=True)
class _Data:
    """The videos of one stream by what they are used for."""

    train: list[Video]
    held: list[Video]  # training videos that an epoch is chosen on
    test: list[Video]  # of one process, where several train together
    width: int
    classes: tuple[str, ...]


@dataclass(frozen=True)
class _Measured:
    """What was measured on a few steps, on a batch of mean size."""

    step: dict[tuple[str, str], float]  # (phase, branch) -> seconds
    once: float  # seconds for building the model, and for what first steps take beyond others
    test: float  # seconds for each snippet
    read: float  # seconds for each snippet
    save: float  # seconds for a checkpoint
    checkpoint: int  # bytes of it
    parameters: int
    kept: float | None  # bytes that a step of a backbone of the user's keeps for each snippet; None: it is the paper's


def expect(
    dataset: Dataset, config: Config, stream: str, device: torch.device, ranks: Ranks | None = None
) -> Expectation:
    """Estimate the training of a stream. This takes the time of at most sixteen steps, and reads a few videos.

    ValueError where the features of these videos cannot be used.
    """
    ranks = ranks or Ranks()
    parted = split(dataset, config.stopping)
    train, held, test = (
        [video.alone(stream) for video in videos] for videos in (parted.train, parted.held, dataset.subset("test"))
    )
    data = _Data(train, held, test[:: ranks.count], dataset.dims[stream], dataset.classes)
    valid, padded = _batch_sizes(train, data.classes, config)
    sizes = valid if device.type == "cpu" else padded  # on the CPU, the padding is not computed
    typical = int(np.abs(sizes - sizes.mean()).argmin())
    size = config.optimization.batch_size
    batch = [train[i] for i in _order(train, data.classes)[typical * size : (typical + 1) * size]]
    measured = _measure(data, batch, config, stream, device, ranks)
    features = _features(data, stream, config.optimization.storage)
    epoch = float(sizes.sum() / sizes[typical])
    largest = int(valid.max()), int(padded.max())
    return Expectation(
        stream,
        _seconds(measured, data, config, epoch=epoch, again=features.again),
        features.memory + _memory(measured, data, config, largest, device=device, ranks=ranks),
        _disk(measured, test, data.classes, config),
        features.temporary,
        len(sizes) * total_epochs(schedule(config.phases)),
        int(padded.sum()),
    )


def _measure(
    data: _Data, batch: Sequence[Video], config: Config, stream: str, device: torch.device, ranks: Ranks
) -> _Measured:
    phases = replace(
        config.phases,
        base_epochs=STEPS,
        supplementary_epochs=min(config.phases.supplementary_epochs, STEPS),
        alternate_epochs=STEPS,
        iterations=1,
    )
    few = _shaped_like(batch, data.width, data.classes)
    short = replace(config, phases=phases)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    began = _now(device)
    trainer = Trainer(few, short, stream=stream, classes=data.classes, device=device, progress=False, ranks=ranks)
    building = _now(device) - began
    kept = _Kept(trainer)
    with torch.autograd.graph.saved_tensors_hooks(kept.add, lambda tensor: tensor):
        trainer.train(kept.end_step)
    for _ in range(2):  # the first time is not counted
        began = _now(device)
        infer(trainer.model, few, both=phases.branches == "both", class_threshold=config.sampling.class_threshold)
        testing = _now(device) - began
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.safetensors"
        began = _now(device)
        checkpoint.save(path, *trainer.state(), kind="checkpoint")
        saving, saved = _now(device) - began, path.stat().st_size
    snippets = int(few.lengths.sum())
    step, more = _seconds_of_a_step(trainer)
    return _Measured(
        step,
        building + more,
        testing / snippets,
        _seconds_to_read(data.train, stream),
        saving,
        saved,
        sum(p.numel() for p in trainer.model.parameters()),
        kept.most / snippets if isinstance(trainer.model.base, OwnBackbone) else None,
    )


class _Kept:
    """Counts the bytes that the steps of a trainer keep for their gradients, beside features and parameters."""

    def __init__(self, trainer: Trainer) -> None:
        self.most = 0  # of one step
        self._others = {p.untyped_storage().data_ptr() for p in trainer.model.parameters()}
        self._found: dict[int, int] = {}  # address -> bytes

    def add(self, tensor: Tensor) -> Tensor:
        """Note a tensor that is kept."""
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self._others:
            self._found[storage.data_ptr()] = storage.nbytes()
        return tensor

    def end_step(self, _: Trainer) -> None:
        """Begin to count the next step."""
        self.most = max(self.most, sum(self._found.values()))
        self._found.clear()


class _Features(NamedTuple):
    """How the features of all videos are held."""

    memory: int  # bytes
    temporary: int  # bytes on the disk
    again: bool  # whether those of the training videos are read from their files in every epoch


def _features(data: _Data, stream: str, asked: Storage) -> _Features:
    """How they would be held with the memory that is available. ValueError where they cannot be held as is asked."""
    available, memory, temporary, again = available_memory(), 0, 0, False
    for videos in (data.train, data.held, data.test):
        if videos:
            left = None if available is None else max(available - memory, 0)
            storage, _ = storage_of(videos, stream, asked, left)
            values = data.width * sum(video.length for video in videos)
            memory += BYTES[storage][0] * values
            temporary += BYTES[storage][1] * values
            again = again or (storage == "files" and videos is data.train)
    return _Features(memory, temporary, again)


def _seconds(measured: _Measured, data: _Data, config: Config, *, epoch: float, again: bool) -> float:
    """The time of everything. `epoch`: how many of the measured steps an epoch is; `again`: that of `_Features`."""
    plan = schedule(config.phases)
    seconds = epoch * sum(measured.step[phase.name, phase.trains] * phase.epochs for phase in plan)
    seconds += measured.once + measured.save * total_epochs(plan)
    train, held, test = (sum(video.length for video in videos) for videos in (data.train, data.held, data.test))
    choices = sum(phase.epochs for phase in plan if phase.iteration) if data.held else 0
    tests = 1 if data.held else 1 + len(snapshot_epochs(plan))
    seconds += measured.test * (tests * test + choices * held)
    seconds += measured.read * train * total_epochs(plan) if again else 0
    # Every video is checked and loaded, the test videos for each test and for how much their features change, too.
    return seconds + measured.read * (2 * (train + held) + (2 + tests) * test)


def _disk(measured: _Measured, test: Sequence[Video], classes: Sequence[str], config: Config) -> int:
    """The checkpoint, the activations at the end and after earlier iterations, and the change of the input."""
    if not test:
        return measured.checkpoint
    branches = 2 if config.phases.branches == "both" else 1
    snippets = sum(video.length for video in test)
    values = branches * (snippets + len(test)) * len(classes)
    chosen = config.stopping.on != "none"
    kept = 4 * measured.parameters if chosen else 2 * values * len(snapshot_epochs(schedule(config.phases)))
    return measured.checkpoint + 4 * values + kept + 4 * snippets


def _order(videos: Sequence[Video], classes: Sequence[str]) -> np.ndarray:
    labels = multi_hot([video.labels for video in videos], classes) != 0
    return pair_order(labels, np.random.default_rng(0))


def _batch_sizes(videos: Sequence[Video], classes: Sequence[str], config: Config) -> tuple[np.ndarray, np.ndarray]:
    """The snippets of every batch of an epoch, without and with the padding: (steps,) each."""
    lengths = np.array([min(video.length, config.optimization.max_snippets) for video in videos])
    lengths = lengths[_order(videos, classes)]
    size = config.optimization.batch_size
    batches = [lengths[start : start + size] for start in range(0, len(lengths), size)]
    return np.array([batch.sum() for batch in batches]), np.array([len(batch) * batch.max() for batch in batches])


def _shaped_like(videos: Sequence[Video], width: int, classes: Sequence[str]) -> FeatureSet:
    """Random features in the shape of the videos' own."""
    edges = np.concatenate([[0], np.cumsum([video.length for video in videos])]).astype(np.int64)
    rows = torch.rand(int(edges[-1]), width, generator=torch.Generator().manual_seed(0))
    labels = torch.from_numpy(multi_hot([video.labels for video in videos], classes))
    return FeatureSet(tuple(video.id for video in videos), rows, edges, labels)


def _seconds_of_a_step(trainer: Trainer) -> tuple[dict[tuple[str, str], float], float]:
    """(phase, branch) -> the median time of its steps after the first; and what all first ones took beyond that.

    Each epoch of the trainer was one step.
    """
    taken: dict[tuple[str, str], list[float]] = {}
    for record in trainer.history:
        taken.setdefault((record.phase, record.trains), []).append(record.seconds)
    median = {kind: float(np.median(seconds[1:])) for kind, seconds in taken.items()}
    return median, sum(max(seconds[0] - median[kind], 0) for kind, seconds in taken.items())


def _seconds_to_read(videos: Sequence[Video], stream: str) -> float:
    """The time of reading a snippet's features, by a few of the videos."""
    few = videos[:: -(-len(videos) // READ)]
    began = time.perf_counter()
    for video in few:
        video.streams[stream].load()
    return (time.perf_counter() - began) / sum(video.length for video in few)


def _memory(
    measured: _Measured,
    data: _Data,
    config: Config,
    largest: tuple[int, int],
    *,
    device: torch.device,
    ranks: Ranks,
) -> int:
    """The bytes of the parameters, and of what takes most: a step, a test or a checkpoint.

    `largest`: the snippets of the largest batch, without and with its padding.
    """
    if device.type == "cuda":  # the device has measured the step
        return torch.cuda.max_memory_allocated(device)
    valid, padded = largest
    pairs = config.optimization.batch_size // 2
    share = -(-pairs // ranks.count) / pairs  # the largest of all processes
    lengths = np.array([video.length for video in data.test], np.int64)
    tested = [lengths[batch] for batch in batches_by_length(lengths)]
    # A step holds for each snippet the batch and the standardized features (D each), the hidden layer before and after
    # ReLU and dropout, the mask, gradients and scratch (H each, 8 as measured); with the padding, the sampled features
    # and 12 values per class. A backbone of the user's keeps tensors, of which the gradients are half as much again.
    each = 4 * 2 * data.width
    padding = 4 * (data.width + 12 * len(data.classes))
    trained = 4 * 8 * config.model.hidden if measured.kept is None else 1.5 * measured.kept
    known = 4 * 3 * config.model.hidden if measured.kept is None else measured.kept
    most = max(
        share * (valid * (each + trained) + padded * padding),
        *(int(batch.sum()) * (each + known) + len(batch) * int(batch.max()) * padding for batch in tested),
        12 * measured.parameters,
    )
    return 16 * measured.parameters + int(most) + KEPT


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def describe(
    expectations: Sequence[Expectation], device: torch.device, ranks: Ranks | None = None, start: float = 0.0
) -> str:
    """The estimates as text. `start`: seconds that the process takes before it reads features."""
    where = f"{device.type}, {torch.get_num_threads()} threads" if device.type == "cpu" else device.type
    count = 1 if ranks is None else ranks.count
    each = f" in each of {count} processes" if count > 1 else ""
    lines = [
        f"{e.stream}: about {_duration(e.seconds)} for {e.steps} steps, {_size(e.memory)} beyond what Python and torch "
        f"take{each}, {_size(e.disk)} on disk"
        + (f", {_size(e.temporary)} of temporary files in {tempfile.gettempdir()}{each}" if e.temporary else "")
        for e in expectations
    ]
    total = _duration(start + sum(e.seconds for e in expectations))
    lines.append(
        f"all streams, one after the other, and the start: about {total} on {where}{each}; "
        "an estimate from a few steps timed just now, while this machine did whatever else it does"
    )
    return "\n".join(lines)


def _size(memory: float) -> str:
    """A number of bytes in GiB, or in MiB where that would be a fraction; never as nothing."""
    return f"{memory / 2**30:.1f} GiB" if memory >= 2**30 else f"{max(1, round(memory / 2**20))} MiB"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
