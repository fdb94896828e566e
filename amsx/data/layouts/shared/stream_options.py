"""Options of readers that are one number for all streams, or one for each: stride=16, or {"rgb": 16, "flow": 4}."""

import math
from collections.abc import Mapping, Sequence
from numbers import Real

PerStream = float | Mapping[str, float] | None  # None: not given


def are_per_stream(value: PerStream) -> bool:
    """Whether an option has a number for each stream."""
    return isinstance(value, Mapping)


def for_streams(value: PerStream, streams: Sequence[str], option: str) -> dict[str, float | None]:
    """Stream -> what the option says of it; None where it says nothing.

    ValueError where the option names another stream, TypeError where it is neither a number nor numbers by stream, for
    an option called `option`.
    """
    if not isinstance(value, Mapping):
        _check(value, option)
        return dict.fromkeys(streams, value)
    unknown = [name for name in value if name not in streams]
    if unknown or not value:
        raise ValueError(f"{option}={dict(value)}: expected numbers for some of the streams {', '.join(streams)}")
    for name, number in value.items():
        _check(number, f"{option} of {name}")
    return {name: value.get(name) for name in streams}


def scaled(value: PerStream, factor: float) -> PerStream:
    """The option's numbers times `factor`."""
    if isinstance(value, Mapping):
        return {name: factor * number for name, number in value.items()}
    return None if value is None else factor * value


def _check(value: object, option: str) -> None:
    if value is None:
        return
    if not isinstance(value, Real) or isinstance(value, bool) or not math.isfinite(value):
        raise TypeError(
            f'{option} must be a number, or numbers by stream such as {{"rgb": 16, "flow": 4}}, got {value!r}'
        )
