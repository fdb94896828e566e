"""Processes that train together in tests, in the environment that torchrun gives its own."""

import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from multiprocessing.context import BaseContext
from multiprocessing.queues import Queue
from pathlib import Path
from queue import Empty
from typing import Any

import torch

from amsx.data.batching import FeatureSet
from amsx.data.synthetic import SyntheticConfig, make_dataset
from amsx.data.videos import Dataset
from amsx.training import run as runs
from amsx.training.config import Config, override
from amsx.training.epoch_log import EpochRecord
from amsx.training.presets import for_dataset
from amsx.training.ranks import joined
from amsx.training.trainer import Trainer

SETTINGS = [
    "model.hidden=8",
    "phases.base_epochs=1",
    "phases.supplementary_epochs=1",
    "phases.alternate_epochs=1",
    "phases.iterations=1",
    "optimization.learning_rate=1e-3",
]


def together(context: BaseContext, count: int, work: Callable[..., Any], *arguments: Any) -> list[Any]:
    """What `work(*arguments)` returns or raises in each of `count` processes; None for one that died."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    queue = context.Queue()
    processes = []
    for rank in range(count):
        environment = {
            "TORCHELASTIC_RUN_ID": "tests",
            "MASTER_ADDR": "localhost",
            "MASTER_PORT": str(port),
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(count),
            "LOCAL_WORLD_SIZE": str(count),
        }
        processes.append(context.Process(target=_serve, args=(queue, environment, work, *arguments)))  # type: ignore[attr-defined]
        processes[-1].start()
    results: dict[int, Any] = {}
    while any(process.is_alive() for process in processes) or not queue.empty():
        with suppress(Empty):
            results |= queue.get(timeout=0.1)
    return [results.get(rank) for rank in range(count)]


def _serve(queue: "Queue[Any]", environment: dict[str, str], work: Callable[..., Any], *arguments: Any) -> None:
    os.environ.update(environment)
    torch.set_num_threads(1)
    try:
        result = work(*arguments)
    except Exception as error:
        result = f"{type(error).__name__}: {error}"
    queue.put({int(environment["RANK"]): result})
    queue.close()
    queue.join_thread()


def dataset() -> Dataset:
    """13 training videos, two of them without a label, and 5 test videos."""
    made = make_dataset(SyntheticConfig(classes=3, train_videos=13, test_videos=5, length=(20, 40)))
    silent = {video.id for video in made.subset("train")[3:5]}
    videos = [replace(video, labels=(), segments=()) if video.id in silent else video for video in made.videos]
    return replace(made, videos=tuple(videos))


def config_of(*settings: str) -> Config:
    """The settings of these tests, with others."""
    return override(for_dataset(dataset(), "small")[0], [*SETTINGS, *settings])


def train_all(variants: list[tuple[str, ...]]) -> tuple[list[tuple[Any, list[EpochRecord]]], str]:
    """The weights and the log of a training with each of some settings, and the error of ranks that are unlike."""
    data, results = dataset(), []
    features = FeatureSet.load(data.subset("train"), "rgb", data.classes)
    with joined(torch.device("cpu")) as ranks:
        for settings in variants:
            trainer = Trainer(
                features, config_of(*settings), stream="rgb", classes=data.classes, progress=False, ranks=ranks
            )
            trainer.train()
            weights = {name: value.numpy() for name, value in trainer.model.state_dict().items()}
            results.append((weights, trainer.history))
        try:
            ranks.require_same(ranks.rank, "settings")
        except ValueError as error:
            return results, str(error)
    return results, ""


def train(out: Path, resume: bool = False, dies: tuple[int, int] | None = None) -> runs.RunResult:
    """A run with one stream; rank `dies[0]` is killed in epoch `dies[1]`."""

    class Mortal(Trainer):
        def _train_epoch(self) -> EpochRecord:
            if dies == (self.ranks.rank, self.epoch + 1):
                os.kill(os.getpid(), signal.SIGKILL)
            return super()._train_epoch()

    runs.Trainer = Mortal  # type: ignore[attr-defined]
    return runs.train_run(dataset(), config_of(), out, streams=["rgb"], resume=resume, progress=False)


def train_all_and_then(variants: list[tuple[str, ...]], out: Path, dies: tuple[int, int]) -> tuple[Any, str]:
    """What `train_all` returns, and the error of a `train` in which a rank is killed."""
    results = train_all(variants)
    try:
        train(out, dies=dies)
    except RuntimeError as error:
        return results, str(error)
    return results, ""
