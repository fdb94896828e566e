"""The settings of post-processing, from activations to detections. The defaults are the paper's."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from amsx.localization.scores import ProposalScore
from amsx.ranges import Fraction, NotNegative, Positive, Range, check_ranges

Thresholds = Annotated[
    tuple[float, ...],
    Range("finite numbers of at least 0", lambda values: all(0 <= value < math.inf for value in values)),
]

# The readings of avg(M) are those of amsx.model.mean_activation: of the class's own channel, of the channels of the
# video's predicted classes, of all channels, and the lower of the first two. "range" is from minimum to maximum.
ThresholdOf = Literal["mean", "video-mean", "all-mean", "lower-mean", "range"]

ProposalEnds = Literal["edges", "centres"]

Suppression = Literal["none", "hard", "soft"]


@dataclass(frozen=True)
class PostProcessing:
    """Which classes are localized, at which thresholds, how proposals are scored, and how overlaps are suppressed."""

    class_threshold: Fraction = 0.25  # probability from which a class is localized; theta_cls, Section IV-B
    threshold: NotNegative = 0.7  # theta_loc, a multiple of the mean activation; Section IV-B
    thresholds: Thresholds = ()  # several of them, in place of `threshold`; BaS-Net has 0:0.025:0.25 of the range
    threshold_of: ThresholdOf = "mean"  # their unit: a reading of avg(M), or max - min (BaS-Net)
    ends: ProposalEnds = "edges"  # what of its first and last snippet a proposal reaches to; the paper does not say
    score: ProposalScore = "max"  # how a proposal is scored; "max": the paper
    class_weight: NotNegative = 0.0  # weight of the category probability in a score; 0.2 in BaS-Net and CoLA
    nms: Suppression = "none"  # how overlaps are suppressed; the paper's do not overlap
    nms_tiou: Fraction = 0.6  # "hard" drops what overlaps a better proposal by more; CoLA 0.6, BaS-Net 0.7
    nms_sigma: Positive = 0.5  # "soft" decays scores by exp(-tIoU^2 / sigma); Bodla et al., ICCV 2017

    def __post_init__(self) -> None:
        check_ranges(self, "localization")
        if self.threshold_of == "range" and max(self.levels) >= 1:
            name = "thresholds" if self.thresholds else "threshold"
            raise ValueError(
                f"localization.{name} must be below 1 where threshold_of is 'range', got {getattr(self, name)!r}"
            )

    @property
    def levels(self) -> tuple[float, ...]:
        """The localization thresholds that apply: `thresholds` if there are any, else `threshold`."""
        return self.thresholds or (self.threshold,)
