"""Estimates, before a training begins, of how long it will take and how much memory it will need.

For the time, a few steps of every kind of phase are timed on this machine with random features in the data's shape. The
result is multiplied by the steps of the schedule, in proportion to the snippets of a batch (padding included). The
memory is counted on the CPU, not measured: features, parameters with Adam's moments, and what a step keeps for its
gradients. Where several processes train together, they make the steps together, and the memory is that of each of them.
Both leave out other work on the machine, reading from a slow disk, and what the allocator adds.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
import torch

from amsx.data.batching import FeatureSet, multi_hot, pair_order
from amsx.data.videos import Dataset, Subset, Video
from amsx.training.activations import infer
from amsx.training.config import Config
from amsx.training.phases import schedule
from amsx.training.ranks import Ranks
from amsx.training.trainer import Trainer

STEPS = 4  # steps that are timed for each kind of phase; the first one is not counted


@dataclass(frozen=True)
class Expectation:
    """The time and memory that the training and the test of one stream are expected to take."""

    stream: str
    seconds: float  # of training and the test at its end
    memory: int  # bytes on each device for features, model and steps, beside what Python and torch take by themselves
    steps: int  # optimizer steps
    snippets: int  # snippets of all batches of an epoch, padding included


def expect(
    dataset: Dataset, config: Config, stream: str, device: torch.device, ranks: Ranks | None = None
) -> Expectation:
    """Estimate the training of a stream. This takes the time of at most sixteen steps and reads no features."""
    ranks = ranks or Ranks()
    train, test = ([video.alone(stream) for video in dataset.subset(subset)] for subset in get_args(Subset))
    width, classes = dataset.dims[stream], dataset.classes
    sizes = _batch_sizes(train, classes, config)
    typical = int(np.argsort(sizes)[len(sizes) // 2])
    order = _order(train, classes)
    size = config.optimization.batch_size
    batch = [train[i] for i in order[typical * size : (typical + 1) * size]]
    few = _shaped_like(batch, width, classes)
    phases = replace(
        config.phases,
        base_epochs=STEPS,
        supplementary_epochs=min(config.phases.supplementary_epochs, STEPS),
        alternate_epochs=STEPS,
        iterations=1,
    )
    trainer = Trainer(
        few, replace(config, phases=phases), stream=stream, classes=classes, device=device, progress=False, ranks=ranks
    )
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    trainer.train()
    step = _seconds_of_a_step(trainer)
    began = _now(device)
    infer(trainer.model, few, both=phases.branches == "both", class_threshold=config.sampling.class_threshold)
    testing = (_now(device) - began) / int(few.lengths.sum()) * sum(video.length for video in test[:: ranks.count])
    scale = float(sizes.sum() / sizes[typical])  # an epoch, in typical steps
    epochs = [(phase.name, phase.trains, phase.epochs) for phase in schedule(config.phases)]
    seconds = testing + sum(step[name, trains] * scale * count for name, trains, count in epochs)
    return Expectation(
        stream,
        seconds,
        _memory(trainer, train, test, width, int(sizes.max())),
        len(sizes) * sum(count for _, _, count in epochs),
        int(sizes.sum()),
    )


def _order(videos: Sequence[Video], classes: Sequence[str]) -> np.ndarray:
    labels = multi_hot([video.labels for video in videos], classes) != 0
    return pair_order(labels, np.random.default_rng(0))


def _batch_sizes(videos: Sequence[Video], classes: Sequence[str], config: Config) -> np.ndarray:
    """The snippets of every batch of an epoch, padding included: (steps,)."""
    lengths = np.array([min(video.length, config.optimization.max_snippets) for video in videos])
    lengths = lengths[_order(videos, classes)]
    size = config.optimization.batch_size
    batches = [lengths[start : start + size] for start in range(0, len(lengths), size)]
    return np.array([len(batch) * batch.max() for batch in batches])


def _shaped_like(videos: Sequence[Video], width: int, classes: Sequence[str]) -> FeatureSet:
    """Random features in the shape of the videos' own."""
    edges = np.concatenate([[0], np.cumsum([video.length for video in videos])]).astype(np.int64)
    rows = torch.rand(int(edges[-1]), width, generator=torch.Generator().manual_seed(0))
    labels = torch.from_numpy(multi_hot([video.labels for video in videos], classes))
    return FeatureSet(tuple(video.id for video in videos), rows, edges, labels)


def _seconds_of_a_step(trainer: Trainer) -> dict[tuple[str, str], float]:
    """(phase, branch) -> the median time of its steps after the first. Each epoch of the trainer was one step."""
    taken: dict[tuple[str, str], list[float]] = {}
    for record in trainer.history:
        taken.setdefault((record.phase, record.trains), []).append(record.seconds)
    return {kind: float(np.median(seconds[1:])) for kind, seconds in taken.items()}


def _memory(trainer: Trainer, train: Sequence[Video], test: Sequence[Video], width: int, batch: int) -> int:
    """The bytes of all features, of the parameters, and of a step over `batch` snippets."""
    parameters = sum(p.numel() for p in trainer.model.parameters())
    count = trainer.ranks.count
    rows = sum(video.length for video in (*train, *test[::count]))
    pairs = trainer.config.optimization.batch_size // 2
    batch = batch * -(-pairs // count) // pairs  # the largest share of it
    bytes_of = 2 if trainer.config.optimization.storage == "float16" else 4
    features = 0 if trainer.config.optimization.storage == "mapped" else bytes_of * rows * width
    if trainer.device.type == "cuda":  # the device has measured the step
        return features + torch.cuda.max_memory_allocated(trainer.device)
    # A step holds for each snippet: the batch, the standardized and the sampled features (D each); the hidden layer
    # before and after ReLU and dropout, the mask, gradients and scratch (H each, 8 as measured); 12 values per class.
    hidden, classes = trainer.config.model.hidden, len(trainer.classes)
    step = 4 * batch * (3 * width + 8 * hidden + 12 * classes)
    return features + 4 * 4 * parameters + step


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def describe(expectations: Sequence[Expectation], device: torch.device, ranks: Ranks | None = None) -> str:
    """The estimates as text."""
    where = f"{device.type}, {torch.get_num_threads()} threads" if device.type == "cpu" else device.type
    count = 1 if ranks is None else ranks.count
    each = f" in each of {count} processes" if count > 1 else ""
    lines = [
        f"{e.stream}: about {_duration(e.seconds)} for {e.steps} steps, {_size(e.memory)} beyond what Python and torch "
        f"take{each}"
        for e in expectations
    ]
    lines.append(
        f"all streams, one after the other: about {_duration(sum(e.seconds for e in expectations))} on {where}{each}; "
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
