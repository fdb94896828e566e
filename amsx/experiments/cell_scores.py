"""The scores of trained cells: of every row of a table or figure, after the iterations that it shows, over seeds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from amsx.experiments.cells import Cell, iteration_file, read_finished
from amsx.experiments.plans import Plan, Row, cell_of, row_config
from amsx.experiments.results import BRANCHES, ResultRow, Score, SeedScores
from amsx.experiments.warp import Warp, mean_warp, measure_warp
from amsx.localization.fusion import FUSED
from amsx.training.activations import load_activations
from amsx.training.config import Config, override
from amsx.training.run import score

SUPPLEMENTARY_WEIGHT = {"base": 0, "supplementary": 1}  # the weight with which fusion leaves one branch alone


class Scorer:
    """Scores the cells in a folder of `amsx reproduce`. Cells that several plans share are scored once."""

    def __init__(self, config: Config, out: Path, streams: Sequence[str], seeds: int, truth: dict[str, Any]) -> None:
        """`truth` is the annotation of the test videos in the ActivityNet form."""
        self.config = config
        self.out = out
        self.streams = tuple(streams)
        self.seeds = seeds
        self.truth = truth
        self.warnings: dict[str, list[str]] = {}  # warning of an evaluation -> the scores that it was given for
        self._scored: dict[tuple[tuple[Path, ...], int, str], tuple[float, list[float]]] = {}

    def summarized_warnings(self) -> list[str]:
        """A sentence for every warning that the evaluation gave: how many scores it is about, and the first of them."""
        return [
            f"warning of {len(scores)} of {len(self._scored)} scores, e.g. that of {scores[0]}: {warning}"
            for warning, scores in self.warnings.items()
        ]

    @property
    def views(self) -> dict[str, tuple[str, ...]]:
        """Each stream alone and, where there are several, all of them fused: name -> the streams."""
        alone: dict[str, tuple[str, ...]] = {stream: (stream,) for stream in self.streams}
        return alone if len(alone) == 1 else {**alone, FUSED: self.streams}

    def rows(self, plan: Plan) -> tuple[ResultRow, ...]:
        """The scores of every row of a plan, after every iteration that the plan shows."""
        return tuple(
            ResultRow(
                row.key,
                row.name,
                iteration,
                {view: self._row_score(row, iteration, streams, plan) for view, streams in self.views.items()},
                {stream: self._warp(row, iteration, stream) for stream in self.streams} if plan.warp else {},
            )
            for row in plan.rows
            for iteration in self._iterations(row, plan)
        )

    def _iterations(self, row: Row, plan: Plan) -> list[int]:
        cell = cell_of(self.config, row, 0, self.streams[0])
        done = read_finished(self.out / cell.folder).iterations
        if not plan.every_iteration:
            return list(done[-1:])
        # Before iteration 1 nobody supervises: a supervised row of a table would repeat the one without supervision.
        repeats = plan.key.startswith("table") and cell.config.phases.supervision != "none"
        return [iteration for iteration in done if iteration > 0 or not repeats]

    def _row_score(self, row: Row, iteration: int, streams: tuple[str, ...], plan: Plan) -> Score:
        average, per_tiou = self._over_seeds(row, iteration, streams, None)
        both = plan.branches and row_config(self.config, row, 0).phases.branches == "both"
        branches = {
            branch: Score(*self._over_seeds(row, iteration, streams, branch), {}) for branch in BRANCHES if both
        }
        return Score(average, per_tiou, branches)

    def _warp(self, row: Row, iteration: int, stream: str) -> Warp:
        """The warp by a row's sampler, as a mean over test videos and seeds."""
        cells = [cell_of(self.config, row, seed, stream) for seed in range(self.seeds)]
        files = [iteration_file(self.out / cell.folder, iteration) for cell in cells]
        return mean_warp(
            [measure_warp(load_activations(path), cell.config) for path, cell in zip(files, cells, strict=True)]
        )

    def _over_seeds(
        self, row: Row, iteration: int, streams: tuple[str, ...], branch: str | None
    ) -> tuple[SeedScores, tuple[SeedScores, ...]]:
        """Average mAP, and mAP at every T-IoU; of one branch alone, or of both fused (None)."""
        scores = []
        for seed in range(self.seeds):
            cells = [cell_of(self.config, row, seed, stream) for stream in streams]
            scores.append(self._one_seed(cells, iteration, branch))
        averages, per_tiou = zip(*scores, strict=True)
        return SeedScores.of(averages), tuple(SeedScores.of(values) for values in zip(*per_tiou, strict=True))

    def _one_seed(self, cells: Sequence[Cell], iteration: int, branch: str | None) -> tuple[float, list[float]]:
        """Average mAP, and mAP at every T-IoU, of the streams that were trained in `cells`, localized as they say."""
        config, folders = cells[0].config, tuple(cell.folder for cell in cells)
        if branch is not None:
            config = override(config, [f"localization.supplementary_weight={SUPPLEMENTARY_WEIGHT[branch]}"])
        key = (folders, iteration, repr(config.localization))
        if key not in self._scored:
            parts = [load_activations(iteration_file(self.out / folder, iteration)) for folder in folders]
            metrics = score(parts, config, self.truth)
            assert metrics is not None  # the callers ask for annotated test videos
            self._scored[key] = metrics.average, metrics.mean_ap
            of = f"{' and '.join(map(str, folders))}, iteration {iteration}" + (f", {branch} branch" if branch else "")
            for warning in metrics.warnings:
                self.warnings.setdefault(warning, []).append(of)
        return self._scored[key]
