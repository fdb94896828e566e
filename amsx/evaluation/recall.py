"""Detections as proposals: recall whatever the label, against how many are looked at.

After ActivityNet's proposal task (github.com/activitynet/ActivityNet: Evaluation/eval_proposal.py). Of a video's
proposals, ranked by score, the same share is kept in every video, such that AN remain per video on average over the
videos that have an instance; a video with more proposals keeps more. An instance is found at a threshold if one that is
kept reaches it; one proposal may find several. AR is the recall averaged over tIoU 0.5:0.05:0.95.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amsx.evaluation.columns import Columns
from amsx.evaluation.matching import pieces_of_any_class
from amsx.evaluation.protocols import parse_tiou

THRESHOLDS = parse_tiou("0.5:0.05:0.95")
MOST = 100  # proposals per video at the curve's end, as in the challenge


@dataclass(frozen=True, eq=False)
class ProposalRecall:
    """Recall of proposals, at 1 to MOST per video on average."""

    per_tiou: NDArray[np.float64]  # (10, MOST) percent, at THRESHOLDS
    average: NDArray[np.float64]  # (MOST,) AR, percent
    area: float  # under AR, as a share of MOST, percent; by the trapezoidal rule as in the challenge
    available: float  # proposals per video that there are; beyond it the curves are level
    n_videos: int  # that have an instance

    @property
    def number(self) -> range:
        """The numbers of proposals per video that the curves are drawn over."""
        return range(1, MOST + 1)

    @property
    def tiou(self) -> list[float]:
        """The thresholds of `per_tiou`."""
        return THRESHOLDS

    def to_json(self) -> dict[str, Any]:
        return {
            "tiou": list(self.tiou),
            "number": list(self.number),
            "recall": self.average.tolist(),
            "per_tiou": self.per_tiou.tolist(),
            "area": self.area,
            "available": self.available,
            "videos": self.n_videos,
        }


def proposal_recall(detections: Columns, instances: Columns) -> ProposalRecall:
    """Recall of the instances; `video` indexes the same videos in both. Equal scores rank by start and end."""
    ranked = detections.rows(np.lexsort((detections.end, detections.start, -detections.score, detections.video)))
    annotated = np.unique(instances.video)
    n_proposals = np.bincount(ranked.video, minlength=int(annotated[-1]) + 1)
    total, n_videos = int(n_proposals[annotated].sum()), len(annotated)
    recall = np.zeros((len(THRESHOLDS), MOST))
    if total:
        rank = np.arange(len(ranked)) - np.searchsorted(ranked.video, ranked.video)
        # In whole numbers: floor(proposals of the video * AN / available), no more than there are.
        number = np.arange(1, MOST + 1)
        kept = np.minimum(n_proposals[:, None] * number * n_videos // total, n_proposals[:, None])  # (V, MOST)
        kept_around = kept[instances.video]  # (M, MOST)
        first = np.full((len(THRESHOLDS), len(instances)), np.iinfo(np.int64).max)
        for pairs in pieces_of_any_class(ranked, instances, THRESHOLDS[0]):
            for k, threshold in enumerate(THRESHOLDS):
                reach = pairs.tiou >= threshold
                np.minimum.at(first[k], pairs.instance[reach], rank[pairs.detection[reach]])
        for k, of_threshold in enumerate(first):
            recall[k] = (of_threshold[:, None] < kept_around).mean(axis=0)
    average = recall.mean(axis=0)
    area = float(((average[1:] + average[:-1]) / 2).sum() / MOST)
    return ProposalRecall(100 * recall, 100 * average, 100 * area, total / n_videos, n_videos)
