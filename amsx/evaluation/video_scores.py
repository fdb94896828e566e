"""How well the detections of each single video score, to find the videos that a method fails on."""

import numpy as np

from amsx.evaluation.matching import Matches
from amsx.evaluation.precision import average_precision


def video_scores(matches: Matches, interpolated: bool) -> dict[str, float]:
    """Id of every video with an instance -> its score in percent.

    The score is the average precision of the video's own detections against its own instances, averaged over the
    thresholds. All classes stand in one ranking, so a detection of a class that the video does not have costs
    precision. mAP is no mean of these scores: it ranks the detections of all videos together, class by class.
    """
    detections, instances = matches.detections, matches.instances
    ranked = np.lexsort((-detections.score, detections.video))  # stable: equal scores keep their order
    stops = np.searchsorted(detections.video[ranked], np.arange(len(instances.videos) + 1))
    n_instances = np.bincount(instances.video, minlength=len(instances.videos))
    scores = {}
    for video in np.flatnonzero(n_instances):
        own = ranked[stops[video] : stops[video + 1]]
        correct, counted = matches.instance[:, own] >= 0, matches.counted[:, own]
        precision = average_precision(correct, counted, int(n_instances[video]), interpolated)
        scores[instances.videos[video]] = 100 * float(precision.mean())
    return scores
