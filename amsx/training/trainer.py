"""Trains the two branches of one stream through the schedule, one epoch at a time."""

import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

import torch
from torch import Tensor
from tqdm import tqdm

from amsx.data.batching import Batch, FeatureSet, train_batches
from amsx.training.config import Config, to_dict
from amsx.training.epoch_log import TERMS, EpochRecord
from amsx.training.mean_teacher import MeanTeacher
from amsx.training.objective import Objective
from amsx.training.phases import Phase, phase_of_epoch, schedule, total_epochs
from amsx.training.ranks import Ranks
from amsx.training.setup import build_model, load_model, moments, seeded

LOG_EVERY = 60.0  # seconds between two lines of progress where the output is no terminal, such as a job's log


def epoch_bar(name: str, total: int, *, initial: int = 0, progress: bool = True) -> "tqdm[NoReturn]":
    """A bar of epochs: drawn anew on a terminal, a line a minute elsewhere, nothing without `progress`."""
    return tqdm(
        total=total,
        initial=initial,
        desc=name,
        unit="epoch",
        disable=not progress,
        mininterval=0.1 if sys.stderr.isatty() else LOG_EVERY,
        maxinterval=LOG_EVERY,
    )


class Trainer:
    """The state of a training run on one stream, always at the end of an epoch.

    All randomness of an epoch (order, crops, dropout) is seeded from the run's seed and the epoch's number. So the
    weights, their averages (`loss.teacher_decay`), the optimizers and the number of finished epochs are the whole
    state, and a resumed run repeats an uninterrupted one bit for bit.

    Several processes train together where each has a trainer of the same features and configuration, and `ranks` that
    says which of them it is. All of them have the same state, and the losses of the whole batches.
    """

    def __init__(
        self,
        features: FeatureSet,
        config: Config,
        *,
        stream: str,
        classes: Sequence[str],
        device: torch.device | str = "cpu",
        progress: bool = True,
        ranks: Ranks | None = None,
    ) -> None:
        """`features` are those of the training videos, `classes` the names of the columns of their labels.

        `ranks`: the processes that train together, see `amsx.training.ranks.joined` (None: this one alone).
        """
        self.device = torch.device(device)
        self.features = features.to(self.device)
        self.config = config
        self.stream = stream
        self.classes = tuple(classes)
        self.width = features.rows.shape[1]
        self.ranks = ranks or Ranks()
        self.progress = progress and self.ranks.first
        self.phases = schedule(config.phases)
        self.epoch = 0  # finished epochs of the whole schedule
        self.history: list[EpochRecord] = []  # one for every finished epoch
        with seeded(config.optimization.seed, 0, self.device):
            self.model = build_model(self.width, len(self.classes), config).to(self.device)
        self._frozen = [parameter for parameter in self.model.parameters() if not parameter.requires_grad]
        negatives = bool((features.labels == 0).all(dim=1).any())  # whether there are videos without an action
        self._objective = Objective(self.model, config, negatives=negatives)
        # The gradient of the loss. The ranks' gradients are averaged, but it is their sum that belongs to the batch.
        self._seed = torch.tensor(float(self.ranks.count), device=self.device)
        if config.model.standardize:
            mean, deviation = moments(self.features.rows)
            for branch in (self.model.base, self.model.supplementary):
                branch.standardize_by(mean, deviation)
        self._teacher = MeanTeacher(config.loss.teacher_decay)
        self._scaler = torch.amp.GradScaler(self.device.type, enabled=config.optimization.precision == "float16")
        self.optimizers = {
            name: torch.optim.Adam(
                getattr(self.model, name).parameters(),
                lr=config.optimization.learning_rate,
                weight_decay=config.optimization.weight_decay,
                fused=True,
            )
            for name in ("base", "supplementary")
        }

    @property
    def finished(self) -> bool:
        """Whether the whole schedule has been trained."""
        return self.epoch >= total_epochs(self.phases)

    def train(
        self,
        after_epoch: Callable[["Trainer"], None] | None = None,
        *,
        until: int | None = None,
        stop: Callable[["Trainer"], bool] = lambda trainer: False,
    ) -> None:
        """Train to the end of the schedule, or until `until` of its epochs are finished.

        `after_epoch` is called with the trainer after every epoch. No other epoch is begun once `stop` says so.
        """
        goal = total_epochs(self.phases) if until is None else until
        with epoch_bar(self.stream, goal, initial=self.epoch, progress=self.progress) as bar:
            while self.epoch < goal and not stop(self):
                record = self._train_epoch()
                state = f"phase {record.phase}, iteration {record.iteration}, loss {record.loss:.3f}"
                bar.set_postfix_str(state, refresh=False)
                bar.update()
                if after_epoch is not None:
                    after_epoch(self)

    def _train_epoch(self) -> EpochRecord:
        phase, first = phase_of_epoch(self.phases, self.epoch)
        student = getattr(self.model, phase.trains)
        self.model.eval().requires_grad_(False)
        student.train().requires_grad_(True)
        for parameter in self._frozen:  # what a backbone of the user's keeps as it is
            parameter.requires_grad_(False)
        optimizer = self.optimizers[phase.trains]
        if first and self.config.optimization.restart:
            optimizer.state.clear()
        if phase.teacher is not None:
            self._teacher.begin(self.model)
        objective = self.ranks.averaging(self._objective)
        began = time.perf_counter()
        sums = torch.zeros(len(TERMS), dtype=torch.float64, device=self.device)
        losses: list[Tensor] = []  # of every batch, to tell which one was the first that failed
        videos: list[tuple[str, ...]] = []
        with seeded(self.config.optimization.seed, 1 + self.epoch, self.device):
            for batch in self._batches():
                terms = objective(batch, phase, self._teacher.model)
                optimizer.zero_grad(set_to_none=True)
                torch.autograd.backward(self._scaler.scale(terms[0]), self._seed)
                self._scaler.step(optimizer)
                self._scaler.update()
                self._teacher.follow(self.model, phase.trains)
                sums += torch.stack(terms).detach()
                losses.append(terms[0].detach())
                videos.append(batch.ids)
        self.model.eval().requires_grad_(False)
        weights = torch.stack(torch._foreach_norm([parameter.detach() for parameter in student.parameters()]))
        summary = torch.cat([self.ranks.total(sums) / len(losses), weights.sum()[None]])
        *means, norm = summary.tolist()  # the epoch's one synchronization with the device
        if not (math.isfinite(means[0]) and math.isfinite(norm)):
            raise FloatingPointError(self._divergence(phase, self.ranks.total(torch.stack(losses)), videos))
        self.epoch += 1
        record = EpochRecord(
            epoch=self.epoch,
            phase=phase.name,
            iteration=phase.iteration,
            trains=phase.trains,
            **dict(zip(TERMS, means, strict=True)),
            seconds=time.perf_counter() - began,
        )
        self.history.append(record)
        return record

    def _divergence(self, phase: Phase, losses: Tensor, videos: Sequence[tuple[str, ...]]) -> str:
        """Where an epoch diverged, by the losses of its batches and their videos, and what to do about it."""
        broken = (~losses.isfinite()).nonzero().flatten().tolist()
        batch = broken[0] if broken else len(losses) - 1
        what = f"the loss became {losses[batch].item()}" if broken else "the weights became infinite or NaN"
        when = f"phase {phase.name}" + (f" of iteration {phase.iteration}" if phase.iteration else "")
        shown = ", ".join(videos[batch][:3]) + (", ..." if len(videos[batch]) > 3 else "")
        settings = self.config.optimization
        return (
            f"{self.stream}: {what} in epoch {self.epoch + 1} of {total_epochs(self.phases)} ({when}, which trains the "
            f"{phase.trains} branch), in batch {batch + 1} of {len(losses)} (videos {shown}); what was saved after "
            f"epoch {self.epoch} is whole, and going on from there would fail again: train anew with a lower "
            f"optimization.learning_rate (it is {settings.learning_rate:g}), or with model.standardize=true where "
            "features have large values (`amsx data` looks for broken ones)"
        )

    def _batches(self) -> Iterator[Batch]:
        settings = self.config.optimization
        return train_batches(
            self.features,
            batch_size=settings.batch_size,
            max_snippets=settings.max_snippets,
            seed=settings.seed,
            epoch=self.epoch,
            sampling=settings.sampling,
            rank=self.ranks.rank,
            ranks=self.ranks.count,
        )

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and a header of JSON values, from which `restore` continues."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()} | self._teacher.state()
        for branch, optimizer in self.optimizers.items():
            for name, parameter in getattr(self.model, branch).named_parameters():
                for key, value in optimizer.state.get(parameter, {}).items():
                    tensors[f"optimizer.{branch}.{name}.{key}"] = value
        header = {
            "stream": self.stream,
            "classes": list(self.classes),
            "width": self.width,
            "config": to_dict(self.config),
            "epoch": self.epoch,
            "history": [record.to_json() for record in self.history],
        }
        if self._scaler.is_enabled():
            header["scaler"] = self._scaler.state_dict()
        return {name: value.detach().clone() for name, value in tensors.items()}, header

    def restore(self, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
        """Continue from what `state` returned; ValueError where it comes from other data or another model.

        The configuration may differ in settings that the finished epochs did not depend on, so that runs can share
        their first epochs.
        """
        expected = {"stream": self.stream, "classes": list(self.classes), "width": self.width}
        for key, value in expected.items():
            if header[key] != value:
                raise ValueError(f"the checkpoint's {key} is {header[key]!r}, the data's is {value!r}")
        load_model(self.model, tensors)
        self._teacher.restore(self.model, tensors)
        for branch, optimizer in self.optimizers.items():
            names = [name for name, _ in getattr(self.model, branch).named_parameters()]
            state: dict[int, dict[str, Tensor]] = {}
            for index, name in enumerate(names):
                prefix = f"optimizer.{branch}.{name}."
                values = {k[len(prefix) :]: v.clone() for k, v in tensors.items() if k.startswith(prefix)}
                if values:
                    state[index] = values
            optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
        if self._scaler.is_enabled():
            self._scaler.load_state_dict(header["scaler"])
        self.epoch = header["epoch"]
        self.history = [EpochRecord.from_json(values) for values in header["history"]]
