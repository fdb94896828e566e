"""Detections that localize nothing: those that cover their whole video, and none at all."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from amsx.data.videos import Timebase
from amsx.evaluation.columns import Columns

WHOLE = 0.95  # the share of a video's snippets from which a detection counts as covering all of it
MOST = 0.5  # the share of detections above which a warning is due


@dataclass(frozen=True)
class Coverage:
    """How many detections there are, and how many cover their whole video. Videos of one snippet do not count."""

    videos: int = 0
    detections: int = 0
    whole: int = 0

    def __add__(self, other: "Coverage") -> "Coverage":
        return Coverage(self.videos + other.videos, self.detections + other.detections, self.whole + other.whole)

    @classmethod
    def of_video(cls, lengths: Sequence[float] | NDArray[np.float64], snippets: int, timebase: Timebase) -> "Coverage":
        """The coverage of one video by detections of these `lengths` in seconds, (P,)."""
        if snippets < 2:
            return cls()
        least = WHOLE * snippets * timebase.snippet_seconds
        return cls(1, len(lengths), int((np.asarray(lengths, dtype=np.float64) >= least).sum()))

    @classmethod
    def of_videos(
        cls, detections: Columns, snippets: Sequence[int] | NDArray[np.int64], timebases: Sequence[Timebase]
    ) -> "Coverage":
        """The coverage of V videos, whose numbers of snippets and timebases stand in the order of their ids."""
        counts = np.asarray(snippets, dtype=np.int64)
        whole_video = counts * np.array([timebase.snippet_seconds for timebase in timebases])
        counted = counts[detections.video] > 1
        lengths = (detections.end - detections.start)[counted]
        whole = lengths >= WHOLE * whole_video[detections.video][counted]
        return cls(int((counts > 1).sum()), len(lengths), int(whole.sum()))

    def warnings(self) -> list[str]:
        """What is wrong with such detections and what to try, in sentences; empty where nothing is."""
        if self.videos and not self.detections:
            return [
                f"nothing was detected in any of {self.videos} videos: no snippet's activation passes the localization "
                "threshold. Try a lower localization.threshold (`amsx test RUN --set localization.threshold=0.3` needs "
                "no training). Where that does not help, the training was too short or too long for the data: try "
                "`--preset small`, or another phases.base_epochs or optimization.learning_rate."
            ]
        if self.whole > MOST * self.detections:
            return [
                f"{self.whole} of {self.detections} detections cover their whole video: the activations hardly differ "
                "from snippet to snippet, so nothing is localized. The training was too short for the data, most "
                "likely: try `--preset small`, or more phases.base_epochs or a higher optimization.learning_rate. A "
                "higher localization.threshold needs no training (`amsx test RUN --set localization.threshold=1`). "
                "Videos that show one action from start to end look the same and are no fault."
            ]
        return []
