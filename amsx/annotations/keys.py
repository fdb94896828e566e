"""How annotation files spell what they say, and what a key means."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

# What a key means -> how it is spelled in files, in lower case and without anything but letters
ENTRY_KEYS: Mapping[str, frozenset[str]] = {
    "subset": frozenset({"subset", "split"}),
    "duration": frozenset(
        {"duration", "durationsecond", "durationseconds", "durationsec", "durations", "videoduration", "seconds"}
    ),
    "fps": frozenset({"fps", "framerate", "videofps", "frameratefps", "framespersecond"}),
    "frames": frozenset(
        {"frames", "frame", "numframes", "numframe", "nframes", "nframe", "durationframe", "durationframes"}
        | {"framecount", "framecnt", "totalframes", "numberofframes"}
    ),
    "feature_frames": frozenset({"featureframe", "featureframes"}),
    "annotations": frozenset({"annotations", "annotation", "actions", "instances"}),
    "labels": frozenset({"labels"}),
    "segments": frozenset({"segments", "timestamps"}),
}
RECORD_KEYS: Mapping[str, frozenset[str]] = {
    "label": frozenset({"label", "class", "action", "category", "labelname", "classname", "actionname"}),
    "label_id": frozenset({"labelid", "classid", "actionid", "categoryid"}),
    "segment": frozenset({"segment", "timestamp", "interval"}),
    "start": frozenset({"start", "tstart", "starttime", "startsecond", "startseconds"}),
    "end": frozenset({"end", "tend", "endtime", "endsecond", "endseconds"}),
}
NEVER_NULL = ("annotations", "label", "segment")
_SPELLED = {
    table: {spelled: meaning for meaning, spellings in keys.items() for spelled in spellings}
    for table, keys in (("entry", ENTRY_KEYS), ("record", RECORD_KEYS))
}


def keys_by_meaning(given: Mapping[str, Any], table: str, where: str) -> dict[str, str]:
    """Meaning -> the key of `given` that has it, for an "entry" or a "record" (`table`).

    A key of no known meaning is no matter, nor is one whose value is null, unless it is `NEVER_NULL`. ValueError where
    two keys mean the same and their values differ.
    """
    keys: dict[str, str] = {}
    for key, value in given.items():
        meaning = meaning_of(key, table)
        if meaning is None or (value is None and meaning not in NEVER_NULL):
            continue
        first = keys.setdefault(meaning, key)
        if given[first] != value:
            raise ValueError(
                f"{where} has {first} {short(given[first])} and {key} {short(value)}, two spellings of one thing; "
                "expected one of them"
            )
    return keys


@cache
def meaning_of(key: str, table: str) -> str | None:
    """What a key of an "entry" or of a "record" means; None for one of no concern here."""
    return _SPELLED[table].get(plain(key))


def plain(key: str) -> str:
    """A key in lower case, its letters alone: `duration_second` and `durationSecond` are the same."""
    return re.sub("[^a-z]", "", key.lower())


def whole(value: Any) -> int | None:
    """The whole number that a value is, or writes as text; None where it is none."""
    if isinstance(value, str):
        return int(value) if re.fullmatch(r"\s*[0-9]+\s*", value) else None
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else None


def short(value: Any) -> str:
    """A value as a message repeats it."""
    text = repr(value)
    return text if len(text) <= 80 else text[:80] + "..."
