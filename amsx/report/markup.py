"""What the report's sections share: which groups stand together, captions, series and scores over the seeds."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from amsx.evaluation.explain import Explanation
from amsx.report import charts
from amsx.report.charts import Series
from amsx.report.run_groups import Group, Run, summarize, views_of

# Groups that were scored in the same way, each with its number in the report, which decides its colour and mark.
ComparedGroups = list[tuple[int, Group]]


def by_protocol(groups: Sequence[Group]) -> list[ComparedGroups]:
    """The groups that can stand in one table: scored under the same protocol, at the same T-IoU thresholds."""
    compared: dict[tuple[Any, ...], ComparedGroups] = {}
    for place, group in enumerate(groups):
        if group.scored:
            score = next(iter(group.runs[0].explanations.values())).evaluation
            compared.setdefault((score.protocol, score.subset, tuple(score.tiou)), []).append((place, group))
    return list(compared.values())


def rules(groups: ComparedGroups, at: str = "") -> str:
    """The sentence under every figure: the protocol, and the thresholds of the average, or the one that it is `at`."""
    first = first_explanation(groups)
    return rules_of(first.evaluation.protocol, first.evaluation.tiou, at)


def rules_of(protocol: str, tiou: Sequence[float], at: str = "") -> str:
    """The same sentence from the protocol's name and its T-IoU thresholds."""
    span = f"tIoU {tiou[0]:g}" if len(tiou) == 1 else f"tIoU {tiou[0]:g} to {tiou[-1]:g} ({len(tiou)} thresholds)"
    return f"Protocol <b>{escape(protocol)}</b>, {escape(at) or span}."


def introduction(groups: ComparedGroups) -> str:
    """What stands above a section: the protocol, what was scored, and what the error bars are."""
    score = first_explanation(groups).evaluation
    subset = f" of the subset {escape(score.subset)}" if score.subset else ""
    seeds = sorted({len(group.runs) for _, group in groups})
    spread = "Error bars: standard deviation over the seeds." if seeds[-1] > 1 else "One seed: no error bars."
    counts = score.counts
    return f"{rules(groups)} {counts.videos} videos{subset}, {counts.instances} instances. {spread}"


def first_explanation(groups: ComparedGroups) -> Explanation:
    """The explanation of the first run's score."""
    return explanation_of(groups[0][1].runs[0])


def explanation_of(run: Run) -> Explanation:
    """The explanation of a run's score, of all streams fused, or of its only one."""
    return run.explanations[views_of(run.streams)[0]]


def first_view(groups: ComparedGroups) -> str:
    """The view that stands first: all streams fused, or the only one."""
    return views_of(groups[0][1].runs[0].streams)[0]


def series_of(
    groups: ComparedGroups, pick: Callable[[Explanation], Iterable[Any]], x: Sequence[float] = (), bars: bool = True
) -> list[Series]:
    """A series for every group: mean and deviation over its seeds of what `pick` takes from the first view."""
    series = []
    for place, group in groups:
        values = [[np.nan if v is None else v for v in pick(explanation_of(run))] for run in group.runs]
        summary = summarize(values)
        series.append(
            Series(group.name, place, without_nan(summary.mean), without_nan(summary.deviation) if bars else None, x=x)
        )
    return series


def without_nan(values: Any) -> Any:
    return None if values is None else [None if np.isnan(v) else float(v) for v in values]


def facts(data: Mapping[str, Any], name: str, value: str) -> str:
    """The items of a list of facts: what `data` (of a config.json) says of the data, and one more."""
    where = data["root"] or f"{data['layout']} (made in memory)"
    pairs = [
        ("data", f"<code>{escape(str(where))}</code>"),
        ("videos", f"{data['videos']['train']} training, {data['videos']['test']} test"),
        ("classes", str(len(data["classes"]))),
        ("streams", escape(", ".join(data["streams"]))),
        (name, value),
    ]
    return "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in pairs)


def legend(groups: ComparedGroups) -> str:
    return charts.legend([g.name for _, g in groups], [place for place, _ in groups]) if len(groups) > 1 else ""


def figure(body: str, under: str) -> str:
    return f"<figure>{body}<figcaption>{under}</figcaption></figure>"


def cell(mean: float | None, deviation: float | None) -> str:
    if mean is None:
        return "\u2013"
    return f"{mean:.1f}" if deviation is None else f'{mean:.1f}<span class="sd"> ± {deviation:.1f}</span>'
