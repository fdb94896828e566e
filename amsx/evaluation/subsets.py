"""Which videos of a ground truth are scored: a subset under any of its spellings, or a list."""

from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

_SPELLINGS = {"training": "train", "val": "validation", "valid": "validation", "testing": "test"}

_LONGEST = 80  # characters of a name or a line that a message repeats

Database = Mapping[str, Mapping[str, Any]]  # video id -> {"subset", "annotations", ...}


def subset_of(entry: Mapping[str, Any]) -> str:
    """The subset of a video in its one spelling: Training -> train, val -> validation; "" for none."""
    return _normalised(str(entry.get("subset", "")))


def choose_subset(database: Database, wanted: str | None, name: str) -> tuple[str, list[str]]:
    """The subset to score, and notes on the choice.

    That which is `wanted`; else the only annotated one; of several "test", else "validation" (ActivityNet
    publishes no annotation of its test videos). Raises ValueError where there is none or no telling.
    """
    if wanted is not None:
        subset = _normalised(wanted)
        if not any(subset_of(entry) == subset for entry in database.values()):
            raise ValueError(f"{name}: no video of subset {wanted!r}; the file has {census(database)}")
        return subset, []
    annotated = {subset_of(entry) for entry in database.values() if entry.get("annotations")}
    if not annotated:
        raise ValueError(f"{name}: no annotated instance; the file has {census(database)}")
    if len(annotated) == 1:
        (subset,) = annotated
    elif "test" in annotated:
        subset = "test"
    elif "validation" in annotated:
        subset = "validation"
    else:
        raise ValueError(f"{name}: no telling which subset to score; name one, the file has {census(database)}")
    several = len({subset_of(entry) for entry in database.values()}) > 1
    return subset, [f"subset {subset!r} chosen; the file has {census(database)}"] if several else []


def listed_videos(videos: str | Path | Collection[str], database: Database, name: str) -> tuple[list[str], list[str]]:
    """The ids of a split file (one in a line) or of a collection, each once, and notes on them.

    An id without an entry in the ground truth is a video without an instance. Raises FileNotFoundError, or
    ValueError if none has an entry.
    """
    if isinstance(videos, str | Path):
        path = Path(videos)
        if not path.is_file():
            raise FileNotFoundError(f"split file {path} does not exist")
        listed, origin = path.read_text(encoding="utf-8-sig").split("\n"), str(path)
    else:
        listed, origin = [str(video) for video in videos], "the list of videos"
    ids = list(dict.fromkeys(video.strip() for video in listed if video.strip()))
    unknown = [video for video in ids if video not in database]
    if len(unknown) == len(ids):
        raise ValueError(f"{origin} names no video of {name}; it names {some(ids) or 'none at all'}")
    notes = [f"scored on the {len(ids)} videos that {origin} names"]
    if unknown:
        notes.append(f"{len(unknown)} of them have no entry in the ground truth, so no instance: {some(unknown)}")
    return ids, notes


def census(database: Database) -> str:
    """The subsets of a file and their sizes, for messages."""
    counts = Counter(subset_of(entry) or "(none)" for entry in database.values())
    return ", ".join(f"{subset} ({count} videos)" for subset, count in sorted(counts.items())) or "no video"


def some(names: Collection[str]) -> str:
    """The first few of `names`, for messages."""
    return ", ".join(map(quoted, list(names)[:3])) + (", ..." if len(names) > 3 else "")


def quoted(text: str) -> str:
    """`text` as it stands in a message: a line of a file of another kind may be megabytes long."""
    return repr(text if len(text) <= _LONGEST else text[:_LONGEST] + "...")


def _normalised(subset: str) -> str:
    name = subset.strip().lower()
    return _SPELLINGS.get(name, name)
