"""The rules in use for scoring detections, side by side, and the tIoU thresholds that they are applied at.

The same detections have different mAPs under different protocols. A new protocol is one `Protocol` and one entry in
PROTOCOLS.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Literal

# What weakly-supervised papers average over on THUMOS14. ActivityNet's own range is 0.5:0.05:0.95.
DEFAULT_TIOU = "0.1:0.1:0.7"

_MOST = 1000  # thresholds in a range; one that asks for more is a slip of the pen
_FORMS = "expected a number (0.5), a list (0.1,0.3,0.5) or a range start:step:stop (0.5:0.05:0.95)"


@dataclass(frozen=True)
class Protocol:
    """What differs between evaluators."""

    name: str
    # Who picks: each detection, by score, its instance; or each instance, in file order, its detection.
    chooser: Literal["detection", "instance"]
    # True: a match needs tIoU > threshold; False: tIoU >= threshold.
    strict: bool
    # True: area under the precision envelope; False: mean of the precisions at the correct detections.
    interpolated: bool
    # Detections that touch an ambiguous span: as any other; never false positives; dropped, correct or not.
    ambiguous: Literal["unused", "spare", "drop"]
    # (frames per second, frames per snippet): times in snippets, the ground truth rounded to whole ones (half
    # to even); None: times as they are.
    frames: tuple[int, int] | None = None
    # Of instances of equal tIoU, a detection takes the one that the ground truth lists first, or the one it lists last.
    equal_tiou: Literal["first", "last"] = "first"
    # True: a detection that ends before it starts has its ends exchanged; False: it is refused.
    orders_ends: bool = False
    # True: ambiguous spans count in videos without annotation, too; False: in the annotated videos alone.
    spans_of_any_video: bool = False


# github.com/activitynet/ActivityNet: Evaluation/eval_detection.py
ACTIVITYNET = Protocol("activitynet", "detection", strict=False, interpolated=True, ambiguous="unused")

# The THUMOS14 challenge's TH14evalDet_Updated.m. Run under Octave on 34,000 detections drawn around THUMOS14's test
# annotation, with its ambiguous spans: the same mAP to 1e-8 at tIoU 0.1, 0.3, 0.5 and 0.7.
THUMOS14_OFFICIAL = Protocol(
    "thumos14-official",
    "instance",
    strict=True,
    interpolated=False,
    ambiguous="spare",
    orders_ends=True,
    spans_of_any_video=True,
)

# W-TALC's bundle as CO2-Net and DELU score it: ActivityNet's matching, in snippets of 16 frames, 25 a second.
# Whole snippets make instances of equal tIoU frequent. CO2-Net's evaluator walks its sorted tIoUs from the end, so that
# it takes the instance of higher index.
WTALC_SNIPPETS = Protocol(
    "wtalc-snippets",
    "detection",
    strict=False,
    interpolated=True,
    ambiguous="drop",
    frames=(25, 16),
    equal_tiou="last",
)

PROTOCOLS = (ACTIVITYNET, THUMOS14_OFFICIAL, WTALC_SNIPPETS)


def protocol_of(protocol: str | Protocol) -> Protocol:
    """The protocol of this name, or the rules themselves; raises ValueError that lists the names there are."""
    return protocol_named(protocol) if isinstance(protocol, str) else protocol


def protocol_named(name: str) -> Protocol:
    """The protocol called `name`; raises ValueError that lists them all."""
    for protocol in PROTOCOLS:
        if protocol.name == name:
            return protocol
    known = ", ".join(protocol.name for protocol in PROTOCOLS)
    raise ValueError(f"unknown protocol {name!r}; expected one of {known}")


def thresholds_of(tiou: str | float | Sequence[float]) -> list[float]:
    """tIoU thresholds from a number, several, or text as `parse_tiou` reads it; raises ValueError as that does."""
    if isinstance(tiou, str):
        return parse_tiou(tiou)
    return check_tiou([tiou] if isinstance(tiou, int | float) else tiou)


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
