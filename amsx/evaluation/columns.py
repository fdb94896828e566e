"""Labelled segments as columns of numbers: from arrays, or from JSON records, where a broken record is named."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from amsx.files import parse_json, read_text
from amsx.records import are_of, record_fault

Source = str | Path | Mapping[str, Any]  # a JSON file, or what one holds, parsed

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


def load_json(source: Source, what: str) -> tuple[Mapping[str, Any], str]:
    """The object in a JSON file (or the mapping given), and the name to call it by in messages."""
    if isinstance(source, Mapping):
        return source, what
    text, name = read_file(source, what)
    try:
        content = parse_json(text)
    except ValueError as error:
        raise ValueError(f"{name}: not a JSON file ({error})") from None
    return json_object(content, name), name


def read_file(path: str | Path, what: str) -> tuple[str, str]:
    """The text of a file, and its name; FileNotFoundError says what the file was to be."""
    path = Path(path)
    if not path.is_file():
        state = "is a folder" if path.is_dir() else "does not exist"
        raise FileNotFoundError(f"{what} file {path} {state}")
    return read_text(path), str(path)


def json_object(content: Any, name: str) -> Mapping[str, Any]:
    """`content` itself; ValueError unless it is a JSON object."""
    if not isinstance(content, Mapping):
        raise ValueError(f"{name}: holds a {type(content).__name__}; expected a JSON object")
    return content


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
    times: list[Any] = []
    scores: list[Any] = []
    types: set[type] = set()
    sizes: set[int] = set()
    try:
        for records in filter(None, entries.values()):  # by video: what a loop touches stays in the cache
            label, segment, *rest = zip(*map(fields, records), strict=True)
            types.update(map(type, segment))
            sizes.update(map(len, segment))
            labels += label
            times += chain.from_iterable(segment)
            scores += rest[0] if rest else ()
        if not (are_of(set(map(type, labels)), str, int, np.integer) and are_of(types, list, tuple, np.ndarray)):
            return None
        if not sizes <= {2} or {bool, np.bool_} & set(map(type, chain(times, scores))):
            return None
        n = len(labels)
        segments = np.fromiter(times, dtype=np.float64, count=2 * n).reshape(n, 2)
        start, end = segments.T.copy()
        score = np.fromiter(scores, dtype=np.float64, count=n) if len(keys) == 3 else np.zeros(n)
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    if not (np.isfinite(segments).all() and np.isfinite(score).all() and (any_order or (start <= end).all())):
        return None
    counts = np.array([len(records) for records in entries.values()], dtype=np.int64)
    names = list(map(str, labels))
    code = {label: i for i, label in enumerate(dict.fromkeys(names))}
    if not all(map(str.strip, code)):
        return None
    return Columns(
        videos=tuple(map(str, entries)),
        labels=tuple(code),
        video=np.repeat(np.arange(len(counts)), counts),
        label=np.fromiter(map(code.__getitem__, names), dtype=np.int64, count=n),
        start=start,
        end=end,
        score=score,
    )


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
