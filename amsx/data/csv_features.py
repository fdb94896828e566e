"""Reading a table of numbers from a .csv file: what is header, what is a column that counts, and what is a value.

The whole file decides, and what is left out is said: `read_csv` returns it in words beside the values. Where two
readings are possible, it raises a ValueError that names the file, the row and what would settle the question.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from amsx.files import read_text

SEPARATORS = (";", "\t", ",")  # the first that occurs in the file separates cells; else blanks do
FRACTION = re.compile(r"[.en]", re.IGNORECASE)  # what a whole number does not have: 0.5, 1e3, nan, inf
COUNTERS = ("", "index", "unnamed: 0")  # names of columns that count the rows
PLACES = re.compile(  # names of columns that say where in the video a row is
    r"idx|id|t|ms|t_start|(row|snippet|clip|frame|start|end|time|timestamp|second|sec)s?([ _](id|no|number|time|ms|s))?"
)
SURE_WIDTH = 4  # columns from which a row that counts them cannot be one of values beside fractions
SURE_CELLS = 10  # cells of one column that all have a fraction, from which a whole number above them is a name


@dataclass(frozen=True)
class _Table:
    """The lines of a file, and what they are."""

    path: Path
    separator: str | None  # None: blanks
    lines: list[str]  # without empty ones at the end
    trailing: bool  # every line ends with a separator

    def cells(self, line: str) -> list[str]:
        """The cells of a line, without quotes and outer blanks."""
        return [cell.strip().strip('"').strip() for cell in self.bare(line).split(self.separator)]

    def bare(self, line: str) -> str:
        """The line without the separator at its end that all lines have."""
        return line.rstrip(" ")[:-1] if self.trailing else line

    def error(self, number: int, text: str) -> ValueError:
        """An error about a row, counted from 0."""
        return ValueError(f"{self.path}: row {number + 1} {text}")


def read_csv(path: Path) -> tuple[NDArray[np.float32], str]:
    """The values in a .csv file, (n, D), and in words what the file has besides them ("" where that is nothing).

    Cells are separated by commas, semicolons, tabs or blanks. A byte order mark, quotes and a separator at the end of
    every line do no harm. Lines that begin with # are no values. A first line of names is a header, and so is one that
    counts the columns from 0 or 1, as pandas does, above values with fractions. A first column is left out where it
    counts the rows from 0 or 1, or has a name such as `frame` or `time` and grows from row to row. ValueError for an
    empty cell or line, for what is no number, and where a first line or column can be read both ways.
    """
    table, comments = _table(path)
    first = table.cells(table.lines[0])
    header = _is_header(table, first)
    rows = table.lines[1:] if header else table.lines
    if not rows:
        raise ValueError(f"{path}: holds a header and no row of numbers")
    start = len(table.lines) - len(rows) + comments
    values = _values(table, rows, start)
    width = values.shape[1]
    if header and len(first) not in (width, width - 1):
        raise table.error(start, f"has {width} columns; expected {len(first)} as in the header")
    index = _index(table, first if header else None, rows, values, start)
    parts = [f"{comments} first lines that begin with #"] if comments else []
    parts += ["a first line of column names"] if header else []
    parts += [index] if index else []
    parts += ["a separator at the end of every line"] if table.trailing else []
    with np.errstate(over="ignore"):
        return (values[:, 1:] if index else values).astype(np.float32), " and ".join(parts)


def _table(path: Path) -> tuple[_Table, int]:
    """The table without comments, and the number of these."""
    lines = read_text(path).split("\n")
    while len(lines) > 1 and not lines[-1].strip():
        lines.pop()
    comments = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    if comments == len(lines):
        raise ValueError(f"{path}: holds a header and no row of numbers")
    lines = lines[comments:]
    if not lines[0].strip():
        raise ValueError(f"{path}: line {comments + 1} is empty; expected numbers separated by commas")
    separator = next((mark for mark in SEPARATORS if any(mark in line for line in lines)), None)
    trailing = separator is not None and all(line.rstrip(" ").endswith(separator) for line in lines)
    return _Table(path, separator, lines, trailing), comments


def _is_header(table: _Table, first: Sequence[str]) -> bool:
    """Whether the first line names or counts the columns."""
    numeric = [_is_float(cell.replace(",", ".")) for cell in first]
    body = table.lines[1:]
    if not any(numeric):
        return all(first[1:]) and (first[0] != "" or len(first) > 1)
    if not numeric[0] and _counts(first[1:]) is not None:
        return True  # a name for the index, and numbers for the other columns
    base = _counts(first)
    if base is None or not body:
        return False
    fractional = sum(1 for line in body for cell in table.cells(line) if FRACTION.search(cell))
    cells = sum(len(table.cells(line)) for line in body)
    if fractional and len(first) >= SURE_WIDTH:
        return True
    if fractional == cells and (len(first) > 1 or cells >= SURE_CELLS):
        return True
    if not fractional and (len(first) < 2 or (base == 1 and len(first) < SURE_WIDTH)):
        return False
    last = f" to {first[-1]}" if len(first) > 1 else ""
    raise table.error(
        0,
        f"reads {first[0]}{last}, which may be a header or values; write values with a decimal point, "
        "or the header with names",
    )


def _values(table: _Table, rows: list[str], start: int) -> NDArray[np.float64]:
    """(n, D) all columns of the rows that hold values; `start` is the number of the first."""
    for number, row in enumerate(rows, start=start):
        if not row.strip():  # NumPy would pass over it
            raise table.error(number, "is empty; expected numbers separated by commas")
    try:
        return np.loadtxt(
            list(map(table.bare, rows)),
            delimiter=table.separator,
            dtype=np.float64,
            ndmin=2,
            comments=None,
            quotechar='"',
        )
    except ValueError:
        raise _fault(table, rows, start) from None


def _fault(table: _Table, rows: list[str], start: int) -> ValueError:
    """What keeps rows from being numbers."""
    width = len(table.cells(rows[0]))
    for number, row in enumerate(rows, start=start):
        cells = table.cells(row)
        for column, cell in enumerate(cells, start=1):
            if not _is_float(cell):
                what = f"holds {cell[:40]!r}" if cell else "is empty"
                comma = "; numbers have a decimal point, not a comma" if re.fullmatch(r"-?\d+,\d+", cell) else ""
                return ValueError(f"{table.path}: row {number + 1}, column {column} {what}; expected a number{comma}")
        if len(cells) != width:
            return table.error(number, f"has {len(cells)} columns; expected {width} as in the first")
    return ValueError(f"{table.path}: not a readable .csv file of numbers")


def _index(
    table: _Table, header: Sequence[str] | None, rows: list[str], values: NDArray[np.float64], start: int
) -> str:
    """What the first column is, in words, where it holds no feature; "" where it holds one."""
    column, others = values[:, 0], values[:, 1:]
    texts = [table.cells(row)[0] for row in rows] if np.array_equal(column, column[0] + np.arange(len(column))) else []
    counts = _counts(texts) is not None
    name = None if header is None else "" if len(header) < values.shape[1] else header[0].lower()
    counting = "a first column that counts the rows"
    if name in COUNTERS:
        if not counts:
            raise ValueError(
                f"{table.path}: the first column has no name of its own and does not count the rows from 0 or 1"
            )
        if others.size:
            return counting
    if not others.size:
        return ""
    if name is not None and PLACES.fullmatch(name):
        if counts:
            return counting
        if not (np.diff(column) > 0).all():
            raise ValueError(
                f"{table.path}: the first column is called {name!r} and does not grow from row to row; remove it, or "
                "give it another name where it is a feature"
            )
        return f"a first column of places in time, called {name!r}"
    if not counts or len(rows) < 3:
        return ""
    if any(FRACTION.search(cell) for row in rows for cell in table.cells(row)[1:]):
        return counting
    raise table.error(
        start,
        "begins a first column that counts the rows and may be an index or values; write values with a decimal point, "
        "or call the column index in a header",
    )


def _counts(cells: Sequence[str]) -> int | None:
    """0 or 1 where the cells are that number and those that follow it; else None."""
    return next((base for base in (0, 1) if list(cells) == [str(base + i) for i in range(len(cells))] and cells), None)


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
