"""What the report's sections share: which groups stand together, captions, series and scores over the seeds."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from amsx.evaluation.explain import Explanation
from amsx.localization.fusion import FUSED
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


def rules(groups: ComparedGroups) -> str:
    """The rules that the groups were scored under, to stand in a sentence or as a heading."""
    first = first_explanation(groups)
    return rules_of(first.evaluation.protocol, first.evaluation.tiou)


def rules_of(protocol: str, tiou: Sequence[float]) -> str:
    """The same from the protocol's name and its T-IoU thresholds."""
    span = f"tIoU {tiou[0]:g}" if len(tiou) == 1 else f"tIoU {tiou[0]:g} to {tiou[-1]:g} ({len(tiou)} thresholds)"
    return f"protocol <b>{escape(protocol)}</b>, {span}"


def introduction(groups: ComparedGroups) -> str:
    """What stands once above all figures of some groups: the protocol, what was scored, and what the error bars are."""
    score = first_explanation(groups).evaluation
    subset = f" of the subset {escape(score.subset)}" if score.subset else ""
    counts = score.counts
    videos, instances = counted(counts.videos, "video"), counted(counts.instances, "instance")
    return (
        f"All figures are scored under {rules(groups)}, on {videos}{subset} with {instances}. "
        f"{spread_sentence(max(len(group.runs) for _, group in groups))}"
    )


def spread_sentence(seeds: int) -> str:
    """What stands behind the figures of so many seeds (the most that any configuration has)."""
    if seeds == 1:
        return "There is one seed, so no figure has a deviation and no chart has error bars."
    return "Behind the mean stands the standard deviation over the seeds (±, and the error bars in charts)."


def counted(number: int, thing: str) -> str:
    """A number of things in words: "1 video", "12 videos"."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


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
        ("videos", f"{data['videos']['train']} for training, {data['videos']['test']} for testing"),
        ("classes", str(len(data["classes"]))),
        ("streams", escape(", ".join(data["streams"]))),
        (name, value),
    ]
    return "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in pairs)


def legend(groups: ComparedGroups) -> str:
    return charts.legend([g.name for _, g in groups], [place for place, _ in groups]) if len(groups) > 1 else ""


def figure(body: str, under: str = "") -> str:
    """A figure with a caption, which may have markup, where there is something to say."""
    return f"<figure>{body}{f'<figcaption>{under}</figcaption>' if under else ''}</figure>"


def scrolling(table: str, label: str) -> str:
    """A table that scrolls by itself where the window is narrow; `label` is what a screen reader calls it."""
    return f'<div class="scroll" role="region" aria-label="{escape(label)}">{table}</div>'


def folded(summary: str, body: str) -> str:
    """What is shown once a reader asks for it; `body` is HTML."""
    return f"<details><summary>{escape(summary)}</summary>{body}</details>"


def name_cell(name: str, sign: str = "") -> str:
    """The head of a table's row: a name from the data, which may run from right to left, behind its mark."""
    return f'<th scope="row">{sign}<bdi>{escape(name)}</bdi></th>'


def view_row(view: str, columns: int, alone: bool) -> str:
    """The row above those of a view; `alone`: it is the only one."""
    what = "all streams fused" if view == FUSED else "the only stream" if alone else "this stream alone"
    head = f'<th colspan="{columns}" scope="rowgroup"><bdi>{escape(view)}</bdi> <span>{what}</span></th>'
    return f'<tr class="view">{head}</tr>'


def cell(mean: float | None, deviation: float | None) -> str:
    if mean is None:
        return "\u2013"
    return f"{mean:.1f}" if deviation is None else f'{mean:.1f}<span class="sd"> ± {deviation:.1f}</span>'
