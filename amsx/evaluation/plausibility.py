"""Warnings about predictions that can be read and scored, and yet are hardly what their author meant."""

from collections import Counter

import numpy as np

from amsx.evaluation.columns import WARNING, Columns
from amsx.evaluation.ground_truth import GroundTruth

_LONGER = 1.2  # median of latest detection / duration, above which the unit is another one
_LONGER_THAN_INSTANCES = 3.0  # the same, of latest detection / end of the latest instance
_SHORTER = 0.1  # every latest detection / duration is below: the unit is another one
_VIDEOS = 5  # fewest videos for that conclusion


def warnings_on(scored: Columns, given: Columns, truth: GroundTruth) -> list[str]:
    """Sentences on what is lost where nothing was meant to be lost.

    scored: the detections, video indexes `truth.videos` and beyond; given: those of the file, labels as spelt there.
    """
    sentences = [*_misspelt(given, truth), *_unit(scored, truth)]
    if not len(scored):
        sentences.append("there is no detection to score, so that every score is 0")
    return [WARNING + sentence for sentence in sentences]


def likely_labels(given: Columns, truth: GroundTruth) -> dict[str, str]:
    """Label of the predictions -> the one label of the ground truth that differs in case and separators alone."""
    spelt: dict[str, list[str]] = {}
    for label in sorted(truth.known_labels):
        spelt.setdefault(_bare(label), []).append(label)
    pairs = {label: spelt.get(_bare(label), []) for label in given.labels if label not in truth.known_labels}
    return {label: meant[0] for label, meant in pairs.items() if len(meant) == 1 and _bare(label)}


def _bare(label: str) -> str:
    return "".join(filter(str.isalnum, label.casefold()))


def _misspelt(given: Columns, truth: GroundTruth) -> list[str]:
    likely = likely_labels(given, truth)
    counts = Counter(given.labels[i] for i in given.label.tolist()) if likely else Counter()
    return [
        f"the predictions spell {label!r} what the ground truth probably spells {meant!r}; {counts[label]} detections "
        "are lost"
        for label, meant in likely.items()
    ]


def _unit(scored: Columns, truth: GroundTruth) -> list[str]:
    """A sentence where the times of all videos are too large or too small for their durations."""
    n_videos, instances = len(truth.videos), truth.instances
    latest, extent, limit = np.full(n_videos, -np.inf), truth.durations, _LONGER
    what = "the durations that the ground truth gives"
    known = scored.video < n_videos
    np.maximum.at(latest, scored.video[known], scored.end[known])
    if np.isnan(extent).all():
        extent, limit, what = np.full(n_videos, -np.inf), _LONGER_THAN_INSTANCES, "the ends of the last instances"
        np.maximum.at(extent, instances.video, instances.end)
    used = np.isfinite(latest) & np.isfinite(extent) & (extent > 0)
    if not used.any():
        return []
    latest, extent = latest[used], extent[used]
    ratio = float(np.median(latest / extent))
    if latest.max() <= 1 and scored.start[known].min() >= 0 and np.median(extent) >= 10:
        return [
            f"all detections lie between 0 and 1, while {what} are {np.median(extent):.4g} in the median; are these "
            "times fractions of the duration?"
        ]
    if ratio > limit:
        guess = "milliseconds" if ratio > 300 else "frames" if ratio > 8 else "snippets or frames"
        return [
            f"detections reach to {ratio:.3g} times {what}, in the median over videos; are these times in {guess} and "
            "the annotation in seconds?"
        ]
    if len(latest) >= _VIDEOS and (latest / extent).max() < _SHORTER:
        return [
            f"no detection reaches to a tenth of {what}; are the times of detections and annotation in different units?"
        ]
    return []
