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
    if bottom <= top / 2:
        return 0.0, max(top, NARROWEST)
    return bottom, top
