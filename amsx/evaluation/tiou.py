"""tIoU thresholds: from the command line's text or a list of numbers to checked floats."""

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

# What weakly-supervised papers average over on THUMOS14. ActivityNet's own range is 0.5:0.05:0.95.
DEFAULT_TIOU = "0.1:0.1:0.7"

_MOST = 1000  # thresholds in a range; one that asks for more is a slip of the pen
_FORMS = "expected a number (0.5), a list (0.1,0.3,0.5) or a range start:step:stop (0.5:0.05:0.95)"


def parse_tiou(text: str) -> list[float]:
    """The thresholds that `text` names: "0.5", "0.1,0.3,0.5" or "start:step:stop", the stop included if met.

    Ranges are counted in decimals, so "0.5:0.05:0.95" gives the very floats 0.5, 0.55, ..., 0.95.
    Raises ValueError for any other text, and for thresholds outside (0, 1].
    """
    is_range = ":" in text
    try:
        numbers = [Decimal(part.strip()) for part in text.split(":" if is_range else ",")]
    except InvalidOperation:
        raise ValueError(f"tIoU thresholds {text!r}: {_FORMS}") from None
    if not is_range:
        return check_tiou(map(float, numbers))
    if len(numbers) != 3 or not all(number.is_finite() for number in numbers):
        raise ValueError(f"tIoU thresholds {text!r}: {_FORMS}")
    start, step, stop = numbers
    if step <= 0 or start > stop:
        raise ValueError(f"tIoU thresholds {text!r}: a range needs a positive step and start <= stop; {_FORMS}")
    if stop - start >= step * _MOST:
        raise ValueError(f"tIoU thresholds {text!r}: the range holds more than {_MOST} thresholds")
    steps = int((stop - start) / step)
    return check_tiou(float(start + i * step) for i in range(steps + 1))


def check_tiou(values: Iterable[float]) -> list[float]:
    """`values` as a list of floats; raises ValueError unless there are some, all different and in (0, 1]."""
    thresholds = [float(value) for value in values]
    if not thresholds:
        raise ValueError("no tIoU threshold given; expected at least one in (0, 1]")
    for value in thresholds:
        if not 0.0 < value <= 1.0:
            raise ValueError(f"tIoU threshold {value:g} is outside (0, 1]")
    if len(set(thresholds)) < len(thresholds):
        raise ValueError(f"tIoU thresholds {thresholds} hold one of them twice")
    return thresholds
