"""The paper's tables and figures from one's own features: train what they want, score it, write it down.

OUT/config.json           the data and the settings that all rows have in common
OUT/cells/...             what is trained; see amsx.experiments.cells
OUT/table3.json, .txt, .md   a table's numbers: JSON with every seed, text, Markdown
OUT/figure4.json, .png, .svg   a figure's numbers and its picture
OUT/figure6/<video>.png, .svg  the strips of single videos
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from amsx.data.videos import Dataset
from amsx.experiments.cell_scores import Scorer
from amsx.experiments.cells import unfinished
from amsx.experiments.paper import is_thumos14
from amsx.experiments.parallel import default_jobs, train_cells
from amsx.experiments.plans import ALL_OF_AMS, FIGURES, TABLES, Plan, cells_of, chosen_rows
from amsx.experiments.progress import Live
from amsx.experiments.single_videos import draw_videos
from amsx.experiments.table_text import as_markdown, as_text
from amsx.figures.score_curves import draw_eta, draw_iterations
from amsx.files import write_json, write_text
from amsx.training.config import Config, differences, from_dict, override, to_dict
from amsx.training.run import TRAINED, check_values, chosen_streams, describe_run, ground_truth, read_run
from amsx.training.setup import choose_device

DRAWN = {"figure4": draw_iterations, "figure5": draw_eta}


def reproduce(
    dataset: Dataset,
    config: Config,
    out: Path | str,
    *,
    tables: Sequence[int] = (),
    figures: Sequence[int] = (),
    seeds: int = 3,
    streams: Sequence[str] | None = None,
    rows: Sequence[str] | None = None,
    jobs: int | None = None,
    device: str | None = None,
    quiet: bool = False,
    say: Callable[[str], None] = print,
) -> dict[str, dict[str, Any]]:
    """Tables (3, 4, 5) and figures (4, 5, 6) over seeds 0 to `seeds` - 1; returns what their JSON files then hold
    (figure 6 has none).

    All rows have `config`'s settings but for their own; each stream is trained apart. A cell that is finished in `out`
    is not trained again, so a killed run continues, and tables, seeds or streams can be added later. `rows`: these of
    Table III alone. Cells are trained by `jobs` processes (see `train_cells` for what that asks of a script); the bits
    of a result depend on how many cores each has.

    ValueError where `out` was begun with other settings or data, where something unknown is asked for, or where the
    data has no annotated test video; RuntimeError, naming the cells, where some failed: the others are kept.
    """
    out = Path(out)
    plans = _plans(tables, figures, rows)
    if seeds < 1:
        raise ValueError(f"seeds must be at least 1, got {seeds}")
    if jobs is None:
        jobs = default_jobs(device)
    if jobs < 1:
        raise ValueError(f"jobs must be at least 1, got {jobs}")
    choose_device(device)
    names = chosen_streams(dataset, streams)
    truth = ground_truth(dataset.subset("test"))
    if not any(entry["annotations"] for entry in truth["database"].values()):
        raise ValueError(f"{dataset.root}: no annotated test video to score the rows on")
    # Every cell sets the seed and the row itself, so these do not tell one experiment from another.
    config = override(config, [*ALL_OF_AMS, "optimization.seed=0"])
    described = describe_run(dataset, list(dataset.stream_names), config)
    _check_same(out, described)
    write_json(out / "config.json", described)
    write_json(out / "ground_truth.json", truth)

    cells = cells_of(plans, config, seeds, names)
    if unfinished(cells, out):
        check_values(dataset, names)
        live = Live(plans, config, seeds, names, out, quiet=quiet)
        failed = []
        for event in train_cells(cells, dataset, out, jobs=jobs, device=device):
            live.show(event)
            failed += [event] if event.kind == "failed" else []
        if failed:
            listed = "; ".join(f"{e.cell.folder}: {e.error.strip().splitlines()[-1]}" for e in failed)
            raise RuntimeError(f"{len(failed)} cells failed, run again to try them again: {listed}")

    scorer = Scorer(config, out, names, seeds, truth)
    results = {}
    for plan in plans:
        if plan == FIGURES[6]:
            drawn = draw_videos(dataset, config, out, names)
            say(f"\n{plan.title}: {len(drawn)} files in {out / plan.key}")
            continue
        result = {
            "key": plan.key,
            "title": plan.title,
            "protocol": config.evaluation.protocol,
            "tiou": list(config.evaluation.tiou),
            "data": described["data"],
            "thumos14": is_thumos14(dataset),
            "config": to_dict(config),
            "seeds": seeds,
            "rows": scorer.rows(plan),
        }
        write_json(out / f"{plan.key}.json", result)
        write_text(out / f"{plan.key}.txt", as_text(result) + "\n")
        write_text(out / f"{plan.key}.md", as_markdown(result) + "\n")
        if plan.key in DRAWN:
            DRAWN[plan.key](out / plan.key, result)
        say("\n" + as_text(result))
        results[plan.key] = result
    return results


def _plans(tables: Sequence[int], figures: Sequence[int], rows: Sequence[str] | None) -> list[Plan]:
    if not tables and not figures:
        raise ValueError("nothing to reproduce; expected a table (3, 4, 5) or a figure (4, 5, 6)")
    for number in (*tables, *figures):
        kind, known = ("table", TABLES) if number in tables else ("figure", FIGURES)
        if number not in known:
            raise ValueError(f"unknown {kind} {number}; expected one of {', '.join(map(str, known))}")
    if rows and 3 not in tables:
        raise ValueError("rows are those of Table III; expected it among the tables")
    chosen = [TABLES[number] for number in sorted(set(tables))]
    chosen = [chosen_rows(plan, rows) if plan.key == "table3" else plan for plan in chosen]
    return chosen + [FIGURES[number] for number in sorted(set(figures))]


def _check_same(out: Path, described: dict[str, Any]) -> None:
    """ValueError unless what is trained in `out` has the same data and training settings; late ones may change."""
    if not (out / "config.json").exists():
        return
    found = read_run(out)
    changed = [
        line
        for line in differences(from_dict(found["config"]), from_dict(described["config"]))
        if line.split(".")[0] in TRAINED
    ]
    changed += [
        f"data.{key}: {found['data'].get(key)!r}, {value!r}"
        for key, value in described["data"].items()
        if found["data"].get(key) != value
    ]
    if changed:
        raise ValueError(f"{out} was begun with other settings, so it cannot be continued: " + "; ".join(changed))
