"""Table III: what each part of AMS adds, every row under the same settings, over several seeds."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from amsx.data.batching import FeatureSet
from amsx.data.videos import Dataset
from amsx.training import checkpoint
from amsx.training.activations import StreamActivations, load_activations, save_activations
from amsx.training.config import Config, override, to_dict
from amsx.training.phases import iteration_ends
from amsx.training.run import (
    check_same_run,
    chosen_streams,
    describe_run,
    ground_truth,
    score,
    stream_activations,
)
from amsx.training.setup import choose_device
from amsx.training.trainer import Trainer


@dataclass(frozen=True)
class Row:
    """A row of the table: a name and the settings that make it."""

    key: str
    name: str
    settings: tuple[str, ...]


ROWS = (
    Row("A", "one branch", ("phases.branches=base", "phases.supervision=none")),
    Row("B", "two branches", ("phases.sampler=false", "phases.supervision=none")),
    Row("C", "two branches + sampler", ("phases.supervision=none",)),
    Row("D", "self-training", ("phases.sampler=false", "phases.supervision=self")),
    Row("E", "mutual supervision", ("phases.sampler=false", "phases.supervision=mutual")),
    Row("F", "all of AMS", ("phases.supervision=mutual",)),
)


def table3(
    dataset: Dataset,
    config: Config,
    out: Path | str,
    *,
    seeds: int = 3,
    streams: Sequence[str] | None = None,
    rows: Sequence[str] | None = None,
    device: str | None = None,
    progress: bool = True,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Train and test every row for seeds 0 to `seeds` - 1; returns what table3.json in `out` then holds.

    Phase zero of a seed is trained once and shared by its rows. A cell (seed, stream, row) that is finished
    in `out` is not trained again, so a killed run continues, and more seeds or streams can be added later.
    Rows with iterations are tested after each of them. ValueError where `out` holds a table with other
    settings, or where the data has no annotated test video.
    """
    out = Path(out)
    chosen = chosen_rows(rows)
    if seeds < 1:
        raise ValueError(f"seeds must be at least 1, got {seeds}")
    names = chosen_streams(dataset, streams)
    truth = ground_truth(dataset.subset("test"))
    if not any(entry["annotations"] for entry in truth["database"].values()):
        raise ValueError(f"{dataset.root}: no annotated test video to score the rows on")
    # Every cell sets the seed and the row itself, so these do not tell one table from another.
    config = override(config, ["optimization.seed=0", "phases.branches=both", "phases.sampler=true"])
    config = override(config, ["phases.supervision=mutual"])
    described = describe_run(dataset, list(dataset.stream_names), config)
    if (out / "config.json").exists():
        check_same_run(out, described)
    checkpoint.write_json(out / "config.json", described)
    cells = len(names) * len(chosen)
    for seed in range(seeds):
        for index, stream in enumerate(names):
            seeded = override(config, [f"optimization.seed={seed}"])
            _train_cells(dataset, seeded, chosen, out / f"seed{seed}" / stream, stream, device, progress)
            say(f"seed {seed}: {(index + 1) * len(chosen)} of {cells} cells done ({stream})")
    result = {
        "table": 3,
        "protocol": config.evaluation.protocol,
        "tiou": list(config.evaluation.tiou),
        "data": described["data"],
        "config": to_dict(config),
        "seeds": seeds,
        "rows": [entry for row in chosen for entry in _row_entries(row, config, out, names, seeds, truth)],
    }
    checkpoint.write_json(out / "table3.json", result)
    checkpoint.write_text(out / "table3.txt", format_table3(result) + "\n")
    return result


def format_table3(result: dict[str, Any]) -> str:
    """The table as text: mean and standard deviation over the seeds, the protocol named."""
    tiou = ", ".join(f"{t:g}" for t in result["tiou"])
    views = list(result["rows"][0]["scores"])
    data = result["data"]
    lines = [
        f"Table III on {data['root'] or data['layout']}: mean mAP (%) over tIoU {tiou}; protocol "
        f"{result['protocol']}; {data['videos']['test']} test videos; {result['seeds']} seeds, "
        "mean ± standard deviation",
        " " * 40 + "".join(f"{view:>16}" for view in views),
    ]
    for row in result["rows"]:
        when = f"iteration {row['iteration']}" if row["iteration"] else "phase zero"
        label = f"{row['key']}  {row['name']}, {when}"
        cells = (f"{s['mean']:.1f} ± {s['deviation']:.1f}" for s in row["scores"].values())
        lines.append(f"{label:<40}" + "".join(f"{cell:>16}" for cell in cells))
    return "\n".join(lines)


def chosen_rows(keys: Sequence[str] | None) -> tuple[Row, ...]:
    """The rows with these keys in the table's order, all by default; ValueError for an unknown key."""
    known = [row.key for row in ROWS]
    for key in keys or ():
        if key not in known:
            raise ValueError(f"unknown row {key!r}; Table III has {', '.join(known)}")
    return tuple(row for row in ROWS if keys is None or row.key in keys)


def row_config(config: Config, row: Row) -> Config:
    """`config` as the row wants it."""
    return override(config, row.settings)


def _train_cells(
    dataset: Dataset, config: Config, rows: Sequence[Row], folder: Path, stream: str, device: str | None, progress: bool
) -> None:
    """Whatever rows of one seed and stream are not in `folder` yet."""
    missing = [row for row in rows if not (folder / row.key / "finished.json").exists()]
    if not missing:
        return
    test = dataset.subset("test")
    features = FeatureSet.load(dataset.subset("train"), stream, dataset.classes, storage=config.optimization.storage)
    where = choose_device(device)

    def trainer(row: Row) -> Trainer:
        settings = row_config(config, row)
        return Trainer(features, settings, stream=stream, classes=dataset.classes, device=where, progress=progress)

    zero = trainer(ROWS[0])
    zero.train(until=config.phases.base_epochs)
    beginning = zero.state()
    for row in missing:
        cell = trainer(row)
        cell.restore(*beginning)
        ends = iteration_ends(cell.phases)
        if row_config(config, row).phases.supervision != "none":
            ends.pop(0, None)  # no supervision yet: it would repeat row B or C
        stops = {epoch: iteration for iteration, epoch in ends.items()}

        def test_iteration(cell: Trainer, row: Row = row, stops: dict[int, int] = stops) -> None:
            if cell.epoch in stops:
                path = folder / row.key / f"iteration{stops[cell.epoch]}.safetensors"
                save_activations(path, stream_activations(cell, test))

        test_iteration(cell)
        cell.train(after_epoch=test_iteration)
        checkpoint.write_json(folder / row.key / "finished.json", {"iterations": sorted(ends), "log": cell.history})


def _row_entries(
    row: Row, config: Config, out: Path, streams: Sequence[str], seeds: int, truth: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """The table's entries of a row, one for every iteration that was tested."""
    iterations = checkpoint.read_json(out / "seed0" / streams[0] / row.key / "finished.json")["iterations"]
    settings = row_config(config, row)
    alone = {
        "base": override(settings, ["localization.supplementary_weight=0"]),
        "supplementary": override(settings, ["localization.supplementary_weight=1"]),
    }
    views = {stream: [stream] for stream in streams}
    if len(streams) > 1:
        views["fused"] = list(streams)
    for iteration in iterations:
        entry: dict[str, Any] = {"key": row.key, "name": row.name, "iteration": iteration, "scores": {}}
        for view, members in views.items():
            per_seed = [_load(out, seed, members, row, iteration) for seed in range(seeds)]
            summary = _summary([_average(parts, settings, truth) for parts in per_seed])
            if row.key != "A":
                summary["branches"] = {
                    branch: _summary([_average(parts, view_of, truth) for parts in per_seed])
                    for branch, view_of in alone.items()
                }
            entry["scores"][view] = summary
        yield entry


def _load(out: Path, seed: int, streams: Sequence[str], row: Row, iteration: int) -> list[StreamActivations]:
    folder = out / f"seed{seed}"
    return [load_activations(folder / s / row.key / f"iteration{iteration}.safetensors") for s in streams]


def _average(parts: Sequence[StreamActivations], config: Config, truth: dict[str, Any]) -> float:
    metrics = score(parts, config, truth)
    assert metrics is not None  # annotated test videos were asked for at the door
    return float(metrics["average"])


def _summary(values: Sequence[float]) -> dict[str, Any]:
    """Mean and sample standard deviation (0 for a single seed) of the seeds' scores."""
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return {"mean": float(np.mean(values)), "deviation": deviation, "seeds": list(values)}
