"""The paper's grid search (lambda, eta, H, beta, theta_cls) on held-out training videos, by Optuna.

OUT/search.json   the data, the split and the settings that the search began with
OUT/study.log     Optuna's record of the trials; see amsx.experiments.shared_study
OUT/cells/...     what is trained; see amsx.experiments.cells
OUT/config.json   the best settings so far, for `amsx train --config`

A trial draws lambda, eta and H and trains with them. The late settings need no training: theta_cls, and the weights of
the streams (beta where there are rgb and one other stream). Every pair of their grids is scored from the trial's saved
activations, and the best score is the trial's. With few held-out videos the best of many scores is optimistic: it shows
which settings to take, not what they will score.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import product
from math import comb
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amsx.data.validation import carve
from amsx.data.videos import Dataset
from amsx.experiments.cells import Cell, iteration_file, unfinished
from amsx.experiments.parallel import LOOK, chosen_workers, train_cells
from amsx.files import read_json, write_json
from amsx.training.activations import load_activations
from amsx.training.config import Config, differences, from_dict, override, to_dict
from amsx.training.phases import iteration_ends, schedule
from amsx.training.run import check_values, chosen_streams, score
from amsx.training.run_directory import describe_run, ground_truth

if TYPE_CHECKING:
    import optuna

SEARCH_FILE = "search.json"
LAMBDA = 2.0  # the upper end of the search, which begins at 0
ETA = 2.0  # likewise, as in Fig. 5
FACTOR = (1, 5, 10, 20, 40)  # H
BETA = tuple(round(0.05 * i, 2) for i in range(1, 20))
WEIGHT_PARTS = (20, 10, 5, 4, 3, 2)  # into how many parts the weights of streams divide 1; the most that FEW allow
FEW = 60  # combinations of weights that are tried at most
CLASS_THRESHOLD = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)  # theta_cls


def tune(
    dataset: Dataset,
    config: Config,
    out: Path | str,
    *,
    trials: int,
    share: float = 0.3,
    group: str | None = None,
    seeds: int = 1,
    streams: Sequence[str] | None = None,
    jobs: int | None = None,
    device: str | None = None,
    say: Callable[[str], None] = print,
) -> Config:
    """Search until `trials` trials are complete in `out`, and return the best settings.

    The first trial is `config` itself. `share` and `group` say what of the training videos is held out (see `carve`);
    no test video's features are read. A search that was killed goes on with the same `out`, and several processes may
    share it: each measures trials that no other measures. RuntimeError where Optuna is not installed or a training
    fails; ValueError where `out` holds another search.
    """
    try:
        from amsx.experiments.shared_study import SharedStudy  # imports Optuna
    except ModuleNotFoundError as error:
        raise RuntimeError("amsx tune needs Optuna; pip install 'amsx[tune]' or pip install optuna") from error
    out = Path(out)
    if trials < 1 or seeds < 1:
        raise ValueError(f"trials and seeds must be at least 1, got {trials} and {seeds}")
    workers = chosen_workers(jobs, device)
    held_out = carve(dataset, share=share, group=group)
    names = chosen_streams(held_out, streams)
    config.localization.stream_weights(names)
    check_values(held_out, names)
    described = {
        **describe_run(held_out, names, config).to_json(),
        "held_out": [video.id for video in held_out.subset("test")],
        "seeds": seeds,
    }
    shared = SharedStudy(out)
    with shared.alone():
        if not _holds_same(out, described, config):
            write_json(out / SEARCH_FILE, described)
        shared.open()
    say(held_out.notes[-1])
    scorer = _TrialScorer(held_out, names, seeds, out, workers)
    first = {
        "lambda": config.loss.localization_weight,
        "eta": config.sampling.eta,
        "H": config.sampling.interp_factor,
    }
    while True:
        with ExitStack() as held:
            with shared.alone():
                found = shared.trials()
                if found.complete:
                    best = shared.study.best_trial
                    chosen = override(config, best.user_attrs["settings"])
                    validation = {"mAP": best.value, "trial": best.number, "trials": len(found.complete)}
                    write_json(out / "config.json", {"config": to_dict(chosen), "validation": validation})
                if len(found.complete) >= trials:
                    settings = best.user_attrs["settings"]
                    say(f"best: trial {best.number}, mean mAP {best.value:.1f}: {' '.join(settings)}")
                    return chosen
                all_taken = len(found.complete) + len(found.running) >= trials
                if not all_taken:
                    trial, settings = shared.begin(found, first, lambda trial: _draw(trial, config), held)
            if all_taken:  # other processes measure what is left
                time.sleep(LOOK)
                continue
            value, late = scorer.measure(override(config, settings))
            with shared.alone():
                counts = shared.finish(trial, value, [*settings, *late])
        if counts:
            say(f"trial {trial.number}: mean mAP {value:.1f} on held-out videos: {' '.join([*settings, *late])}")
        else:
            say(f"trial {trial.number} was taken over by another process, because this one gave no sign of life")


def _holds_same(out: Path, described: dict[str, Any], config: Config) -> bool:
    """Whether `out` has the same data, split and settings; False where it is new, ValueError where it has others."""
    if not (out / SEARCH_FILE).exists():
        return False
    before = read_json(out / SEARCH_FILE)
    data, before_data = described["data"], before.get("data", {})
    other = [f"data.{key}" for key, value in data.items() if before_data.get(key, value) != value]
    other += [key for key in ("held_out", "seeds") if before.get(key) != described[key]]
    other += differences(from_dict(before.get("config", {})), config)
    if other:
        raise ValueError(f"{out} holds another search, so it cannot be continued; it differs in {'; '.join(other)}")
    return True


def _draw(trial: "optuna.Trial", config: Config) -> list[str]:
    """Draw the trial's settings, as assignments."""
    weight = trial.suggest_float("lambda", 0.0, max(LAMBDA, config.loss.localization_weight))
    eta = trial.suggest_float("eta", 0.0, max(ETA, config.sampling.eta))
    factor = trial.suggest_categorical("H", sorted({*FACTOR, config.sampling.interp_factor}))
    return [
        f"loss.localization_weight={weight:.4g}",
        f"sampling.eta={eta:.4g}",
        f"sampling.interp_factor={factor}",
    ]


class _TrialScorer:
    """Trains with some settings on the training part and scores the result on the held-out part."""

    def __init__(
        self, held_out: Dataset, streams: Sequence[str], seeds: int, out: Path, workers: Sequence[str | None]
    ) -> None:
        self.held_out, self.streams, self.seeds, self.out = held_out, tuple(streams), seeds, out
        self.workers = workers
        self.truth = ground_truth(held_out.subset("test"))

    def measure(self, config: Config) -> tuple[float, list[str]]:
        """The fused streams' average mAP, mean over the seeds, and the late settings that make it highest."""
        runs = [
            [Cell(stream, override(config, [f"optimization.seed={seed}"])) for stream in self.streams]
            for seed in range(self.seeds)
        ]
        cells = [cell for run in runs for cell in run]
        if unfinished(cells, self.out):
            for event in train_cells(cells, self.held_out, self.out, workers=self.workers):
                if event.kind == "failed":
                    raise RuntimeError(f"{event.cell.folder} failed: {event.error}")
        last = max(iteration_ends(schedule(config.phases)))
        parts = [[load_activations(iteration_file(self.out / cell.folder, last)) for cell in run] for run in runs]
        scored = []
        for late in self._late_settings(config):
            tried = override(config, late)
            metrics = [score(run, tried, self.truth) for run in parts]
            scored.append((sum(m.average for m in metrics if m) / len(metrics), late))
        return max(scored, key=lambda pair: pair[0])

    def _late_settings(self, config: Config) -> list[list[str]]:
        """Every pair of the late settings' grids, the given one first, so that it wins where others are no better."""
        own = config.localization
        thresholds = dict.fromkeys([own.class_threshold, *CLASS_THRESHOLD])
        fusions: list[str] = [f"localization.beta={own.beta:g}"]
        if len(self.streams) == 2 and "rgb" in self.streams and not own.weights:
            fusions = [f"localization.beta={b:g}" for b in dict.fromkeys([own.beta, *BETA])]
        elif len(self.streams) > 1:
            given = own.stream_weights(self.streams)
            tried = {tuple(given): None} | dict.fromkeys(weight_grid(len(self.streams)))
            fusions = [f"localization.weights={_listed(self.streams, weights)}" for weights in tried]
        return [[fusion, f"localization.class_threshold={t}"] for fusion, t in product(fusions, thresholds)]


def weight_grid(streams: int) -> list[tuple[float, ...]]:
    """Weights of so many streams that sum to 1: every division of 1 in equal parts, as fine as `FEW` of them allow.

    A weight may be 0. With more streams than that allows even for halves, the grid is each stream alone.
    """
    parts = next((n for n in WEIGHT_PARTS if comb(n + streams - 1, streams - 1) <= FEW), 1)
    counts = [c for c in product(range(parts + 1), repeat=streams - 1) if sum(c) <= parts]
    return [tuple(round(n / parts, 4) for n in (*c, parts - sum(c))) for c in counts]


def _listed(streams: Sequence[str], weights: Sequence[float]) -> str:
    return ",".join(f"{stream}:{weight:g}" for stream, weight in zip(streams, weights, strict=True))
