"""Detections as a table: the columns of a data frame, under the names that people give them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from amsx.evaluation.columns import Columns, columns_of_rows, listing

NAMES = ("video-id", "t-start", "t-end", "label", "score")  # as ActivityNet's evaluator and ActionFormer call them

# Other names of a column, without capitals, blanks, dashes, dots and underscores.
_SPELLINGS = {
    "video-id": ("videoid", "video", "vid", "videoname", "videoids"),
    "t-start": ("tstart", "start", "starttime", "segmentstart", "tbegin", "begin"),
    "t-end": ("tend", "end", "endtime", "segmentend", "tstop", "stop"),
    "label": ("label", "class", "labels", "classname", "labelname", "category", "action", "labelid", "classid"),
    "score": ("score", "scores", "confidence", "conf", "prob", "probability"),
    "segment": ("segment", "segments"),
}
_NUMBERS = ("labelid", "classid")  # a column so called holds class numbers


@dataclass(frozen=True)
class Wanted:
    """Which column of a table is which."""

    columns: dict[str, str]  # of NAMES, or "segment" in place of the two times -> what the table calls it
    others: list[str]  # columns that are not read

    @property
    def numbered(self) -> bool:
        """Whether the labels are class numbers by the name of their column."""
        return _bare(self.columns["label"]) in _NUMBERS

    @property
    def words(self) -> str:
        """What is not as ActivityNet's evaluator has it."""
        spelt = [repr(found) for name, found in self.columns.items() if found != name]
        parts = [f"with {' and '.join(spelt)}" if spelt else "", f"without its {listing(self.others)}"]
        return ", ".join(part for part in (parts if self.others else parts[:1]) if part)


def columns_wanted(given: Iterable[Any], name: str) -> Wanted | None:
    """Which of the columns `given` are the five of a table of detections; None where one of them is not among them.

    Two start and end columns may be one column of segments. A name as in NAMES comes before its other spellings;
    ValueError, naming the file (`name`), where two columns are such spellings of one name.
    """
    columns = [column for column in given if isinstance(column, str)]
    found: dict[str, str] = {}
    for wanted, spellings in _SPELLINGS.items():
        exact = [column for column in columns if column.strip() == wanted]
        spelt = exact or [column for column in columns if _bare(column) in spellings]
        if len(spelt) > 1:
            raise ValueError(
                f"{name}: its columns {listing(spelt)} may each be {wanted!r}; expected one of them, or {wanted!r}"
            )
        if spelt:
            found[wanted] = spelt[0]
    if "t-start" in found or "t-end" in found:
        found.pop("segment", None)
    if not {"video-id", "label", "score"} <= set(found) or not (
        {"t-start", "t-end"} <= set(found) or "segment" in found
    ):
        return None
    return Wanted(found, [column for column in columns if column not in found.values()])


def columns_of_table(content: Mapping[str, Any], wanted: Wanted, name: str, *, any_order: bool) -> Columns:
    """The detections of a table, in its order.

    ValueError, naming the file (`name`), for columns of different lengths and for a broken detection.
    """
    lists = {which: _values(content[column], column, name) for which, column in wanted.columns.items()}
    indices = {which: list(content[column]) for which, column in wanted.columns.items() if _is_mapping(content[column])}
    if indices and (len(indices) < len(lists) or any(index != indices["label"] for index in indices.values())):
        column = wanted.columns[next(iter(indices))]
        raise ValueError(
            f"{name}: column {column!r} is a dict; expected a list (or a dict in every column, all with the same keys)"
        )
    lengths = {wanted.columns[which]: len(values) for which, values in lists.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{name}: columns of different lengths, {lengths}")
    segments = lists["segment"] if "segment" in lists else list(zip(lists["t-start"], lists["t-end"], strict=True))
    return columns_of_rows(
        lists["video-id"], lists["label"], segments, lists["score"], name, "detection", any_order=any_order
    )


def table_of_records(records: Sequence[Any], name: str) -> Mapping[str, list[Any]]:
    """Columns of a list of records, all with the keys of the first."""
    for index, record in enumerate(records):
        if not isinstance(record, Mapping):
            raise ValueError(f"{name}: entry {index} of its list is a {type(record).__name__}; expected an object")
    keys = list(records[0]) if records else []
    table: dict[str, list[Any]] = {}
    for key in keys:
        lacking = next((index for index, record in enumerate(records) if key not in record), None)
        if lacking is not None:
            raise ValueError(
                f"{name}: entry {lacking} of its list has no {key!r}; expected the keys of the first entry"
            )
        table[key] = [record[key] for record in records]
    return table


def _values(column: Any, called: str, name: str) -> list[Any]:
    values = list(column.values()) if _is_mapping(column) else column
    values = values.tolist() if hasattr(values, "tolist") else values
    if not isinstance(values, list | tuple):
        raise ValueError(f"{name}: column {called!r} is a {type(values).__name__}; expected a list")
    return list(values)


def _is_mapping(column: Any) -> bool:
    """pandas writes a column as {row: value} in its default JSON."""
    return isinstance(column, Mapping)


def _bare(column: str) -> str:
    return re.sub(r"[\s._-]", "", column.casefold())
