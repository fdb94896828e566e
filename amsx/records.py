"""What a labelled segment may look like in a file: one rule for annotations and predictions, for training and scoring.

A label is a string that is not blank, or an integer; a segment is a list of two finite numbers, which may be written as
strings; a score is a finite number. Like `amsx.files`, this module imports nothing else of amsx.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

AMBIGUOUS = "Ambiguous"  # labels spans of which nobody can tell whether they show an action; never a class


def record_fault(record: Any, keys: Sequence[str], *, any_order: bool = False) -> str | None:
    """What is wrong with a record and what was expected; None if it is sound.

    keys: what label, segment and, where there is one, score are called. any_order: a segment may end before it starts.
    """
    if not isinstance(record, Mapping):
        return f"is a {type(record).__name__}; expected an object with the keys {', '.join(keys)}"
    for key in keys:
        if key not in record:
            return f"has no {key!r}; expected the keys {', '.join(keys)}"
    label, segment, *score = (record[key] for key in keys)
    fault = label_fault(label)
    if fault:
        return f"has {keys[0]} {fault}"
    if not are_of([type(segment)], list, tuple, np.ndarray) or len(segment) != 2:
        return f"has {keys[1]} {segment!r}; expected [start, end]"
    start, end = finite_number(segment[0]), finite_number(segment[1])
    if start is None or end is None:
        return f"has {keys[1]} {segment!r}; expected two finite numbers [start, end]"
    if end < start and not any_order:
        return f"has {keys[1]} {segment!r}, which ends before it starts; expected start <= end"
    if score and finite_number(score[0]) is None:
        return f"has {keys[2]} {score[0]!r}; expected a finite number"
    return None


def label_fault(label: Any) -> str | None:
    """What is wrong with a label and what was expected; None if it is sound."""
    if not are_of([type(label)], str, int, np.integer):
        return f"{label!r}; expected a string or an integer"
    if not str(label).strip():
        return f"{label!r}; expected a name that is not blank"
    return None


def are_of(given: Iterable[type], *types: type) -> bool:
    """Whether all of the types `given` are among `types` or derived from them; bool, an int to Python, is not."""
    return all(issubclass(one, types) and one is not bool for one in given)


def finite_number(value: Any) -> float | None:
    """`value` as a finite float, or None where it is none. A truth value is no number."""
    if isinstance(value, bool | np.bool_):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if np.isfinite(number) else None
