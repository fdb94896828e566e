"""The files that predictions lie in, by what they hold: JSON, a pickle, a CSV or the lines of the THUMOS14 challenge.

A container says nothing about the form of what is in it; forms are told apart in `amsx.evaluation.predictions`.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from json import JSONDecodeError
from pathlib import Path
from typing import Any

from amsx.evaluation.columns import listing, quoted, read_bytes, unpacked
from amsx.evaluation.detection_table import columns_wanted
from amsx.files import as_text, parse_json
from amsx.unpickling import load_npy, read_pickle

_FOREIGN = {  # how files begin that are of a known kind and hold nothing that could be read
    b"PK\x03\x04": "a zip archive, as torch.save and numpy.savez write them",
    b"\x89HDF": "an HDF5 file",
    b"PAR1": "a Parquet file",
    b"BZh": "a file compressed by bzip2",
    b"\xfd7zXZ": "a file compressed by xz",
}
_PICKLES = {".pkl", ".pickle", ".p"}
_ADVICE = {  # what to do about a pickle that asks for more than plain values
    "pandas": "; a data frame is read from a CSV, which `frame.to_csv('predictions.csv')` writes",
    "torch": "; tensors are read as NumPy arrays, which `tensor.cpu().numpy()` makes of them before they are pickled",
}
_DELIMITERS = (",", "\t", ";")
_KNOWN = "JSON, JSON lines, a pickle, a CSV or TSV with a header, or lines 'video start end class score'"


@dataclass(frozen=True)
class Contents:
    """What a file holds, before anybody asks what it means."""

    content: Any  # as parsed: a mapping, a list, ...
    kind: str  # of container where it is not JSON, in words; else empty
    lines: bool = False  # lines of the THUMOS14 challenge, as columns


def read_contents(path: str | Path) -> Contents:
    """The content of a prediction file, whatever its container and its suffix, unpacked where gzip packed it.

    FileNotFoundError, or ValueError naming the file where it is of no known container, broken, or a pickle that asks
    for more than plain values (see `amsx.unpickling`).
    """
    path = Path(path)
    name, packed = str(path), read_bytes(path, "predictions")
    content = unpacked(packed, name)
    suffix = Path(path.stem if content is not packed else path.name).suffix.lower()
    for start, kind in _FOREIGN.items():
        if content.startswith(start):
            raise ValueError(f"{name}: is {kind}, which is not read; expected {_KNOWN}")
    if content.startswith(b"\x93NUMPY"):
        array = load_npy(path)
        if array.shape != () or array.dtype.kind != "O":
            raise ValueError(f"{name}: an array of shape {array.shape} of {array.dtype}; expected {_KNOWN}")
        return Contents(array.item(), "NumPy file")
    if content[:1] == b"\x80" or suffix in _PICKLES:
        try:
            return Contents(read_pickle(io.BytesIO(content), path), "pickle")
        except ValueError as error:
            advice = next((advice for module, advice in _ADVICE.items() if f"asks for {module}." in str(error)), "")
            raise ValueError(f"{error}{advice}") from None
    text = as_text(content, name)
    del content, packed
    return _of_text(text, name)


def _of_text(text: str, name: str) -> Contents:
    if text.lstrip()[:1] in ("{", "["):
        try:
            return Contents(parse_json(text), "")
        except JSONDecodeError as error:
            records = _json_lines(text)
            if records is None:
                raise ValueError(f"{name}: not a JSON file ({error})") from None
            return Contents(records, "JSON lines")
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    lines = text.split("\n")
    first = next((line for line in lines if line.strip()), "")
    if _is_detection(first):
        return Contents(_challenge_lines(lines, name), "", lines=True)
    for delimiter in _DELIMITERS:
        try:
            header = next(csv.reader([first], delimiter=delimiter, skipinitialspace=True), [])
        except csv.Error:  # a cell of over 100,000 characters
            continue
        if columns_wanted(header, name) is not None:
            return Contents(_csv_columns(text, delimiter, name), "TSV" if delimiter == "\t" else "CSV")
    raise ValueError(
        f"{name}: not a JSON file, and its first line is no 'video start end class score' and no header of a CSV with "
        f"the columns video-id, t-start, t-end, label and score: {quoted(first)}"
    )


def _json_lines(text: str) -> list[Any] | None:
    """The objects of a file that has one a line; None where it is no such file."""
    try:
        records = [parse_json(line) for line in text.split("\n") if line.strip()]
    except ValueError:
        return None
    return records if len(records) > 1 and all(isinstance(record, Mapping) for record in records) else None


def _csv_columns(text: str, delimiter: str, name: str) -> dict[str, list[str]]:
    """Header -> the cells below it, without the column of row numbers that pandas writes."""
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True)
    header: list[str] = []
    rows: list[list[str]] = []
    try:
        for row in reader:
            if not any(map(str.strip, row)):
                continue
            if not header:
                header = [cell.strip() for cell in row]
            elif len(row) != len(header):
                raise ValueError(
                    f"{name}, line {reader.line_num}: has {len(row)} cells; expected {len(header)}, one for each "
                    "column of the header"
                )
            else:
                rows.append(row)
    except csv.Error as error:
        raise ValueError(f"{name}, line {reader.line_num}: not a readable CSV ({error})") from None
    twice = sorted({column for column in header if header.count(column) > 1})
    if twice:
        raise ValueError(f"{name}: its header has {listing(twice)} twice; expected every column once")
    cells: Sequence[Sequence[str]] = list(zip(*rows, strict=True)) if rows else [()] * len(header)
    columns = {column: list(map(str.strip, values)) for column, values in zip(header, cells, strict=True)}
    for index in ("", "Unnamed: 0"):
        if columns.get(index) == [str(i) for i in range(len(rows))]:
            del columns[index]
    return columns


def _challenge_lines(lines: Sequence[str], name: str) -> dict[str, list[Any]]:
    """Columns of the lines "video start end class score"."""
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        if not _is_detection(line):
            raise ValueError(
                f"{name}, line {number}: {quoted(line)}; expected a video id, a start and an end in seconds, a "
                "class number and a score"
            )
        video, start, end, label, score = line.split()
        # The challenge's evaluator takes video files for their videos, too.
        rows.append((video.removesuffix(".mp4").removesuffix(".mpeg"), start, end, int(label), score))
    cells = map(list, zip(*rows, strict=True))
    return dict(zip(("video-id", "t-start", "t-end", "label", "score"), cells, strict=True))


def _is_detection(line: str) -> bool:
    """Whether a line reads "video start end class score"."""
    fields = line.split()
    try:
        _, start, end, label, score = fields
        float(start), float(end), int(label), float(score)
    except ValueError:
        return False
    return True
