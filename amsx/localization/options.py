"""The choices between activations and detections, typed and checked; the defaults are the paper's."""

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class PostProcessing:
    """Which classes, where above which thresholds, with which scores, and what becomes of overlaps."""

    class_threshold: float = 0.25  # theta_cls on the category probabilities; Section IV-B, grid search
    threshold: float = 0.7  # theta_loc as a multiple of the mean activation; Section IV-B
    thresholds: tuple[float, ...] = ()  # several, in place of `threshold`; BaS-Net 0:0.025:0.25 of the range
    threshold_of: Literal["mean", "range"] = "mean"  # mean: the paper; range: from min to max, BaS-Net, CoLA
    score: Literal["max", "mean", "outer-inner-contrast"] = "max"  # of a proposal; the paper; AutoLoc, BaS-Net, CMCS
    class_weight: float = 0.0  # of the category probability, added to the score; 0.2 in BaS-Net and CoLA
    nms: Literal["none", "hard", "soft"] = "none"  # per video and class; the paper's proposals do not overlap
    nms_tiou: float = 0.6  # hard: what overlaps a better one by more is dropped; CoLA 0.6, BaS-Net 0.7
    nms_sigma: float = 0.5  # soft: scores decay by exp(-tIoU^2 / sigma); Bodla et al., ICCV 2017

    def __post_init__(self) -> None:
        self._require("class_threshold", 0 <= self.class_threshold <= 1, "in [0, 1]")
        self._require("threshold", 0 <= self.threshold < math.inf, "at least 0 and finite")
        self._require("thresholds", all(0 <= x < math.inf for x in self.thresholds), "finite numbers of at least 0")
        if self.threshold_of == "range":
            name = "thresholds" if self.thresholds else "threshold"
            self._require(name, max(self.levels) < 1, "below 1 where threshold_of is 'range'")
        self._require("class_weight", 0 <= self.class_weight < math.inf, "at least 0 and finite")
        self._require("nms_tiou", 0 <= self.nms_tiou <= 1, "in [0, 1]")
        self._require("nms_sigma", 0 < self.nms_sigma < math.inf, "greater than 0 and finite")

    @property
    def levels(self) -> tuple[float, ...]:
        """The localization thresholds that count."""
        return self.thresholds or (self.threshold,)

    def _require(self, name: str, condition: bool, expected: str) -> None:
        if not condition:
            raise ValueError(f"localization.{name} must be {expected}, got {getattr(self, name)!r}")
