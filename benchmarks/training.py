"""A whole AMS training step: its time in every phase, what takes that time, and the share of the sampler."""

import dataclasses
import importlib.util
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

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


def run(settings: Settings) -> list[Row]:
    """One batch is an epoch here, so the seconds per epoch that the trainer records are those of a step."""
    B, T, D, C = _sizes(settings)
    case, parameters = f"a step, B {B}, T {T}, D {D}, C {C}", {"B": B, "T": T, "D": D, "C": C}
    missing = [name for name in ("safetensors", "tqdm") if importlib.util.find_spec(name) is None]
    if missing or settings.out_of_time:
        note = f"left out: not installed: {', '.join(missing)}" if missing else OUT_OF_TIME
        rows = [Row(GROUP, case, "amsx", parameters, note=note)]
        print_table(rows)
        return rows
    steps = 2 if settings.quick else 4
    trainer = _trainer(settings, steps)
    trainer.train()
    rows = []
    for phase, title in (("zero", "base branch alone"), ("one", "supplementary branch"), ("two", "base branch taught")):
        # The first step of a phase allocates the optimizer's moments.
        seconds = [record.seconds for record in trainer.history if record.phase == phase][1:]
        rows.append(Row(GROUP, case, f"phase {phase}, {title}", parameters, spread=Spread.of(seconds)))
    print_table(rows)
    shares = _shares(settings, steps)
    print_table(shares)
    return rows + [dataclasses.replace(row, parameters=parameters) for row in shares]


def _sizes(settings: Settings) -> tuple[int, int, int, int]:
    """B, T, D and C: the paper's sizes, or tiny ones for a quick run."""
    return (4, 20, 16, 3) if settings.quick else (16, 1000, 1024, 20)


def _trainer(settings: Settings, steps: int) -> "Trainer":
    """A trainer on random features of as many videos as a batch takes."""
    from amsx.data.batching import FeatureSet  # here, because what training needs may not be installed
    from amsx.training.config import Config, ModelConfig, OptimizationConfig, PhasesConfig
    from amsx.training.trainer import Trainer

    B, T, D, C = _sizes(settings)
    generator = torch.Generator().manual_seed(0)
    labels = torch.zeros(B, C)
    labels[torch.arange(B), torch.arange(B) // 2 % C] = 1
    features = FeatureSet(
        tuple(f"video {i}" for i in range(B)),
        torch.randn(B * T, D, generator=generator),
        np.arange(B + 1, dtype=np.int64) * T,
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
    trainer = _trainer(settings, steps)
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
