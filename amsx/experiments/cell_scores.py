"""What the trained cells score: every row, after every iteration that counts, over the seeds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from amsx.experiments.plans import Plan, Row, cell_of, row_config
from amsx.files import read_json
from amsx.localization.fusion import FUSED
from amsx.training.activations import load_activations
from amsx.training.config import Config, override
from amsx.training.run import score

BRANCHES = {"base": "localization.supplementary_weight=0", "supplementary": "localization.supplementary_weight=1"}


class Scorer:
    """Scores of what is trained in `out`; what several plans share is scored once."""

    def __init__(self, config: Config, out: Path, streams: Sequence[str], seeds: int, truth: dict[str, Any]) -> None:
        """`truth`: the annotation of the test videos in the ActivityNet form."""
        self.config = config
        self.out = out
        self.streams = tuple(streams)
        self.seeds = seeds
        self.truth = truth
        self._known: dict[tuple[tuple[Path, ...], int, str], tuple[float, list[float]]] = {}

    @property
    def views(self) -> dict[str, tuple[str, ...]]:
        """Each stream alone and, where there are several, all of them fused: name -> the streams."""
        alone: dict[str, tuple[str, ...]] = {stream: (stream,) for stream in self.streams}
        return alone if len(alone) == 1 else {**alone, FUSED: self.streams}

    def rows(self, plan: Plan) -> list[dict[str, Any]]:
        """The entries of a plan, one for every row and iteration that it shows.

        {"key", "name", "iteration", "scores": {view: {"mean", "deviation", "seeds", "mAP", "branches"}}}, where "mAP"
        has mean and deviation per tIoU and "branches" the same for each branch alone.
        """
        return [
            {
                "key": row.key,
                "name": row.name,
                "iteration": iteration,
                "scores": {view: self._entry(row, iteration, members) for view, members in self.views.items()},
            }
            for row in plan.rows
            for iteration in self._iterations(row, plan)
        ]

    def _iterations(self, row: Row, plan: Plan) -> list[int]:
        cell = cell_of(self.config, row, 0, self.streams[0])
        done: list[int] = read_json(self.out / cell.folder / "finished.json")["iterations"]
        if not plan.every_iteration:
            return done[-1:]
        # Before iteration 1 nobody supervises: a supervised row of a table would repeat the one without supervision.
        repeats = plan.key.startswith("table") and cell.config.phases.supervision != "none"
        return [iteration for iteration in done if iteration > 0 or not repeats]

    def _entry(self, row: Row, iteration: int, streams: tuple[str, ...]) -> dict[str, Any]:
        config = row_config(self.config, row, 0)
        entry = self._summary(row, iteration, streams, "fused")
        if config.phases.branches == "both":
            entry["branches"] = {branch: self._summary(row, iteration, streams, branch) for branch in BRANCHES}
        return entry

    def _summary(self, row: Row, iteration: int, streams: tuple[str, ...], branch: str) -> dict[str, Any]:
        metrics = []
        for seed in range(self.seeds):
            cells = [cell_of(self.config, row, seed, stream) for stream in streams]
            metrics.append(self._metrics(tuple(c.folder for c in cells), iteration, branch))
        averages, per_tiou = zip(*metrics, strict=True)
        return {**summary(averages), "mAP": [summary(values) for values in zip(*per_tiou, strict=True)]}

    def _metrics(self, folders: tuple[Path, ...], iteration: int, branch: str) -> tuple[float, list[float]]:
        """Average mAP and mAP per tIoU of streams trained in `folders`, fused; `branch`: alone, or "fused"."""
        key = (folders, iteration, branch)
        if key not in self._known:
            parts = [load_activations(self.out / folder / f"iteration{iteration}.safetensors") for folder in folders]
            config = override(self.config, [BRANCHES[branch]]) if branch in BRANCHES else self.config
            metrics = score(parts, config, self.truth)
            assert metrics is not None  # annotated test videos were asked for at the door
            self._known[key] = float(metrics["average"]), list(map(float, metrics["mAP"]))
        return self._known[key]


def summary(values: Sequence[float]) -> dict[str, Any]:
    """Mean and sample standard deviation (0 for a single seed) of the seeds' scores."""
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return {"mean": float(np.mean(values)), "deviation": deviation, "seeds": list(values)}
