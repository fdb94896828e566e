"""Compares settings on held-out training videos, fold by fold. No test video's features are read.

OUT/validation.json, .txt, .md   what was held out, the criterion, the score of every candidate, and what was chosen
OUT/config.json                  the chosen settings, for `amsx train --config`
OUT/fold<k>/cells/...            what is trained for fold k; see `amsx.experiments.cells`

The candidates are the settings that the command starts from, and each set of changes to them. Candidates that differ in
late settings alone (section localization) share their trainings. All of them see the same folds and seeds, so they are
compared pair by pair.
"""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from amsx.data.validation import folds, perturbed
from amsx.data.videos import Dataset
from amsx.experiments.cell_scores import Scorer
from amsx.experiments.parallel import chosen_workers
from amsx.experiments.plans import ALL_OF_AMS, Plan, Row, cells_of, row_config
from amsx.experiments.progress import train_shown
from amsx.experiments.results import Result, ResultRow, Score, SeedScores
from amsx.experiments.table_text import as_markdown, as_text
from amsx.files import read_json, write_json, write_text
from amsx.locks import hold_in_turn
from amsx.training.config import Config, differences, from_dict, override, to_dict
from amsx.training.run import check_values, chosen_streams
from amsx.training.run_directory import describe_run, ground_truth

COMMAND = "amsx validate"
KEY = "validation"
BASE = "as given"
CRITERION = (
    "mean mAP over the tIoU thresholds after the last iteration, all streams fused, averaged over folds and seeds; a "
    "candidate takes the place of the settings given where its mean difference to them, over pairs of the same fold "
    "and seed, is greater than the standard error of that mean, and of those the highest mean is chosen"
)


@dataclass(frozen=True)
class Validation:
    """The result of `validate`."""

    result: Result  # the candidates as rows; the "seeds" of a score are the pairs of fold and seed, fold by fold
    chosen: tuple[str, ...]  # the settings of the candidate that was chosen; empty: those that were given
    config: Config  # the configuration with these settings


def validate(
    dataset: Dataset,
    config: Config,
    out: Path | str,
    *,
    tries: Sequence[str] = (),
    count: int = 3,
    group: str | None = None,
    perturb: float = 0.0,
    seeds: int = 2,
    streams: Sequence[str] | None = None,
    jobs: int | None = None,
    device: str | None = None,
    quiet: bool = False,
    say: Callable[[str], None] = print,
) -> Validation:
    """Train and score `config` and each of `tries` on every fold, and write the comparison to `out`.

    A try is text with one setting or several, such as "optimization.learning_rate=1e-3 phases.iterations=2". `count`
    and `group` are those of `amsx.data.validation.folds`, `perturb` is the share of `perturbed`. What is trained in
    `out` is not trained again, so a comparison that was killed goes on, and tries and seeds can be added later. Several
    processes may share `out`: each trains cells that no other trains, and waits for the others' at the end.

    ValueError where a try is none, where `out` holds another comparison, or where no held-out video is annotated;
    RuntimeError, naming the cells, where trainings failed.
    """
    out = Path(out)
    if seeds < 1:
        raise ValueError(f"seeds must be at least 1, got {seeds}")
    plan = _plan(config, tries)
    workers = chosen_workers(jobs, device)
    splits = [perturbed(fold, perturb, seed=k) for k, fold in enumerate(folds(dataset, count=count, group=group))]
    names = chosen_streams(splits[0], streams)
    config.localization.stream_weights(names)
    check_values(splits[0], names)  # every fold holds the same videos
    for fold in splits:
        if not any(video.segments for video in fold.subset("test")):
            raise ValueError(f"{fold.origin}: no held-out training video has segments to score candidates on")
    described = {
        **describe_run(splits[0], names, override(config, ["optimization.seed=0"])).to_json(),
        "folds": [[video.id for video in fold.subset("test")] for fold in splits],
        "group": group,
        "perturb": perturb,
    }
    with hold_in_turn(out, COMMAND):
        if not _holds_same(out, described):
            write_json(out / f"{KEY}.json", described)

    def train(fold: Dataset, out: Path, wait: bool) -> None:
        cells = cells_of([plan], config, seeds, names)
        train_shown(cells, [plan], config, fold, out, names, seeds, workers=workers, quiet=quiet, wait=wait)

    for number, fold in enumerate(splits, start=1):
        say(f"\n{'; '.join(fold.notes[len(dataset.notes) :])}")
        train(fold, out / f"fold{number}", wait=False)
    by_fold = []
    for number, fold in enumerate(splits, start=1):
        train(fold, out / f"fold{number}", wait=True)
        by_fold.append(_scored(fold, plan, config, out / f"fold{number}", names, seeds, say))
    held_out = sum(len(fold.subset("test")) for fold in splits)
    result = Result(
        key=KEY,
        title=plan.title,
        protocol=config.evaluation.protocol,
        tiou=config.evaluation.tiou,
        data={
            **described["data"],
            "videos": {"test": held_out},
            "tested": f"held-out training videos in {count} folds",
        },
        thumos14=False,
        config=config,
        seeds=count * seeds,
        rows=tuple(_joined(same) for same in zip(*by_fold, strict=True)),
    )
    best = choose(result)
    settings = _settings_of(tries[int(best) - 1]) if best else ()
    chosen = override(config, settings)
    text = as_text(result).replace(f"{count * seeds} seeds,", f"{count} folds, {seeds} seeds,", 1)
    choice = f"chosen: {' '.join(settings) or BASE}\nby: {CRITERION}"
    record = {"criterion": CRITERION, "chosen": list(settings), "seeds_per_fold": seeds}
    with hold_in_turn(out, COMMAND):
        write_json(out / f"{KEY}.json", {**described, **record, "result": result.to_json()})
        write_text(out / f"{KEY}.txt", f"{text}\n\n{choice}\n")
        write_text(out / f"{KEY}.md", f"{as_markdown(result)}\n\n{choice}\n")
        write_json(out / "config.json", {"config": to_dict(chosen), "validation": {**record, "perturb": perturb}})
    say(f"\n{text}\n\n{choice}")
    return Validation(result, settings, chosen)


def choose(result: Result) -> str:
    """The key of the row that `CRITERION` chooses; empty for the settings given."""
    view = result.views[-1]
    differences = {comparison.row.key: comparison.difference(view) for comparison in result.comparisons}
    better = [key for key, difference in differences.items() if difference.mean > difference.error]
    means = {row.key: row.scores[view].average.mean for row in result.last_rows}
    return max(better, key=lambda key: means[key], default="")


def _plan(config: Config, tries: Sequence[str]) -> Plan:
    """A row for the given settings, whose key is empty, and one for every try, whose key is its number."""
    given = to_dict(config)
    own = []
    for assignment in ALL_OF_AMS:  # rows are all of AMS by themselves; here they are what was given
        section, _, name = assignment.partition("=")[0].partition(".")
        value = given[section][name]
        own.append(f"{section}.{name}={str(value).lower() if isinstance(value, bool) else value}")
    rows = [Row("", BASE, tuple(own))]
    for number, text in enumerate(tries, start=1):
        settings = _settings_of(text)
        fixed = [s for s in settings if s.startswith(("evaluation.", "optimization.seed="))]
        if fixed:
            raise ValueError(f"--try {text!r}: {fixed[0]} must be the same for all candidates; expected it in --set")
        rows.append(Row(str(number), " ".join(settings), (*own, *settings)))
        row_config(config, rows[-1], 0)  # so that a wrong setting is an error before the first training
    return Plan(KEY, "Validation, settings compared", tuple(rows), every_iteration=True, branches=False)


def _settings_of(text: str) -> tuple[str, ...]:
    settings = tuple(shlex.split(text))
    if not settings:
        raise ValueError("--try is empty; expected one or more settings, such as sampling.eta=1.0")
    return settings


def _holds_same(out: Path, described: dict[str, Any]) -> bool:
    """Whether `out` has the same data, folds and given settings; False where it is new.

    ValueError where it has others.
    """
    if not (out / f"{KEY}.json").exists():
        return False
    before = read_json(out / f"{KEY}.json")
    other = [key for key, value in described.items() if key != "config" and before.get(key) != value]
    other += differences(from_dict(before.get("config", {})), from_dict(described["config"]))
    if other:
        raise ValueError(f"{out} holds another comparison, so it cannot be continued; it differs in {'; '.join(other)}")
    return True


def _scored(
    fold: Dataset,
    plan: Plan,
    config: Config,
    out: Path,
    streams: Sequence[str],
    seeds: int,
    say: Callable[[str], None],
) -> tuple[ResultRow, ...]:
    """The scores of all candidates on one fold, whose cells are trained."""
    scorer = Scorer(config, out, streams, seeds, ground_truth(fold.subset("test")))
    rows = scorer.rows(plan)
    for warning in scorer.summarized_warnings():
        say(warning)
    return rows


def _joined(rows: Sequence[ResultRow]) -> ResultRow:
    """The same row of every fold as one, with the scores of all of them."""

    def joined(scores: Sequence[SeedScores]) -> SeedScores:
        return SeedScores.of([value for own in scores for value in own.seeds])

    def of_view(view: str) -> Score:
        scores = [row.scores[view] for row in rows]
        per_tiou = zip(*(score.per_tiou for score in scores), strict=True)
        return Score(joined([score.average for score in scores]), tuple(map(joined, per_tiou)), {})

    return replace(rows[0], scores={view: of_view(view) for view in rows[0].scores})
