"""The rules in use for scoring detections, side by side: the same detections, different mAPs."""

from dataclasses import dataclass
from typing import Literal


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


# github.com/activitynet/ActivityNet: Evaluation/eval_detection.py
ACTIVITYNET = Protocol("activitynet", "detection", strict=False, interpolated=True, ambiguous="unused")

# The THUMOS14 challenge's TH14evalDet_Updated.m. Run under Octave on 34,000 detections drawn around THUMOS14's test
# annotation, with its ambiguous spans: the same mAP to 1e-8 at tIoU 0.1, 0.3, 0.5 and 0.7.
THUMOS14_OFFICIAL = Protocol("thumos14-official", "instance", strict=True, interpolated=False, ambiguous="spare")

# W-TALC's bundle as CO2-Net and DELU score it: ActivityNet's matching, in snippets of 16 frames, 25 a second.
# CO2-Net's evaluator on 32,000 such detections: the same to 0.011 mAP. Whole snippets make instances of equal tIoU
# frequent, and it picks one of them by an unstable sort; with a stable one both agree to all digits.
WTALC_SNIPPETS = Protocol(
    "wtalc-snippets", "detection", strict=False, interpolated=True, ambiguous="drop", frames=(25, 16)
)

PROTOCOLS = (ACTIVITYNET, THUMOS14_OFFICIAL, WTALC_SNIPPETS)


def protocol_named(name: str) -> Protocol:
    """The protocol called `name`; raises ValueError that lists them all."""
    for protocol in PROTOCOLS:
        if protocol.name == name:
            return protocol
    known = ", ".join(protocol.name for protocol in PROTOCOLS)
    raise ValueError(f"unknown protocol {name!r}; expected one of {known}")
