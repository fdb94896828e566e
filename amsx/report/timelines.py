"""The data that the page draws single videos from: CASs, sampling, pseudo-labels, proposals and ground truth.

A video carries only its annotated and its predicted classes, and its CASs in 256 steps. Streams whose snippets lie
differently in time are shown on the time axis on which they are fused. Everything is computed here; the page only
draws.
"""

import base64
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from amsx.data.videos import Timebase
from amsx.files import read_json
from amsx.localization.common_axis import on_axis
from amsx.localization.fusion import FUSED, Activations, fuse
from amsx.localization.proposals import thresholds, true_runs
from amsx.model.ams import predicted_classes
from amsx.model.pseudo_labels import pseudo_labels
from amsx.model.sampler import samples_per_snippet
from amsx.report.run_groups import Run, views_of
from amsx.training.activations import StreamActivations, at_times, load_input, on_common_axis
from amsx.training.config import Config
from amsx.training.phases import schedule
from amsx.training.run import fuse_streams
from amsx.training.setup import build_sampler


class Timelines:
    """The videos of one run, by their index among its test videos."""

    def __init__(self, run: Run) -> None:
        self.run = run
        aligned = on_common_axis(run.parts)
        first = aligned[0]
        self.ids, self.classes, self.timebases = first.ids, first.classes, first.timebases
        self.lengths = first.base.lengths
        self.edges = np.concatenate([[0], np.cumsum(self.lengths)])
        self.views = views_of(run.streams)
        self._fused = {view: self._branches(view, aligned) for view in self.views}
        self._teachers = _teachers(run, self.lengths, self.timebases)
        self._change = {part.stream: self._changes(part) for part in run.parts}
        self._predictions = {
            view: read_json(run.folder_of(view) / "predictions.json")["results"] for view in self.views
        }

    def notes(self) -> dict[str, str]:
        """Strip of the page -> a note on it, such as why this run has none."""
        phases, sampling = self.run.config.phases, self.run.config.sampling
        notes = {}
        if phases.branches == "base":
            notes["density"] = notes["supplementary"] = notes["taught"] = "this run has the base branch alone"
        elif not phases.sampler:
            notes["density"] = "this run samples uniformly: both branches see the same snippets"
        elif sampling.weights in ("rolled", "reversed"):
            notes["density"] = (
                f"the weights of Eq. 4, {sampling.weights}: a control, in which they lie at a wrong place"
            )
        elif sampling.weights == "random" or sampling.aggregate == "random":
            notes["density"] = "one draw of a sampler that is random"
        if phases.branches == "both" and phases.supervision == "none":
            notes["taught"] = "no pseudo-labels in this run: video labels alone supervise both branches"
        elif phases.branches == "both" and self.run.stopping is not None:
            notes["taught"] = "the epoch of this run was chosen on held-out training videos; iterations were not kept"
        elif phases.branches == "both" and self.run.config.loss.teacher_decay > 0:
            notes["taught"] = "averages of the branches taught; shown is what the branches themselves would have"
        elif phases.branches == "both" and not all(self.run.snapshots):
            notes["taught"] = "this run kept its last iteration only; earlier ones are not shown"
        if any(change is None for change in self._change.values()):
            notes["input"] = "this run kept nothing of its input"
        return notes

    def truth(self, video: int) -> dict[str, list[list[float]]]:
        """Class -> annotated segments of a video, in seconds."""
        segments: dict[str, list[list[float]]] = {}
        for entry in self.run.truth["database"][self.ids[video]]["annotations"]:
            segments.setdefault(entry["label"], []).append([_short(t) for t in entry["segment"]])
        return segments

    def predicted(self, video: int) -> set[str]:
        """The classes with a proposal in the first view."""
        return {proposal["label"] for proposal in self._predictions[self.views[0]][self.ids[video]]}

    def score(self, video: int) -> float | None:
        """The score of a video (`video_scores`) in the first view, in percent; None for one without instances."""
        explanation = self.run.explanations.get(self.views[0])
        score = None if explanation is None else explanation.videos.get(self.ids[video])
        return None if score is None else round(score, 2)

    def change(self, video: int) -> dict[str, list[Any]]:
        """Stream -> how much the features change at every snippet, packed; empty where the run kept none."""
        rows = self._rows(video)
        return {stream: pack(change[rows]) for stream, change in self._change.items() if change is not None}

    def outcome(self, video: int, classes: Sequence[str]) -> dict[str, Any]:
        """The data that the page shows of this run for a video and `classes`: an entry of the video's "runs"."""
        return {
            "density": self.density(video),
            "views": {view: self._view(view, video, classes) for view in self.views},
            "taught": self._pseudo_labels(video),
        }

    def density(self, video: int) -> dict[str, list[Any]]:
        """Stream -> how many samples fall on every snippet, packed; 1 everywhere is uniform sampling (Eq. 4 to 6)."""
        config = self.run.config
        if config.phases.branches == "base" or not config.phases.sampler:
            return {}
        sampler = build_sampler(config)
        packed = {}
        for part in self.run.parts:
            channels = self._predicted_channels(part, video)
            edges = np.concatenate([[0], np.cumsum(part.base.lengths)])
            cas = torch.from_numpy(part.base.cas[edges[video] : edges[video + 1]])[None]
            with torch.random.fork_rng([]):  # of a sampler that is random, always the same draw
                torch.manual_seed(config.optimization.seed)
                timestamps = sampler.timestamps(cas, channels, torch.tensor([cas.shape[1]]))
            density = samples_per_snippet(timestamps[0].numpy())
            one = slice(video, video + 1)
            own, shown = (part.base.lengths[one], part.timebases[one]), (self.lengths[one], self.timebases[one])
            packed[part.stream] = pack(on_axis(density, *own, *shown))
        return packed

    def _predicted_channels(self, part: StreamActivations, video: int) -> torch.Tensor:
        """The classes that guide the sampler of a stream at test time, multi-hot (1, C)."""
        probs = torch.from_numpy(part.base.probs[video : video + 1])
        return predicted_classes(probs, self.run.config.sampling.class_threshold)

    def _changes(self, part: StreamActivations) -> NDArray[np.float32] | None:
        """The change of a stream's features at every snippet; None where the run kept none."""
        change = load_input(self.run.folder / part.stream / "input.safetensors")
        if change is None:
            return None
        return on_axis(change, part.base.lengths, part.timebases, self.lengths, self.timebases)

    def _branches(self, view: str, aligned: Sequence[StreamActivations]) -> dict[str, Activations]:
        """Branch -> its activations over the streams of a view (Eq. 12), and "fused" -> those behind the detections.

        `aligned` are the streams of the run on one time axis.
        """
        config = self.run.config
        parts = [part for part in aligned if view in (part.stream, FUSED)]
        weights = config.localization.stream_weights([part.stream for part in parts])
        fused = {"base": fuse([part.base for part in parts], weights)}
        others = [part.supplementary for part in parts if part.supplementary is not None]
        if others:
            fused["supplementary"] = fuse(others, weights)
        detected, timebases = fuse_streams([part for part in self.run.parts if view in (part.stream, FUSED)], config)
        cas = on_axis(detected.cas, detected.lengths, timebases, self.lengths, self.timebases)
        fused["fused"] = replace(detected, cas=cas, lengths=self.lengths)
        return fused

    def _rows(self, video: int) -> slice:
        return slice(int(self.edges[video]), int(self.edges[video + 1]))

    def _view(self, view: str, video: int, classes: Sequence[str]) -> dict[str, Any]:
        rows, config = self._rows(video), self.run.config
        columns = [self.classes.index(label) for label in classes if label in self.classes]
        cas: dict[str, dict[str, Any]] = {}
        for branch, part in self._fused[view].items():
            for column in columns:
                alone = Activations(part.cas[rows], part.probs[[video]], part.lengths[[video]])
                levels = _thresholds(alone, column, branch, config)
                cas.setdefault(self.classes[column], {})[branch] = [*pack(alone.cas[:, column]), levels]
        proposals: dict[str, list[list[float]]] = {}
        for proposal in self._predictions[view][self.ids[video]]:
            if proposal["label"] not in classes:
                continue  # only a stream alone predicts it
            row = [*map(_short, proposal["segment"]), _short(proposal["score"])]
            proposals.setdefault(proposal["label"], []).append(row)
        probs = self._fused[view]["fused"].probs[video]
        return {
            "cas": cas,
            "proposals": proposals,
            "probabilities": {self.classes[c]: _short(float(probs[c])) for c in columns},
        }

    def _pseudo_labels(self, video: int) -> list[dict[str, Any]]:
        """The pseudo-labels (Eq. 8) that each branch would have given the other in each iteration, in seconds.

        Those of the annotated classes; of a video without any, those of the classes that guide the sampler.
        """
        if not self._teachers:
            return []
        labels = [label for label in self.truth(video) if label in self.classes]
        if not labels:
            predicted = self._predicted_channels(self.run.parts[0], video)
            labels = [self.classes[c] for c in predicted[0].nonzero()[:, 0].tolist()]
        columns = [self.classes.index(label) for label in labels]
        named = torch.zeros(1, len(self.classes))
        named[:, columns] = 1.0
        loss = self.run.config.loss
        entries = []
        for teacher, part in self._teachers:
            cas = torch.from_numpy(part.cas[self._rows(video)])[None]
            positive = pseudo_labels(
                cas,
                named,
                torch.tensor([cas.shape[1]]),
                ratio=loss.pseudo_threshold,
                reading=loss.pseudo_threshold_of,
                exclusive=loss.exclusive_targets,
            )[0].numpy()
            intervals = {label: self._seconds(video, positive[:, c]) for label, c in zip(labels, columns, strict=True)}
            entries.append({**teacher, "intervals": intervals})
        return entries

    def _seconds(self, video: int, inside: NDArray[np.bool_]) -> list[list[float]]:
        runs = self.timebases[video].to_seconds(true_runs(inside))
        return [[_short(t) for t in pair] for pair in runs.tolist()]


def pack(values: ArrayLike) -> list[Any]:
    """Non-negative values as [largest, base64 of a byte for each value]: value = byte * largest / 255."""
    array = np.asarray(values, dtype=np.float64)
    largest = float(f"{max(float(array.max(initial=0.0)), 1e-9):.6g}")
    steps = np.rint(array * (255 / largest)).clip(0, 255).astype(np.uint8)
    return [largest, base64.b64encode(steps.tobytes()).decode()]


def unpack(packed: Sequence[Any]) -> NDArray[np.float64]:
    """The inverse of `pack`, to within half a step."""
    steps = np.frombuffer(base64.b64decode(packed[1]), np.uint8).astype(np.float64)
    return steps * (float(packed[0]) / 255)


def _thresholds(activations: Activations, label: int, branch: str, config: Config) -> list[float]:
    """The thresholds of a class in one video: of a branch for pseudo-labels (Eq. 8), of the fused CAS for localization.

    What Eq. 8 would take the mean over is the annotated classes in training; here it is the predicted ones.
    """
    options = config.localization
    if branch != "fused":
        options = replace(
            options, threshold=config.loss.pseudo_threshold, thresholds=(), threshold_of=config.loss.pseudo_threshold_of
        )
    return [_short(threshold) for threshold in thresholds(activations, label, options)]


def _short(value: float) -> float:
    """`value` rounded to five significant digits, or to two decimals from 100 on."""
    return float(f"{value:.5g}") if abs(value) < 100 else round(value, 2)


def _teachers(
    run: Run, lengths: NDArray[np.int64], timebases: tuple[Timebase, ...]
) -> list[tuple[dict[str, Any], Activations]]:
    """Which branch gave pseudo-labels to which in each iteration, and the activations behind them, where kept.

    In phase one the base branch of the iteration before is the teacher; in phase two the supplementary branch as the
    iteration leaves it (its sampler is guided by the base branch that then still learns).
    """
    teachers = []
    for part, snapshots in zip(run.parts, run.snapshots, strict=True):
        last = {run.config.phases.iterations: part} if run.stopping is None else {}
        kept = {
            iteration: at_times(activations, lengths, timebases)
            for iteration, activations in {**snapshots, **last}.items()
        }
        for phase in schedule(run.config.phases):
            if phase.teacher is None:
                continue
            snapshot = phase.iteration - (phase.teacher == "base" and phase.trains == "supplementary")
            source = kept.get(snapshot)
            activations = None if source is None else getattr(source, phase.teacher)
            if activations is not None:
                about = {"stream": part.stream, "iteration": phase.iteration}
                teachers.append(({**about, "teacher": phase.teacher, "student": phase.trains}, activations))
    return teachers
