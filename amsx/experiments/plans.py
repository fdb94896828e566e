"""The tables and figures of the paper, and the trainings that each of them needs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from amsx.experiments.cells import Cell
from amsx.training.config import Config, override

ALL_OF_AMS = ("phases.branches=both", "phases.sampler=true", "phases.supervision=mutual", "sampling.weights=adaptive")


@dataclass(frozen=True)
class Row:
    """One line of a table, or one point or curve of a figure: a name and the settings that make it."""

    key: str
    name: str
    settings: tuple[str, ...] = ()  # what it changes in the settings of all of AMS


@dataclass(frozen=True)
class Plan:
    """A table or figure of the paper."""

    key: str  # the name of its files, e.g. "table3"
    title: str
    rows: tuple[Row, ...]
    every_iteration: bool = False  # whether it shows every iteration, not only the last
    branches: bool = True  # whether each branch is scored alone, too
    warp: bool = False  # whether the warp of time by each row's sampler is measured


TABLES = {
    3: Plan(
        "table3",
        "Table III, what each part of AMS adds",
        (
            Row("A", "one branch", ("phases.branches=base", "phases.supervision=none")),
            Row("B", "two branches", ("phases.sampler=false", "phases.supervision=none")),
            Row("C", "two branches + sampler", ("phases.supervision=none",)),
            Row("D", "self-training", ("phases.sampler=false", "phases.supervision=self")),
            Row("E", "mutual supervision", ("phases.sampler=false", "phases.supervision=mutual")),
            Row("F", "all of AMS"),
        ),
        every_iteration=True,
    ),
    4: Plan(
        "table4",
        "Table IV, the sampling weights",
        (
            # Constant weights sample the input unchanged, so this row is that without a sampler (E of Table III).
            Row("uniform", "uniform weights", ("phases.sampler=false",)),
            Row("random", "random weights", ("sampling.weights=random",)),
            Row("erase", "hard erasing (Section III-C4)", ("sampling.weights=erase",)),
            # The warp of Eq. 4 at places that the CAS did not choose: what is lost by them is what the place is worth.
            Row("rolled", "adaptive weights, half a video later", ("sampling.weights=rolled",)),
            Row("reversed", "adaptive weights, in reversed order", ("sampling.weights=reversed",)),
            Row("adaptive", "adaptive weights (Eq. 4)"),
        ),
        warp=True,
    ),
    5: Plan(
        "table5",
        "Table V, how classes are aggregated in Eq. 4",
        (
            Row("random", "a random class", ("sampling.aggregate=random",)),
            Row("average", "average", ("sampling.aggregate=mean",)),
            Row("maximum", "maximum", ("sampling.aggregate=max",)),
        ),
    ),
}

FIGURES = {
    4: Plan("figure4", "Fig. 4, mAP after every iteration", (Row("F", "all of AMS"),), every_iteration=True),
    5: Plan(
        "figure5",
        "Fig. 5, the smallest sampling weight eta",
        tuple(Row(f"{i / 4:g}", f"eta {i / 4:g}", (f"sampling.eta={i / 4:g}",)) for i in range(9)),
    ),
    6: Plan("figure6", "Fig. 6, what AMS does to single videos", (Row("F", "all of AMS"),)),
}


@dataclass(frozen=True)
class Choice:
    """Something that the paper leaves open: a setting, and what it may be."""

    setting: str  # "section.name"
    name: str  # what is chosen, in words
    values: tuple[str, ...]  # as in an assignment


# docs/paper.md says of each of them what the paper leaves open.
CHOICES = (
    Choice("localization.threshold_of", "avg(M) of theta_loc", ("mean", "video-mean", "lower-mean", "all-mean")),
    Choice("loss.pseudo_threshold_of", "avg(M) of alpha", ("mean", "video-mean", "lower-mean", "all-mean")),
    Choice("localization.ends", "proposals end at snippets'", ("edges", "centres")),
    Choice("loss.cas_classification", "class evidence of the CAS", ("softmax", "binary")),
    Choice("model.background", "background channel", ("true", "false")),
    Choice("model.standardize", "standardized features", ("true", "false")),
    Choice("loss.exclusive_targets", "exclusive targets", ("true", "false")),
    Choice("phases.supplementary_epochs", "epochs of phase zero, supplementary branch", ("0", "20")),
)


def readings(config: Config) -> Plan:
    """What the paper leaves open, one choice at a time: the first row is `config`, each other one differs in one."""
    rows = [Row("given", "the settings as given")]
    for choice in CHOICES:
        for value in choice.values:
            setting = f"{choice.setting}={value}"
            if override(config, [setting]) != config:
                rows.append(Row(setting, f"{choice.name}: {value}", (setting,)))
    return Plan("readings", "Readings of the paper, one open choice at a time", tuple(rows), branches=False)


def chosen_rows(plan: Plan, keys: Sequence[str] | None) -> Plan:
    """The plan with only the rows of these keys (None: all); ValueError for an unknown key."""
    known = [row.key for row in plan.rows]
    for key in keys or ():
        if key not in known:
            raise ValueError(f"unknown row {key!r}; {plan.title.split(',')[0]} has {', '.join(known)}")
    rows = tuple(row for row in plan.rows if keys is None or row.key in keys)
    return replace(plan, rows=rows)


def row_config(config: Config, row: Row, seed: int) -> Config:
    """`config` with the settings of the row and the seed."""
    return override(config, [*ALL_OF_AMS, *row.settings, f"optimization.seed={seed}"])


def cell_of(config: Config, row: Row, seed: int, stream: str) -> Cell:
    """The cell that a row needs for one seed and stream."""
    return Cell(stream, row_config(config, row, seed))


def cells_of(plans: Sequence[Plan], config: Config, seeds: int, streams: Sequence[str]) -> list[Cell]:
    """Every cell that the plans need, each once, ordered by stream and then by seed."""
    wanted: dict[Path, Cell] = {}
    for stream in streams:
        for seed in range(seeds):
            for plan in plans:
                for row in plan.rows:
                    cell = cell_of(config, row, seed, stream)
                    wanted.setdefault(cell.folder, cell)
    return list(wanted.values())
