"""The range of a configuration's field, declared in its type: `dropout: Annotated[float, Range(...)]`."""

import math
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal


@dataclass(frozen=True)
class Range:
    """A set of values, in words and as a test."""

    words: str  # follows "must be" in messages, e.g. "in [0, 1]"
    includes: Callable[[Any], bool] = field(repr=False)  # whether a value belongs to it


Count = Annotated[int, Range("at least 1", lambda value: value >= 1)]
CountOrZero = Annotated[int, Range("at least 0", lambda value: value >= 0)]
NotNegative = Annotated[float, Range("at least 0 and finite", lambda value: 0 <= value < math.inf)]
Positive = Annotated[float, Range("greater than 0 and finite", lambda value: 0 < value < math.inf)]
Fraction = Annotated[float, Range("in [0, 1]", lambda value: 0 <= value <= 1)]


def check_ranges(section: Any, name: str) -> None:
    """ValueError for the first field of the dataclass `section`, called `name`, that its type does not allow.

    That is a value outside the declared range, or none of those that a Literal lists.
    """
    for key, allowed in ranges_of(type(section)).items():
        value = getattr(section, key)
        if not allowed.includes(value):
            raise ValueError(f"{name}.{key} must be {allowed.words}, got {value!r}")


def ranges_of(section: type) -> dict[str, Range]:
    """Field -> its range, for the fields of a dataclass whose types declare one: by a `Range` or as a Literal."""
    ranges: dict[str, Range] = {}
    for name, hint in typing.get_type_hints(section, include_extras=True).items():
        if typing.get_origin(hint) is Literal:
            ranges[name] = _choice(hint)
        for part in getattr(hint, "__metadata__", ()):
            if isinstance(part, Range):
                ranges[name] = part
    return ranges


def _choice(literal: Any) -> Range:
    """The values of a Literal as a range."""
    choices = typing.get_args(literal)
    return Range(f"one of {', '.join(map(repr, choices))}", lambda value: value in choices)
