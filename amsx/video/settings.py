"""Settings of extractors and of optical flow: a frozen dataclass each, read from values or from a command line."""

import dataclasses
import typing
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Literal, TypeVar, get_args, get_origin

_T = TypeVar("_T")


def read_settings(cls: type[_T], values: Mapping[str, Any], owner: str) -> _T:
    """A `cls` with the given values; a text is read as its field's type: int, float, bool, str or a choice of texts.

    ValueError, beginning with `owner`, for an unknown name and for a value of another type.
    """
    hints = typing.get_type_hints(cls)
    for name in values:
        if name not in hints:
            close = get_close_matches(name, hints)
            hint = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(hints) or 'none'}"
            raise ValueError(f"{owner} has no setting {name!r}; {hint}")
    required = [f.name for f in dataclasses.fields(cls) if f.default is dataclasses.MISSING]  # type: ignore[arg-type]
    for name in required:
        if name not in values:
            raise ValueError(f"{owner} needs the setting {name!r}")
    read = {name: _read(value, hints[name], f"{owner}: {name}") for name, value in values.items()}
    try:
        return cls(**read)
    except ValueError as error:
        raise ValueError(f"{owner}: {error}") from error


def _read(value: Any, kind: Any, name: str) -> Any:
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise ValueError(f"{name} must be one of {', '.join(map(repr, get_args(kind)))}, got {value!r}")
        return value
    options = get_args(kind) or (kind,)  # of `int | None`, both
    nothing = value is None or (isinstance(value, str) and value.lower() == "none")
    if nothing and type(None) in options:
        return None
    plain = next(option for option in options if option is not type(None))
    if isinstance(value, str) and plain is not str:
        if plain is bool:
            if value.lower() in ("true", "false"):
                return value.lower() == "true"
        else:
            try:
                return plain(value)
            except ValueError:
                pass
    elif type(value) is plain:
        return value
    elif plain is float and type(value) is int:
        return float(value)
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
    raise ValueError(f"{name} must be {words.get(plain, plain.__name__)}, got {value!r}")
