"""A result of `amsx reproduce` as text for a terminal and as Markdown."""

from collections.abc import Sequence

from amsx.experiments.results import Difference, Result, ResultRow, SeedScores, comparison_names
from amsx.text_columns import columns, left, right


def as_text(result: Result) -> str:
    """Both tables of the result under their headline, columns aligned."""
    first, *others = _tables(result)
    return "\n\n".join([f"{headline(result)}\n{_aligned(*first)}", *(_aligned(*table) for table in others)])


def as_markdown(result: Result) -> str:
    """The same as Markdown."""
    parts = [headline(result)]
    for heads, rows in _tables(result):
        lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
        parts.append("\n".join("| " + " | ".join(cell.strip() for cell in line) + " |" for line in lines))
    return "\n\n".join(parts)


def _tables(result: Result) -> list[tuple[list[str], list[list[str]]]]:
    """Heads and rows of every table of the result."""
    return [average_table(result), *difference_table(result), tiou_table(result)]


def headline(result: Result) -> str:
    """What was measured, under which protocol, on which data, with how many seeds."""
    tiou, data = ", ".join(f"{t:g}" for t in result.tiou), result.data
    fusion = f"; weights {result.weights}" if result.weights else ""
    seeds = "one seed" if result.seeds == 1 else f"{result.seeds} seeds, mean ± standard deviation"
    videos = f"{data['videos']['test']} {data.get('tested', 'test videos')}"
    if result.rows[0].warp:
        seeds += (
            "; warp: the largest sampling weight over the smallest, and by how many snippets samples move, on average"
        )
    return (
        f"{result.title}, on {data['root'] or data['layout']}: mean mAP (%) over tIoU {tiou}; protocol "
        f"{result.protocol}; {videos}{fusion}; {seeds}"
    )


def average_table(result: Result) -> tuple[list[str], list[list[str]]]:
    """Heads and rows: mAP averaged over T-IoU of every row and iteration, by view; the paper's where it is known."""
    warped = list(result.rows[0].warp)
    heads = ["", *result.views, *(f"warp, {stream}" for stream in warped)]
    heads += ["paper, fused"] if result.thumos14 else []
    last = result.last_rows
    rows = []
    for row in result.rows:
        cells = [_with_deviation(score.average) for score in row.scores.values()]
        cells += [str(row.warp[stream]) for stream in warped]
        if result.thumos14:
            paper = result.paper(row.key) if row in last else None
            cells.append("" if paper is None else _or_empty(paper[1]))
        rows.append([_label(row), *cells])
    return heads, rows


def difference_table(result: Result) -> list[tuple[list[str], list[list[str]]]]:
    """Heads and rows: by how much rows differ after the last iteration (`Result.comparisons`), by view.

    A difference is the mean over pairs of the same seed and data, beside its standard error and the p of a two-sided
    paired t-test. There is no such table where nothing is compared.
    """
    if not result.comparisons:
        return []
    head, names = comparison_names(result.comparisons)
    heads = [f"{head}, ± standard error, p of a paired t-test", *result.views]
    rows = [
        [name, *(_shown(comparison.difference(view)) for view in result.views)]
        for name, comparison in zip(names, result.comparisons, strict=True)
    ]
    return [(heads, rows)]


def tiou_table(result: Result) -> tuple[list[str], list[list[str]]]:
    """Heads and rows: mAP at every T-IoU after the last iteration, of the last view (all streams fused)."""
    view = result.views[-1]
    heads = [f"{view}, at tIoU", *(f"{t:g}" for t in result.tiou), "average"]
    rows = []
    for row in result.last_rows:
        score = row.scores[view]
        rows.append([_label(row), *map(_with_deviation, [*score.per_tiou, score.average])])
        if result.thumos14:
            each, average = result.paper(row.key) or ([None] * len(result.tiou), None)
            rows.append(["   the paper", *map(_or_empty, [*each, average])])
    return heads, rows


def _aligned(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(columns, column)) for column in zip(heads, *rows, strict=True)]
    lines = [[left(line[0], widths[0]), *map(right, line[1:], widths[1:])] for line in (heads, *rows)]
    return "\n".join("  ".join(line).rstrip() for line in lines)


def _label(row: ResultRow) -> str:
    when = f"iteration {row.iteration}" if row.iteration else "phase zero"
    return f"{row.letter}  {row.name}, {when}" if row.letter else f"{row.name}, {when}"


def _with_deviation(scores: SeedScores) -> str:
    return f"{scores.mean:.1f}" + ("" if scores.deviation is None else f" ± {scores.deviation:.1f}")


def _shown(difference: Difference) -> str:
    return f"{difference.mean:+.1f} ± {difference.error:.1f}, p {p_in_words(difference.p)}"


def p_in_words(p: float) -> str:
    """The p of a test to two decimals, or three below 0.1."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def _or_empty(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
