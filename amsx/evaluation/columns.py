"""Labelled segments as columns of numbers: from arrays, or from JSON records, where a broken record is named."""

import gzip
import io
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from json import JSONDecodeError
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from amsx.files import as_text, parse_json
from amsx.packing import FREE, MOST, check_unpacked
from amsx.records import are_of, label_fault, record_fault

Source = str | Path | Mapping[str, Any]  # a JSON file, or what one holds, parsed

WARNING = "warning: "  # how a note begins that tells of what its author hardly meant

_TRUTH = {bool, np.bool_}
_LONGEST = 80  # characters of a name or a line that a message repeats


@dataclass(frozen=True)
class Columns:
    """N labelled segments of the videos in `videos`: detections, instances or spans. They have been checked."""

    videos: tuple[str, ...]  # every video listed, those without a segment too
    labels: tuple[str, ...]  # in order of first appearance
    video: NDArray[np.int64]  # (N,) index into `videos`
    label: NDArray[np.int64]  # (N,) index into `labels`
    start: NDArray[np.float64]  # (N,) in the file's unit (seconds)
    end: NDArray[np.float64]  # (N,) never before start
    score: NDArray[np.float64]  # (N,) finite; zeros where the segments have no score

    def __len__(self) -> int:
        return len(self.start)

    @classmethod
    def from_arrays(
        cls,
        videos: Sequence[str],
        labels: Sequence[str],
        *,
        video: ArrayLike,
        label: ArrayLike,
        start: ArrayLike,
        end: ArrayLike,
        score: ArrayLike,
    ) -> "Columns":
        """N detections from five arrays (N,), checked here and never again.

        video and label index `videos` and `labels`; start and end are in seconds. Labels without a detection are left
        out. Raises ValueError for arrays of different lengths, for indices out of range, and for a NaN, an infinity or
        an end before its start, naming the first such detection; and where a video is listed twice.
        """
        if len(set(videos)) < len(videos):
            raise ValueError("a video is listed twice; expected every id once")
        codes, which = np.asarray(video, dtype=np.int64), np.asarray(label, dtype=np.int64)
        times = [np.asarray(values, dtype=np.float64) for values in (start, end, score)]
        shapes = {array.shape for array in (codes, which, *times)}
        if len(shapes) > 1 or codes.ndim != 1:
            raise ValueError(f"arrays of detections have the shapes {sorted(shapes)}; expected one shape (N,)")
        for what, indices, names in (("video", codes, videos), ("label", which, labels)):
            if len(indices) and (indices.min() < 0 or indices.max() >= len(names)):
                raise ValueError(
                    f"{what} indices lie in {indices.min()} to {indices.max()}; expected 0 to {len(names) - 1}"
                )
        starts, ends, scores = times
        broken = ~(np.isfinite(starts) & np.isfinite(ends) & np.isfinite(scores) & (starts <= ends))
        if broken.any():
            i = int(broken.argmax())
            raise ValueError(
                f"detection {i}, of video {str(videos[codes[i]])!r}, has segment [{starts[i]}, {ends[i]}] and score "
                f"{scores[i]}; expected finite numbers with start <= end"
            )
        present, first = np.unique(which, return_index=True)
        present = present[np.argsort(first)]
        place = np.zeros(len(labels), dtype=np.int64)
        place[present] = np.arange(len(present))
        named = tuple(str(labels[i]) for i in present)
        return cls(tuple(map(str, videos)), named, codes, place[which], starts, ends, scores)

    def rows(self, rows: NDArray[np.int64]) -> "Columns":
        """The segments of these indices, in their order."""
        picked = {name: getattr(self, name)[rows] for name in ("video", "label", "start", "end", "score")}
        return replace(self, **picked)

    def joined(self, others: "Columns") -> "Columns":
        """These segments, then the others; the videos and labels of both are numbered alike."""
        columns: dict[str, Any] = {
            name: np.concatenate([getattr(self, name), getattr(others, name)])
            for name in ("video", "label", "start", "end", "score")
        }
        return replace(self, **columns)

    def records(self) -> dict[str, list[dict[str, Any]]]:
        """Video id -> [{"label", "score", "segment": [start, end]}] for every video, in the order of the columns."""
        entries: dict[str, list[dict[str, Any]]] = {video: [] for video in self.videos}
        columns = (self.video, self.label, self.score, self.start, self.end)
        for video, label, score, start, end in zip(*(column.tolist() for column in columns), strict=True):
            record = {"label": self.labels[label], "score": score, "segment": [start, end]}
            entries[self.videos[video]].append(record)
        return entries


def read_columns(
    entries: Mapping[str, Any],
    name: str,
    kind: str,
    scored: bool,
    keys: Sequence[str] = ("label", "segment", "score"),
    *,
    any_order: bool = False,
) -> Columns:
    """Columns of `entries`: video id -> [{"label", "segment": [start, end]}], with "score" where `scored`.

    Labels may be strings or integers, times and scores numbers or strings of numbers. keys: what label,
    segment and score are called. any_order: a segment may end before it starts, and is returned so.
    Raises ValueError that names the file (`name`), the video and the index of
    the first broken record (a `kind`).
    """
    keys = keys if scored else keys[:2]
    columns = _columns(entries, keys, any_order)
    if columns is None:
        raise ValueError(_first_fault(entries, name, kind, keys, any_order))
    return columns


def columns_of_rows(
    videos: Sequence[Any],
    labels: Sequence[Any],
    segments: Sequence[Any],
    scores: Sequence[Any],
    name: str,
    kind: str,
    *,
    any_order: bool = False,
) -> Columns:
    """Columns of N segments in the order given, of whatever videos; arguments and errors are those of `read_columns`.

    A video id is text that is not blank, or an integer.
    """
    if not are_of(set(map(type, videos)), str, int, np.integer) or not all(map(str.strip, set(map(str, videos)))):
        index = next(i for i, video in enumerate(videos) if label_fault(video))
        raise ValueError(f"{name}: row {index} has the video id {label_fault(videos[index])}")
    ids = list(map(str, videos))
    code = {video: i for i, video in enumerate(dict.fromkeys(ids))}
    columns = _checked(tuple(code), [code[video] for video in ids], labels, [segments], scores, any_order)
    if columns is None:
        entries: dict[str, list[Any]] = {video: [] for video in code}
        for video, label, segment, score in zip(ids, labels, segments, scores, strict=True):
            entries[video].append({"label": label, "segment": segment, "score": score})
        raise ValueError(_first_fault(entries, name, kind, ("label", "segment", "score"), any_order))
    return columns


def ordered_ends(columns: Columns) -> tuple[Columns, int]:
    """The segments with the two ends of those exchanged that end before they start, and how many these are."""
    start, end = columns.start, columns.end
    n_reversed = int((end < start).sum())
    if n_reversed:
        columns = replace(columns, start=np.minimum(start, end), end=np.maximum(start, end))
    return columns, n_reversed


def load_json(source: Source, what: str) -> tuple[Mapping[str, Any], str]:
    """The object in a JSON file, also in one packed by gzip, or the mapping given; and what to call it in messages."""
    if isinstance(source, Mapping):
        return source, what
    name, content = str(source), unpacked(read_bytes(source, what), str(source))
    try:
        parsed = parse_json(as_text(content, name))
    except JSONDecodeError as error:
        raise ValueError(f"{name}: not a JSON file ({error})") from None
    except ValueError as error:
        raise ValueError(f"{name}: {str(error).removeprefix(f'{name}: ')}") from None
    if not isinstance(parsed, Mapping):
        raise ValueError(f"{name}: holds a {type(parsed).__name__}; expected a JSON object")
    return parsed, name


def read_bytes(path: str | Path, what: str) -> bytes:
    """The content of a file; FileNotFoundError says what the file was to be."""
    path = Path(path)
    if not path.is_file():
        state = "is a folder" if path.is_dir() else "does not exist"
        raise FileNotFoundError(f"{what} file {path} {state}")
    return path.read_bytes()


def unpacked(content: bytes, name: str) -> bytes:
    """`content` itself, or what gzip has packed into it."""
    if not content.startswith(b"\x1f\x8b"):
        return content
    most = max(FREE, MOST * len(content))
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            whole = file.read(most + 1)
        check_unpacked(name, len(whole), len(content))
        return whole
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{name}: cannot be unpacked as gzip ({error})") from None


def listing(names: Collection[str]) -> str:
    """The first three of `names`, quoted, for a message."""
    return ", ".join(map(quoted, list(names)[:3])) + (", ..." if len(names) > 3 else "")


def quoted(text: str) -> str:
    """`text` as it stands in a message, cut short: a line of a file of another kind may be megabytes long."""
    return repr(text if len(text) <= _LONGEST else text[:_LONGEST] + "...")


def _columns(entries: Mapping[str, Any], keys: Sequence[str], any_order: bool) -> Columns | None:
    """The columns, checked as whole columns for speed; None if any record is broken."""
    if not all(isinstance(records, list | tuple) for records in entries.values()):
        return None
    fields = itemgetter(*keys)
    labels: list[Any] = []
    segments: list[Sequence[Any]] = []  # of each video
    scores: list[Any] = []
    try:
        for records in filter(None, entries.values()):  # by video: what a loop touches stays in the cache
            label, segment, *rest = zip(*map(fields, records), strict=True)
            labels += label
            segments.append(segment)
            scores += rest[0] if rest else ()
    except (KeyError, TypeError, ValueError):
        return None
    counts = np.array([len(records) for records in entries.values()], dtype=np.int64)
    video = np.repeat(np.arange(len(counts)), counts)
    return _checked(tuple(map(str, entries)), video, labels, segments, scores if len(keys) == 3 else None, any_order)


def _checked(
    videos: tuple[str, ...],
    video: ArrayLike,
    labels: Sequence[Any],
    segments: Sequence[Sequence[Any]],
    scores: Sequence[Any] | None,
    any_order: bool,
) -> Columns | None:
    """The columns of N labels, of N segments [start, end] in several pieces and of N scores; None if one is broken."""
    n = len(labels)
    start, end = np.empty(n), np.empty(n)
    try:
        if not are_of(set(map(type, labels)), str, int, np.integer):
            return None
        done = 0
        for piece in segments:
            if not are_of(set(map(type, piece)), list, tuple, np.ndarray) or set(map(len, piece)) - {2}:
                return None
            for column, times in zip((start, end), zip(*piece, strict=True), strict=False):
                if _TRUTH & set(map(type, times)):
                    return None
                column[done : done + len(times)] = np.fromiter(times, dtype=np.float64, count=len(times))
            done += len(piece)
        if scores is not None and _TRUTH & set(map(type, scores)):
            return None
        score = np.zeros(n) if scores is None else np.fromiter(scores, dtype=np.float64, count=n)
    except (TypeError, ValueError, OverflowError):
        return None
    if not all(np.isfinite(column).all() for column in (start, end, score)):
        return None
    if not (any_order or (start <= end).all()):
        return None
    given = {label: str(label) for label in dict.fromkeys(labels)}  # 3 and "3" are one label
    code = {label: i for i, label in enumerate(dict.fromkeys(given.values()))}
    if not all(map(str.strip, code)):
        return None
    codes = {label: code[text] for label, text in given.items()}
    label = np.fromiter(map(codes.__getitem__, labels), dtype=np.int64, count=n)
    return Columns(videos, tuple(code), np.asarray(video, dtype=np.int64), label, start, end, score)


def _first_fault(entries: Mapping[str, Any], name: str, kind: str, keys: Sequence[str], any_order: bool) -> str:
    """Where the first broken record is, what is wrong with it and what was expected."""
    for video, records in entries.items():
        if not isinstance(records, list | tuple):
            return f"{name}: video {video!r} holds a {type(records).__name__}; expected a list of {kind}s"
        for index, record in enumerate(records):
            fault = record_fault(record, keys, any_order=any_order)
            if fault:
                return f"{name}: video {video!r}, {kind} {index} {fault}"
    return f"{name}: a {kind} is malformed; expected the keys {', '.join(keys)}"
