"""The result of a table or figure of `amsx reproduce`: the scores of every row over the seeds, and their JSON form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from amsx.experiments.paper import reported
from amsx.experiments.warp import Warp
from amsx.files import read_json
from amsx.localization.fusion import FUSED, weights_in_words
from amsx.training.config import Config, from_dict, to_dict

BRANCHES = ("base", "supplementary")
# Key of a result -> key of the row that all others are compared to.
REFERENCES = {"readings": "given", "validation": "", "table4": "adaptive", "table5": "maximum"}
# Key of a result -> keys of two rows: the first has one part more than the second, or another one in its place.
STEPS = {"table3": [("B", "A"), ("C", "B"), ("D", "B"), ("E", "B"), ("E", "D"), ("F", "C"), ("F", "E")]}
BOTH = "both branches"  # the curve of both branches fused, beside one for each of BRANCHES


@dataclass(frozen=True)
class SeedScores:
    """One score of several trainings that differ in their seed alone, percent."""

    mean: float
    deviation: float | None  # sample standard deviation; None for a single seed
    seeds: tuple[float, ...]  # the score of every seed

    @classmethod
    def of(cls, seeds: Sequence[float]) -> "SeedScores":
        """The scores of every seed with their mean and deviation."""
        deviation = float(np.std(seeds, ddof=1)) if len(seeds) > 1 else None
        return cls(float(np.mean(seeds)), deviation, tuple(seeds))

    def to_json(self) -> dict[str, Any]:
        """The scores as in the result's JSON file."""
        return {"mean": self.mean, "deviation": self.deviation, "seeds": list(self.seeds)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "SeedScores":
        """The inverse of `to_json`; other keys are ignored."""
        seeds = tuple(values["seeds"])
        return cls(values["mean"], values["deviation"] if len(seeds) > 1 else None, seeds)


@dataclass(frozen=True)
class Difference:
    """The mean of paired differences between two rows, percentage points: same seed, same data."""

    mean: float
    error: float  # standard error of the mean; infinite for a single pair
    p: float  # of the two-sided paired t-test: the chance of at least such a mean where there is no difference

    @classmethod
    def of(cls, scores: SeedScores, base: SeedScores) -> "Difference":
        """`scores` minus `base`, seed by seed."""
        each = np.subtract(scores.seeds, base.seeds)
        mean = float(np.mean(each))
        if len(each) == 1:
            return cls(mean, float("inf"), 1.0)
        error = float(np.std(each, ddof=1) / np.sqrt(len(each)))
        if error == 0:
            return cls(mean, error, float(mean == 0))
        return cls(mean, error, _two_sided_p(mean / error, len(each) - 1))

    @property
    def clear(self) -> bool:
        """Whether the paired t-test is below 0.05."""
        return self.p < 0.05


def _two_sided_p(t: float, freedom: int) -> float:
    """How likely a value of Student's distribution with so many degrees of freedom is as far from 0 as t, or farther.

    With t = sqrt(freedom) tan(angle), its density is proportional to cos(angle) ** (freedom - 1).
    """

    def mass(start: float) -> float:
        angles = np.linspace(start, np.pi / 2, 10001)
        densities = np.cos(angles) ** (freedom - 1)
        return float((densities[1:] + densities[:-1]).sum() * (angles[1] - angles[0]))

    return mass(np.arctan(abs(t) / np.sqrt(freedom))) / mass(0.0)


@dataclass(frozen=True)
class Score:
    """The mAP of a row in one view after one iteration."""

    average: SeedScores  # over the T-IoU thresholds
    per_tiou: tuple[SeedScores, ...]  # at each T-IoU threshold
    branches: Mapping[str, "Score"]  # a name of BRANCHES -> the score of this branch alone; empty for one branch

    def to_json(self) -> dict[str, Any]:
        """The score as in the result's JSON file."""
        values = {**self.average.to_json(), "mAP": [scores.to_json() for scores in self.per_tiou]}
        branches = {name: score.to_json() for name, score in self.branches.items()}
        return {**values, "branches": branches} if branches else values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Score":
        """The inverse of `to_json`."""
        return cls(
            SeedScores.from_json(values),
            tuple(map(SeedScores.from_json, values["mAP"])),
            {name: cls.from_json(score) for name, score in values.get("branches", {}).items()},
        )


@dataclass(frozen=True)
class ResultRow:
    """A row of a table, or a point of a figure, after one iteration."""

    key: str  # of the plan's row
    name: str  # of the plan's row
    iteration: int  # 0 is phase zero
    scores: Mapping[str, Score]  # view (a stream alone, or all of them fused) -> score
    warp: Mapping[str, Warp] = field(default_factory=dict)  # stream -> the warp by the sampler, where it was measured

    @property
    def letter(self) -> str:
        """The key of a row that goes by a letter, as those of Table III do; empty for other rows."""
        return self.key if len(self.key) == 1 and self.key.isalpha() else ""

    @property
    def full_name(self) -> str:
        """The name, after the row's letter if it has one."""
        return f"{self.letter}: {self.name}" if self.letter else self.name

    def to_json(self) -> dict[str, Any]:
        """The row as in the result's JSON file."""
        scores = {view: score.to_json() for view, score in self.scores.items()}
        values = {"key": self.key, "name": self.name, "iteration": self.iteration, "scores": scores}
        warp = {stream: warp.to_json() for stream, warp in self.warp.items()}
        return {**values, "warp": warp} if warp else values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "ResultRow":
        """The inverse of `to_json`."""
        scores = {view: Score.from_json(score) for view, score in values["scores"].items()}
        warp = {stream: Warp(**warp) for stream, warp in values.get("warp", {}).items()}
        return cls(values["key"], values["name"], values["iteration"], scores, warp)


@dataclass(frozen=True)
class Comparison:
    """Two rows that are compared after the last iteration."""

    row: ResultRow
    base: ResultRow

    def difference(self, view: str) -> Difference:
        """The scores of `row` minus those of `base` in a view."""
        return Difference.of(self.row.scores[view].average, self.base.scores[view].average)


def comparison_names(comparisons: Sequence[Comparison]) -> tuple[str, list[str]]:
    """What a table of comparisons is headed by, and the name of each: without their base, where it is that of all."""
    if len({comparison.base.key for comparison in comparisons}) == 1:
        return f"minus {comparisons[0].base.full_name!r}", [comparison.row.full_name for comparison in comparisons]
    return "difference", [f"{one.row.full_name} minus {one.base.full_name}" for one in comparisons]


@dataclass(frozen=True)
class Result:
    """A table or figure of the paper, measured."""

    key: str  # of the plan: "table3"
    title: str  # of the plan
    protocol: str  # that the detections were scored under
    tiou: tuple[float, ...]  # the T-IoU thresholds
    data: Mapping[str, Any]  # what config.json says of the data
    thumos14: bool  # whether the data is the paper's, so that the paper's figures can be compared
    config: Config  # the settings that all rows share
    seeds: int  # the number of trainings behind each score of a row
    rows: tuple[ResultRow, ...]  # in the order of the plan; the iterations of a row after each other

    @property
    def views(self) -> list[str]:
        """What was scored: each stream alone and, where there are several, all of them fused, last."""
        return list(self.rows[0].scores)

    @property
    def weights(self) -> str:
        """The weights with which the streams are fused, as text; empty where there is one stream."""
        streams = [view for view in self.views if view != FUSED]
        if len(streams) == 1:
            return ""
        return weights_in_words(streams, self.config.localization.stream_weights(streams))

    @property
    def iterations(self) -> list[int]:
        """The iterations after which some row was scored, in order."""
        return sorted({row.iteration for row in self.rows})

    @property
    def last_rows(self) -> list[ResultRow]:
        """The last iteration of every row."""
        return list({row.key: row for row in self.rows}.values())

    @property
    def comparisons(self) -> list[Comparison]:
        """Which rows are compared after the last iteration: as `STEPS` says, or each to the one of `REFERENCES`.

        Empty where there is one seed; a comparison of which a row is missing is left out.
        """
        rows = {row.key: row for row in self.last_rows} if self.seeds > 1 else {}
        pairs = STEPS.get(self.key, [])
        if (reference := REFERENCES.get(self.key)) is not None:
            pairs = [(key, reference) for key in rows if key != reference]
        return [Comparison(rows[key], rows[base]) for key, base in pairs if key in rows and base in rows]

    def paper(self, key: str) -> tuple[list[float | None], float | None] | None:
        """What the paper reports of a row, all streams fused: mAP at every T-IoU and on average.

        A score that is not known is None. The whole is None where no score is known or the data is not THUMOS14.
        """
        if not self.thumos14:
            return None
        each, average = reported(self.key, key, self.tiou)
        return (each, average) if any(value is not None for value in (*each, average)) else None

    def to_json(self) -> dict[str, Any]:
        """The content of the result's JSON file."""
        return {
            "key": self.key,
            "title": self.title,
            "protocol": self.protocol,
            "tiou": list(self.tiou),
            "data": dict(self.data),
            "thumos14": self.thumos14,
            "config": to_dict(self.config),
            "seeds": self.seeds,
            "rows": [row.to_json() for row in self.rows],
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Result":
        """The inverse of `to_json`."""
        return cls(
            key=values["key"],
            title=values["title"],
            protocol=values["protocol"],
            tiou=tuple(values["tiou"]),
            data=values["data"],
            thumos14=values["thumos14"],
            config=from_dict(values["config"]),
            seeds=values["seeds"],
            rows=tuple(map(ResultRow.from_json, values["rows"])),
        )


def read_result(path: Path) -> Result:
    """Read the JSON file of a table or figure; ValueError where another program wrote it."""
    values = read_json(path)
    keys = Result.__dataclass_fields__.keys()
    if not isinstance(values, dict) or not values.keys() >= keys:
        raise ValueError(f"{path} was not written by amsx reproduce; expected the keys {', '.join(sorted(keys))}")
    return Result.from_json(values)


@dataclass(frozen=True)
class Curve:
    """Scores over iterations, or over eta."""

    key: str  # of the row; the name where the curve is not one row's
    name: str
    points: Mapping[float, SeedScores]  # iteration or eta -> mAP averaged over T-IoU


def row_curves(result: Result, view: str) -> list[Curve]:
    """A curve for every row of a table, over iterations."""
    points: dict[str, dict[float, SeedScores]] = {}
    for row in result.rows:
        points.setdefault(row.key, {})[row.iteration] = row.scores[view].average
    return [Curve(row.key, row.full_name, points[row.key]) for row in result.last_rows]


def branch_curves(result: Result, view: str) -> list[Curve]:
    """The curves of Fig. 4, over iterations: both branches fused, then each alone."""
    scores = {row.iteration: row.scores[view] for row in result.rows}
    alone = [Curve(name, name, {i: s.branches[name].average for i, s in scores.items()}) for name in BRANCHES]
    return [Curve(BOTH, BOTH, {i: s.average for i, s in scores.items()}), *alone]


def eta_curve(result: Result, view: str) -> Curve:
    """The curve of Fig. 5, over eta: both branches fused."""
    return Curve("eta", "all of AMS", {float(row.key): row.scores[view].average for row in result.last_rows})
