"""Ambiguous spans: times of a video of which nobody can tell whether an action takes place (THUMOS14)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from amsx.evaluation.columns import Columns, ordered_ends, quoted, read_columns
from amsx.evaluation.selection import Spans, spelt_as
from amsx.files import read_text
from amsx.records import AMBIGUOUS


def read_spans(
    spans: Spans | None, marked: Columns, known: set[str], *, order_ends: bool
) -> tuple[Columns, Columns, list[str]]:
    """The spans of the videos of `marked`, those of videos that are not `known`, and notes; all labelled AMBIGUOUS.

    The first are those that the ground truth has `marked`, and those of `spans` in the same videos. order_ends:
    exchange the ends of a span that ends before it starts, and count it; else such a span is a ValueError.
    """
    if isinstance(spans, str | Path):
        name, listed = str(spans), _read_lines(Path(spans))
    else:
        name, listed = "ambiguous spans", {str(video): list(own) for video, own in (spans or {}).items()}
    names, notes = spelt_as(list(listed), known, f"the ids of {name}")
    listed = {names[video]: own for video, own in listed.items()}
    added: dict[str, list[Any]] = {video: [*listed.get(video, ())] for video in marked.videos}
    others = {video: own for video, own in listed.items() if video not in known | set(added)}
    read = []
    n_reversed = 0
    for group in (added, others):
        columns, n = ordered_ends(_spans(group, name, order_ends))
        n_reversed += n
        read.append(columns)
    if n_reversed:
        notes.append(f"{n_reversed} spans of {name} end before they start; their two ends were exchanged")
    return marked.joined(read[0]), read[1], notes


def _spans(listed: Mapping[str, Sequence[Any]], name: str, order_ends: bool) -> Columns:
    entries = {video: [{"label": AMBIGUOUS, "segment": span} for span in spans] for video, spans in listed.items()}
    return read_columns(entries, name, "span", scored=False, any_order=order_ends)


def _read_lines(path: Path) -> dict[str, list[Any]]:
    if not path.is_file():
        raise FileNotFoundError(f"file of ambiguous spans {path} does not exist")
    spans: dict[str, list[Any]] = {}
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        fields = line.split()
        if fields and len(fields) != 3:
            raise ValueError(
                f"{path}, line {number}: {quoted(line)}; expected a video id, a start and an end in seconds"
            )
        if fields:
            spans.setdefault(fields[0], []).append(fields[1:])
    return spans
