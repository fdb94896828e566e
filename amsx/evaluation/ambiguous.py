"""Ambiguous spans: times of a video where nobody can tell whether an action takes place (THUMOS14)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from amsx.evaluation.records import Columns, read_columns
from amsx.evaluation.subsets import quoted

AMBIGUOUS = "Ambiguous"  # their label in THUMOS14 annotations; never a class

# A file of "video start end" lines (W-TALC's Ambiguous_test.txt), or video id -> [[start, end]]; seconds
Spans = str | Path | Mapping[str, Sequence[Sequence[float]]]


def read_spans(spans: Spans | None, marked: Columns) -> Columns:
    """The spans `marked` in the ground truth and those of `spans` in the same videos, all labelled AMBIGUOUS.

    Raises FileNotFoundError, or ValueError that names file and line, or video and index.
    """
    if isinstance(spans, str | Path):
        name, listed = str(spans), _read_lines(Path(spans))
    else:
        name, listed = "ambiguous spans", spans or {}
    added: dict[str, list[Any]] = {video: [*listed.get(video, ())] for video in marked.videos}
    for video, start, end in zip(marked.video, marked.start, marked.end, strict=True):
        added[marked.videos[video]].append([start, end])
    entries = {video: [{"label": AMBIGUOUS, "segment": span} for span in of_video] for video, of_video in added.items()}
    return read_columns(entries, name, "span", scored=False)


def _read_lines(path: Path) -> Mapping[str, Sequence[Any]]:
    if not path.is_file():
        raise FileNotFoundError(f"file of ambiguous spans {path} does not exist")
    spans: dict[str, list[Any]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
        fields = line.split()
        if fields and len(fields) != 3:
            raise ValueError(
                f"{path}, line {number}: {quoted(line)}; expected a video id, a start and an end in seconds"
            )
        if fields:
            spans.setdefault(fields[0], []).append(fields[1:])
    return spans
