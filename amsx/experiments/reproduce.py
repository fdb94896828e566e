"""Reproduces the paper's tables and figures from one's own features: trains cells, scores them, writes the results.

`amsx.experiments.reproduction` lists the files that are written.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from amsx.data.videos import Dataset
from amsx.experiments.cell_scores import Scorer
from amsx.experiments.cells import unfinished
from amsx.experiments.paper import is_thumos14
from amsx.experiments.parallel import chosen_workers
from amsx.experiments.plans import ALL_OF_AMS, FIGURES, TABLES, Plan, cells_of, chosen_rows, readings
from amsx.experiments.progress import train_shown
from amsx.experiments.reproduction import result_file
from amsx.experiments.results import BOTH, Result, SeedScores, branch_curves, eta_curve
from amsx.experiments.single_videos import draw_single_videos
from amsx.experiments.table_text import as_markdown, as_text
from amsx.figures.score_curves import ScoreCurve, draw_score_curves
from amsx.files import write_json, write_text
from amsx.locks import hold_in_turn
from amsx.training.config import TRAINED, Config, override
from amsx.training.run import check_values, chosen_streams
from amsx.training.run_directory import RunDescription, describe_run, ground_truth, read_run

COMMAND = "amsx reproduce"


def reproduce(
    dataset: Dataset,
    config: Config,
    out: Path | str,
    *,
    tables: Sequence[int] = (),
    figures: Sequence[int] = (),
    with_readings: bool = False,
    seeds: int = 3,
    streams: Sequence[str] | None = None,
    rows: Sequence[str] | None = None,
    jobs: int | None = None,
    device: str | None = None,
    quiet: bool = False,
    say: Callable[[str], None] = print,
) -> dict[str, Result]:
    """Measure tables (3, 4, 5) and figures (4, 5, 6) over seeds 0 to `seeds` - 1; the results by key, such as "table3".

    Figure 6 is pictures alone and has no result. `with_readings` adds what the paper leaves open, one choice at a time,
    as "readings". All rows have `config`'s settings but for their own; each stream is
    trained apart. A cell that is finished in `out` is not trained again, so a killed run continues, and tables, seeds
    or streams can be added later. `rows` are the keys of the rows of Table III to measure (None: all). Cells are
    trained by `jobs` processes on `device`, which may name several (see `chosen_workers`, and `train_cells` for what
    that asks of a script); the bits of a result depend on how many cores each has. Several processes may share `out`,
    on one machine or on several: each trains cells that no other trains, and writes what it was asked for when all of
    its cells are finished.

    ValueError where `out` was begun with other settings or data, where something unknown is asked for, or where the
    data has no annotated test video; RuntimeError, naming the cells, where some failed: the others are kept.
    """
    out = Path(out)
    # Every cell sets the seed and the row itself, so these do not tell one experiment from another.
    config = override(config, [*ALL_OF_AMS, "optimization.seed=0"])
    plans = _plans(tables, figures, [readings(config)] if with_readings else [], rows)
    if seeds < 1:
        raise ValueError(f"seeds must be at least 1, got {seeds}")
    workers = chosen_workers(jobs, device)
    names = chosen_streams(dataset, streams)
    config.localization.stream_weights(names)
    truth = ground_truth(dataset.subset("test"))
    if not any(entry["annotations"] for entry in truth["database"].values()):
        raise ValueError(f"{dataset.origin}: no annotated test video to score the rows on")
    described = describe_run(dataset, list(dataset.stream_names), config)
    with hold_in_turn(out, COMMAND):
        _check_same(out, described)
        write_json(out / "config.json", described.to_json())
        write_json(out / "ground_truth.json", truth)

    cells = cells_of(plans, config, seeds, names)
    if unfinished(cells, out):
        check_values(dataset, names)
        train_shown(cells, plans, config, dataset, out, names, seeds, workers=workers, quiet=quiet)

    scorer = Scorer(config, out, names, seeds, truth)
    results: dict[str, Result] = {}
    for plan in plans:
        if plan == FIGURES[6]:
            with hold_in_turn(out, COMMAND):
                drawn = draw_single_videos(dataset, config, out, names)
            say(f"\n{plan.title}: {len(drawn)} files in {out / plan.key}")
            continue
        result = Result(
            key=plan.key,
            title=plan.title,
            protocol=config.evaluation.protocol,
            tiou=config.evaluation.tiou,
            data=described.data.to_json(),
            thumos14=is_thumos14(dataset),
            config=config,
            seeds=seeds,
            rows=scorer.rows(plan),
        )
        with hold_in_turn(out, COMMAND):
            write_json(result_file(out, plan.key), result.to_json())
            write_text(result_file(out, plan.key, "txt"), as_text(result) + "\n")
            write_text(result_file(out, plan.key, "md"), as_markdown(result) + "\n")
            _draw(out, result)
        say("\n" + as_text(result))
        results[plan.key] = result
    for warning in scorer.summarized_warnings():
        say(f"\n{warning}")
    return results


def _draw(out: Path, result: Result) -> None:
    """Draw figure 4 or 5, a panel for every view; tables have no picture."""
    ticks: dict[float, str] | None = None
    if result.key == "figure4":
        panels = {
            view: [_score_curve(curve.name, curve.points) for curve in branch_curves(result, view)]
            for view in result.views
        }
        label = "iteration"
        ticks = {i: str(i) if i else "phase zero" for i in result.iterations}
    elif result.key == "figure5":
        panels = {view: [_score_curve(BOTH, eta_curve(result, view).points)] for view in result.views}
        label = "eta"
    else:
        return
    data = Path(result.data["root"] or result.data["layout"]).name
    seeds = "one seed" if result.seeds == 1 else f"seeds: {result.seeds}, ± standard deviation"
    title = f"{data}, tIoU {result.tiou[0]:g} to {result.tiou[-1]:g}\nprotocol {result.protocol}, {seeds}"
    draw_score_curves(out / result.key, title, panels, x_label=label, x_ticks=ticks)


def _score_curve(name: str, points: Mapping[float, SeedScores]) -> ScoreCurve:
    scores = list(points.values())
    deviations = [s.deviation for s in scores if s.deviation is not None]
    return ScoreCurve(name, list(points), [s.mean for s in scores], deviations or None)


def _plans(
    tables: Sequence[int], figures: Sequence[int], others: Sequence[Plan], rows: Sequence[str] | None
) -> list[Plan]:
    if not tables and not figures and not others:
        raise ValueError("nothing to reproduce; expected a table (3, 4, 5), a figure (4, 5, 6), or the readings")
    for number in (*tables, *figures):
        kind, known = ("table", TABLES) if number in tables else ("figure", FIGURES)
        if number not in known:
            raise ValueError(f"unknown {kind} {number}; expected one of {', '.join(map(str, known))}")
    if rows and 3 not in tables:
        raise ValueError("rows are those of Table III; expected it among the tables")
    chosen = [TABLES[number] for number in sorted(set(tables))]
    chosen = [chosen_rows(plan, rows) if plan.key == "table3" else plan for plan in chosen]
    return [*chosen, *(FIGURES[number] for number in sorted(set(figures))), *others]


def _check_same(out: Path, described: RunDescription) -> None:
    """ValueError unless the cells in `out` have the same data and training settings; other settings may change."""
    if not (out / "config.json").exists():
        return
    fixed = (*TRAINED, "data")
    changed = [line for line in read_run(out).changes_to(described) if line.split(".")[0] in fixed]
    if changed:
        raise ValueError(f"{out} was begun with other settings, so it cannot be continued: " + "; ".join(changed))
