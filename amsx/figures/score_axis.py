"""The axis of a score in percent: never beyond what a score can be, nor so fine that noise looks like collapse."""

import math

NARROWEST = 10.0  # points that an axis of scores spans at least


def score_axis(low: float, high: float) -> tuple[float, float]:
    """The ends of an axis for scores from `low` to `high`, multiples of 5 within 0 to 100.

    An axis that would begin in the lower half of its highest score begins at 0. Whoever draws one that begins
    elsewhere marks it.
    """
    low, high = (min(max(value, 0.0), 100.0) for value in (low, high))
    top = min(100.0, 5.0 * math.ceil(high / 5 - 1e-9))
    bottom = min(5.0 * math.floor(low / 5 + 1e-9), top - NARROWEST)
    if top - bottom > 30:
        bottom = 10.0 * math.floor(bottom / 10)  # so that few ticks divide it
    if bottom <= top / 2:
        return 0.0, max(top, NARROWEST)
    return bottom, top


def score_ticks(low: float, high: float) -> list[float]:
    """About five ticks of an axis that `score_axis` gives, of which the first is its lower end."""
    step = next(step for step in (1, 2, 2.5, 5, 10, 20) if low % step == 0 and (high - low) / step <= 6)
    return [low + i * step for i in range(math.floor((high - low) / step) + 1)]
