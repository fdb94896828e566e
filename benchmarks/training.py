"""A whole AMS training step: its time in every phase beside that of its matrix products, and what takes the rest."""

import dataclasses
import importlib.util
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.make_dataset import THUMOS14
from benchmarks.measuring import OUT_OF_TIME
from benchmarks.rows import Row, print_table
from benchmarks.settings import Settings
from benchmarks.timing import Spread

if TYPE_CHECKING:
    from amsx.training.trainer import Trainer

GROUP = "training"
SAMPLER = "amsx::"  # what the names of all ops of the sampler and the alignment begin with, forward and backward
KINDS = (
    ("sampler and alignment", (SAMPLER,)),
    ("matrix products", ("aten::addmm", "aten::mm", "aten::bmm", "aten::baddbmm", "aten::matmul", "aten::linear")),
    ("optimizer", ("aten::_fused_adam", "aten::_foreach", "Optimizer")),
)


PRODUCTS = ("mm", "addmm", "addmm_", "bmm", "baddbmm")  # operations of aten that are matrix products
PHASES = (("zero", "base branch alone"), ("one", "supplementary branch"), ("two", "base branch taught"))


class Products(TorchDispatchMode):
    """Keeps the matrix products that run within it, with their inputs, so that they can be run again by themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Callable[[], object]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.__name__.split(".")[0] in PRODUCTS:
            self.calls.append(partial(func, *args, **(kwargs or {})))
        return func(*args, **(kwargs or {}))

    def seconds(self, device: str) -> float:
        """How long they take again, one after the other."""
        began = time.perf_counter()
        with torch.no_grad():
            for call in self.calls:
                call()
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - began


def run(settings: Settings) -> list[Row]:
    """One batch is an epoch here, so the seconds per epoch that the trainer records are those of a step."""
    B, T, D, C = _sizes(settings)
    missing = [name for name in ("safetensors", "tqdm") if importlib.util.find_spec(name) is None]
    if missing or settings.out_of_time:
        note = f"left out: not installed: {', '.join(missing)}" if missing else OUT_OF_TIME
        rows = [Row(GROUP, f"a step, B {B}, T {T}, D {D}, C {C}", "amsx", {"B": B, "T": T, "D": D, "C": C}, note=note)]
        print_table(rows)
        return rows
    rows = []
    for lengths, what in kinds_of_videos(settings):
        rows += _steps(settings, lengths, f"a step, B {B}, T {T}, D {D}, C {C}, videos {what}")
    shares = _shares(settings, 2 if settings.quick else 4)
    print_table(shares)
    return rows + [dataclasses.replace(row, parameters=rows[0].parameters) for row in shares]


def _steps(settings: Settings, lengths: NDArray[np.int64], case: str) -> list[Row]:
    """The time of a step in every phase, that of its matrix products alone, and how many times as long the step is.

    Steps and products take turns, so that what disturbs one disturbs the other.
    """
    B, T, D, C = _sizes(settings)
    parameters = {"B": B, "T": T, "D": D, "C": C}
    rounds = 2 if settings.quick else max(3, min(settings.repeats, 9))
    trainer = trainer_of(settings, rounds + 2, lengths)
    rows = []
    for phase, title in PHASES:
        trainer.train(until=trainer.epoch + 1)  # the first step of a phase allocates the optimizer's moments
        with Products() as products:
            trainer.train(until=trainer.epoch + 1)
        alone = []
        for _ in range(rounds):
            trainer.train(until=trainer.epoch + 1)
            alone.append(products.seconds(settings.device))
        steps = [record.seconds for record in trainer.history if record.phase == phase][2:]
        ratios = [step / product for step, product in zip(steps, alone, strict=True)]
        name = f"phase {phase}, {title}"
        rows.append(Row(GROUP, case, name, parameters, spread=Spread.of(steps)))
        rows.append(Row(GROUP, case, f"phase {phase}, products", parameters, spread=Spread.of(alone)))
        rows.append(Row(GROUP, case, f"phase {phase}, step / products", parameters, unit="x", spread=Spread.of(ratios)))
    print_table(rows)
    return rows


def _sizes(settings: Settings) -> tuple[int, int, int, int]:
    """B, T, D and C: the paper's sizes, or tiny ones for a quick run."""
    return (4, 20, 16, 3) if settings.quick else (16, 1000, 1024, 20)


def kinds_of_videos(settings: Settings) -> list[tuple[NDArray[np.int64], str]]:
    """The lengths (B,) of the videos that a step is measured with, and what they are, in words."""
    B, T, _, _ = _sizes(settings)
    return [(np.full(B, T), "each of T snippets"), (_thumos_lengths(B, T), "as long as THUMOS14's")]


def _thumos_lengths(B: int, T: int) -> NDArray[np.int64]:
    """As many snippets as videos of THUMOS14 have (`benchmarks.make_dataset`), at most T, which one of them has."""
    lengths = np.minimum(THUMOS14.lengths(B, np.random.default_rng(0)), T)
    lengths[lengths.argmax()] = T
    return lengths


def trainer_of(settings: Settings, steps: int, lengths: NDArray[np.int64]) -> "Trainer":
    """A trainer on random features of as many videos as a batch takes, with `lengths` (B,)."""
    from amsx.data.batching import FeatureSet  # here, because what training needs may not be installed
    from amsx.training.config import Config, ModelConfig, OptimizationConfig, PhasesConfig
    from amsx.training.trainer import Trainer

    B, T, D, C = _sizes(settings)
    generator = torch.Generator().manual_seed(0)
    labels = torch.zeros(B, C)
    labels[torch.arange(B), torch.arange(B) // 2 % C] = 1
    features = FeatureSet(
        tuple(f"video {i}" for i in range(B)),
        torch.randn(int(lengths.sum()), D, generator=generator),
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        labels,
    )
    config = Config(
        model=ModelConfig(hidden=32 if settings.quick else 1024),
        phases=PhasesConfig(base_epochs=steps, alternate_epochs=steps, iterations=1),
        optimization=OptimizationConfig(batch_size=B, max_snippets=T),
    )
    classes = [f"class {c}" for c in range(C)]
    return Trainer(features, config, stream="rgb", classes=classes, device=settings.device, progress=False)


def _shares(settings: Settings, steps: int) -> list[Row]:
    """What takes the time of phases one and two, in percent of the host's time on the CPU, of the device's on CUDA."""
    B, T, _, _ = _sizes(settings)
    trainer = trainer_of(settings, steps, np.full(B, T))
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if settings.cuda else [])]
    profilers: list[Any] = []

    def after_epoch(trainer: "Trainer") -> None:
        if trainer.epoch == steps + 1:  # phase zero and the first step of phase one are over
            profilers.append(profile(activities=activities))
            profilers[0].start()

    trainer.train(after_epoch)
    profilers[0].stop()
    seconds: dict[str, float] = defaultdict(float)
    total = 0.0
    for event in profilers[0].key_averages():
        own = event.self_device_time_total if settings.cuda else event.self_cpu_time_total
        if settings.cuda and event.device_type != torch.autograd.DeviceType.CPU:
            continue  # the kernel itself: its time is counted at the op that launched it
        total += own
        nested = (event.device_time_total if settings.cuda else event.cpu_time_total) - own
        kind = next((name for name, keys in KINDS if event.key.startswith(keys)), "everything else")
        seconds[kind] += own
        if event.key.startswith(SAMPLER):  # with what it calls (its outputs' allocation)
            seconds[kind] += nested
            seconds["everything else"] -= nested
    if total == 0:
        return [Row(GROUP, "shares", "sampler and alignment", {}, unit="%", note="the profiler saw no time")]
    case = f"where the {'device' if settings.cuda else 'host'} time of phases one and two goes"
    names = [*(name for name, _ in KINDS), "everything else"]
    return [Row(GROUP, case, name, {}, unit="%", spread=Spread.of([100 * seconds[name] / total])) for name in names]
