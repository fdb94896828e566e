"""Subsets of videos that the annotation does not say: lists beside it, as BSN, BMN and G-TAD have them.

split_{train,test}.txt    a video a line; also {train,training,val,validation,test,testing}.txt
<name>.csv                with the columns `video` and `subset` among others (BSN's video_info.csv)
"""

import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from amsx.annotations import PREFIX, same_names
from amsx.data.layouts.shared.annotation_json import KINDS, Entry
from amsx.data.layouts.shared.assembly import shortened
from amsx.data.layouts.shared.video_tables import subset_columns
from amsx.files import read_names, read_text, visible


def with_listed_subsets(
    entries: Mapping[str, Entry], root: Path, annotation: Path
) -> tuple[dict[str, Entry], list[str]]:
    """The entries, those without a subset with that of the lists in `root` or beside the annotation, and notes.

    Ids may have the prefix v_ on one side. ValueError where there are several tables, or a table and split files, or
    where a video is in two subsets.
    """
    lacking = [name for name, entry in entries.items() if not entry.subset]
    if not lacking:
        return dict(entries), []
    folders = dict.fromkeys((root, annotation.parent))
    headers = {path: subset_columns(path) for folder in folders for path in visible(folder, "*.csv")}
    tables = {path: columns for path, columns in headers.items() if columns is not None}
    names = {
        f"{start}{name}.txt": kind
        for kind, all_names in KINDS.items()
        for name in all_names
        for start in ("split_", "")
    }
    lists = {path: kind for name, kind in names.items() for folder in folders for path in visible(folder, name)}
    sources = [*map(str, tables), *([shortened(map(str, lists), 6)] if lists else [])]
    if len(sources) > 1:
        raise ValueError(
            f"{annotation}: names no subset of {len(lacking)} videos, and more than one list may: "
            f"{' or '.join(sources)}; expected one table or split files"
        )
    listed = [(path, name, kind) for path, kind in lists.items() for name in read_names(path)]
    listed += [(path, name, subset) for path, columns in tables.items() for name, subset in _table(path, columns)]
    subsets: dict[str, str] = {}
    for path, name, subset in listed:
        if subsets.setdefault(name, subset) != subset:
            raise ValueError(f"{path}: video {name!r} is in the subsets {subsets[name]!r} and {subset!r}")
    called, change = same_names(lacking, subsets)
    found = {name: subsets[called[name]] for name in lacking if called[name] in subsets}
    if not found:
        return dict(entries), []
    note = f"subsets of {len(found)} videos, which the annotation does not say, are those of {sources[0]}"
    prefixed = {"": "", "added": f", where ids begin with {PREFIX!r}", "removed": f", where ids lack {PREFIX!r}"}[
        change
    ]
    return {name: replace(e, subset=found.get(name, e.subset)) for name, e in entries.items()}, [note + prefixed]


def _table(path: Path, columns: tuple[int, int]) -> list[tuple[str, str]]:
    """The ids and the subsets of a table, which stand in `columns`; rows without a subset are passed over."""
    try:
        rows = [row for row in list(csv.reader(read_text(path).split("\n")))[1:] if row]
    except csv.Error as error:
        raise ValueError(f"{path}: it cannot be read as a table: {error}") from error
    short = [number for number, row in enumerate(rows, start=2) if len(row) <= max(columns)]
    if short:
        raise ValueError(f"{path}, row {short[0]}: has no subset; expected as many columns as in the header")
    pairs = [(row[columns[0]].strip(), row[columns[1]].strip()) for row in rows]
    return [(name, subset) for name, subset in pairs if subset]
