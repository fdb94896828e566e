"""Run directories, read for a report: runs that differ in their seed alone form one group."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np

from amsx.evaluation.explain import Explanation, explain
from amsx.files import read_json
from amsx.localization.fusion import FUSED
from amsx.training.activations import StreamActivations, load_snapshots
from amsx.training.config import Config, differences, override
from amsx.training.epoch_log import LOG_FILE, EpochRecord, read_log
from amsx.training.retests import Retest, read_retests
from amsx.training.run import score
from amsx.training.run_directory import EpochsChosen, read_activations, read_run


@dataclass(frozen=True)
class Run:
    """One run directory."""

    folder: Path
    data: Mapping[str, Any]  # the entry "data" of config.json
    config: Config
    truth: Mapping[str, Any]  # the test videos' annotation, ActivityNet form
    parts: tuple[StreamActivations, ...]  # one for each stream, at the end of training
    snapshots: tuple[Mapping[int, StreamActivations], ...]  # one for each stream: iteration -> its activations
    log: Mapping[str, Sequence[EpochRecord]]  # stream -> its epochs
    explanations: Mapping[str, Explanation]  # by view; empty where no test video is annotated
    stopping: EpochsChosen | None = None  # the epochs that were chosen on held-out training videos; None: the last
    retests: Sequence[Retest] = ()  # of the run with other settings

    @property
    def streams(self) -> list[str]:
        return [part.stream for part in self.parts]

    def folder_of(self, view: str) -> Path:
        """The folder with the predictions of a view: of one stream, or of all fused."""
        return self.folder / view if view in self.streams and len(self.parts) > 1 else self.folder

    def iteration_scores(self, view: str) -> dict[int, float]:
        """Iteration -> average mAP of a view, for the iterations that were kept and, last, the run's own."""
        if not self.explanations:
            return {}
        chosen = [i for i, part in enumerate(self.parts) if view in (part.stream, FUSED)]
        kept = set.intersection(*(set(self.snapshots[i]) for i in chosen))
        scores = {}
        for iteration in sorted(kept):
            metrics = score([self.snapshots[i][iteration] for i in chosen], self.config, dict(self.truth))
            if metrics is not None:
                scores[iteration] = metrics.average
        if scores:
            scores[self.config.phases.iterations] = self.explanations[view].evaluation.average
        return scores


@dataclass(frozen=True)
class Group:
    """Runs that differ in nothing but their seed."""

    name: str
    runs: tuple[Run, ...]
    settings: tuple[str, ...]  # "section.key=value" where it differs from the report's first group

    @property
    def scored(self) -> bool:
        return bool(self.runs[0].explanations)


@dataclass(frozen=True)
class Summary:
    """Mean and sample standard deviation over the seeds (None for a single seed), element by element."""

    mean: Any  # an array, or a float
    deviation: Any


def summarize(values: Sequence[Any]) -> Summary:
    """Summarize `values`, one number or one array for every seed; a NaN among the seeds makes the result NaN."""
    stacked = np.asarray(values, dtype=np.float64)
    deviation = stacked.std(axis=0, ddof=1) if len(stacked) > 1 else None
    return Summary(stacked.mean(axis=0), deviation)


def views_of(streams: Sequence[str]) -> list[str]:
    """The views that are scored: all streams fused where there are several, then each stream alone."""
    return [FUSED, *streams] if len(streams) > 1 else list(streams)


def read_groups(folders: Sequence[Path | str]) -> list[Group]:
    """Read run directories and group them, in the order given.

    FileNotFoundError where a folder is no finished run; ValueError where the runs were tested on different videos,
    classes or streams, or one was given twice.
    """
    if not folders:
        raise ValueError("expected at least one run directory")
    paths = [Path(folder) for folder in folders]
    twice = {path for path in paths if [p.resolve() for p in paths].count(path.resolve()) > 1}
    if twice:
        raise ValueError(f"given more than once: {', '.join(sorted(map(str, twice)))}")
    runs = [_read(path) for path in paths]
    first = runs[0]
    for run in runs[1:]:
        if run.truth != first.truth or run.data["classes"] != first.data["classes"]:
            raise ValueError(f"{first.folder} and {run.folder} were tested on different videos; report them apart")
        if run.streams != first.streams:
            raise ValueError(
                f"{first.folder} has the streams {', '.join(first.streams)}, {run.folder} {', '.join(run.streams)}; "
                "report them apart"
            )
    gathered: dict[str, list[Run]] = {}
    for run in runs:
        key = repr(override(run.config, ["optimization.seed=0"]))
        gathered.setdefault(key, []).append(run)
    names = _names([[run.folder for run in members] for members in gathered.values()])
    return [
        Group(name, tuple(members), _settings(first.config, members[0].config))
        for name, members in zip(names, gathered.values(), strict=True)
    ]


def _read(folder: Path) -> Run:
    described = read_run(folder)
    config = described.config
    truth = read_json(folder / "ground_truth.json")
    streams = described.data.streams
    annotated = any(entry["annotations"] for entry in truth["database"].values())
    run = Run(
        folder=folder,
        data=described.data.to_json(),
        config=config,
        truth=truth,
        parts=tuple(read_activations(folder, streams)),
        snapshots=tuple(load_snapshots(folder / stream) for stream in streams),
        log={stream: read_log(folder / stream / LOG_FILE) for stream in streams},
        explanations={},
        stopping=described.stopping,
        retests=read_retests(folder),
    )
    if not annotated:
        return run
    explanations = {}
    for view in views_of(streams):
        predictions = run.folder_of(view) / "predictions.json"
        if not predictions.is_file():
            raise FileNotFoundError(f"no {predictions}: the run is not finished; amsx train --resume continues it")
        explanations[view] = explain(predictions, truth, config.evaluation.protocol, config.evaluation.tiou)
    return Run(**{**vars(run), "explanations": explanations})


def _settings(first: Config, other: Config) -> tuple[str, ...]:
    """The settings in which `other` differs from `first`, except the seed."""
    changed = []
    for line in differences(first, override(other, [f"optimization.seed={first.optimization.seed}"])):
        key = line.split(":")[0]
        section, name = key.split(".")
        value = getattr(getattr(other, section), name)
        changed.append(f"{key}={_as_assigned(value)}")
    return tuple(changed)


def _as_assigned(value: Any) -> str:
    """The value of a setting as `--set` takes it."""
    if isinstance(value, Mapping):
        return ",".join(f"{name}:{number}" for name, number in value.items()) or "none"
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _names(groups: Sequence[Sequence[Path]]) -> list[str]:
    """A short name for every group, from its folders: what their paths begin with, without the part that all share."""
    resolved = [[str(path.resolve()) for path in group] for group in groups]
    parents = [os.path.dirname(path) for group in resolved for path in group]
    shared = os.path.commonpath(parents)
    names = []
    for group in resolved:
        relative = [os.path.relpath(path, shared) for path in group]
        same = [
            letters[0] for letters in takewhile(lambda letters: len(set(letters)) == 1, zip(*relative, strict=False))
        ]
        begin = "".join(same).rstrip("/-_. ") if len(relative) > 1 else relative[0]
        names.append(begin or " + ".join(relative))
    return names if len(set(names)) == len(names) else [f"{name} ({i + 1})" for i, name in enumerate(names)]
