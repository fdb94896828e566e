"""Sentences on what is lost in silence: predictions that can be read and scored, and yet are hardly what was meant."""

from collections.abc import Collection
from difflib import get_close_matches

import numpy as np

from amsx.evaluation.columns import WARNING, Columns, listing
from amsx.evaluation.ground_truth import GroundTruth

LACKING = 0.1  # share of the videos or classes scored without a detection, above which a note becomes a warning
MENTIONED = 0.005  # share from which there is a note at all; `Counts` has the numbers always
UNKNOWN = 0.05  # share of the videos in the predictions that the ground truth does not know, likewise

_CLOSE = 0.8  # likeness of two labels, as `difflib` measures it, from which one may be the other misspelt
_LONGER = 1.2  # median of latest detection / duration, above which the unit is another one
_LONGER_THAN_INSTANCES = 3.0  # the same, of latest detection / end of the latest instance
_SHORTER = 0.1  # every latest detection / duration is below: the unit is another one
_VIDEOS = 5  # fewest videos for that conclusion
_SUFFIXES = (".mp4", ".avi", ".mkv", ".webm", ".mov", ".mpeg", ".npy", ".npz", ".pt", ".pkl")  # of files of videos


def notes_on_losses(scored: Columns, given: Columns, truth: GroundTruth) -> list[str]:
    """Sentences on what is lost where nothing may have been meant to be lost; those of likely mistakes are warnings.

    scored: the detections, video indexes `truth.videos` and beyond; given: those of the file, labels as spelt there.
    """
    likely = likely_labels(given, truth)
    sentences = [*_misspelt(likely, given), *_unknown_labels(likely, given, truth), *_unit(scored, truth)]
    if not len(scored):
        cause = (
            "are they of other videos or classes, which the notes count?"
            if len(given)
            else "are the thresholds of the localization too high for these scores?"
        )
        sentences.append(f"there is no detection to score, so that every score is 0; {cause}")
        return [WARNING + sentence for sentence in sentences]
    notes = [WARNING + sentence for sentence in sentences]
    notes += _unknown_videos(scored, truth)
    found, annotated = set(scored.video.tolist()), np.unique(truth.instances.video).tolist()
    empty = [truth.videos[video] for video in annotated if video not in found]
    of_classes = set(scored.label.tolist())
    missing = [label for i, label in enumerate(truth.classes) if i not in of_classes and label not in likely.values()]
    for lacking, total, what, cause in (
        (empty, len(annotated), "annotated videos", "are they in the predictions under another id?"),
        (missing, len(truth.classes), "annotated classes", "are they in the predictions under another name or number?"),
    ):
        if lacking and len(lacking) >= MENTIONED * total:
            sentence = f"{len(lacking)} of {total} {what} are without a detection: {listing(lacking)}"
            notes.append(f"{WARNING}{sentence}; {cause}" if len(lacking) > LACKING * total else sentence)
    return notes


def likely_labels(given: Columns, truth: GroundTruth) -> dict[str, str]:
    """Label of the predictions -> the one label of the ground truth that it probably means.

    Labels that differ in case and separators alone come first; else a label without a detection that is nearly the
    same. Labels that the ground truth knows mean themselves.
    """
    spelt: dict[str, list[str]] = {}
    for label in sorted(truth.known_labels):
        spelt.setdefault(_bare(label), []).append(label)
    free = {_bare(label): label for label in truth.known_labels - set(given.labels) if len(spelt[_bare(label)]) == 1}
    pairs = {}
    for label in given.labels:
        if label in truth.known_labels or not _bare(label) or _bare(label).isdecimal():
            continue
        same = spelt.get(_bare(label), [])
        close = get_close_matches(_bare(label), free, n=2, cutoff=_CLOSE) if not same else []
        meant = same or [free[name] for name in close]
        if len(meant) == 1:
            pairs[label] = meant[0]
    return pairs


def _bare(label: str) -> str:
    return "".join(filter(str.isalnum, label.casefold()))


def _counts(given: Columns, labels: Collection[str]) -> dict[str, int]:
    counts = np.bincount(given.label, minlength=len(given.labels)).tolist()
    return {label: counts[i] for i, label in enumerate(given.labels) if label in labels}


def _misspelt(likely: dict[str, str], given: Columns) -> list[str]:
    counts = _counts(given, likely)
    return [
        f"the predictions spell {label!r} what the ground truth probably spells {meant!r}; {counts[label]} detections "
        "are lost"
        for label, meant in likely.items()
    ]


def _unknown_labels(likely: dict[str, str], given: Columns, truth: GroundTruth) -> list[str]:
    unknown = [label for label in given.labels if label not in truth.known_labels and label not in likely]
    counts = _counts(given, unknown)
    if not counts:
        return []
    return [
        f"{sum(counts.values())} detections are of {len(counts)} classes that the ground truth does not know, and are "
        f"left out: {listing(unknown)}; do the predictions belong to another list of classes?"
    ]


def _unknown_videos(scored: Columns, truth: GroundTruth) -> list[str]:
    """What becomes of detections in videos that the ground truth does not know, and which videos may be meant."""
    named, counts = np.unique(scored.video, return_counts=True)
    outside = named >= len(truth.videos)
    if not outside.any():
        return []
    unknown = [scored.videos[video] for video in named[outside]]
    sentence = (
        f"{counts[outside].sum()} detections can find nothing in videos that the ground truth does not know: "
        f"{listing(unknown)}"
    )
    pairs = likely_videos(unknown, truth)
    if pairs:
        return [f"{WARNING}{sentence}; {pairs[0]}"]
    unheard_of = set(unknown) - set(truth.ambiguous_elsewhere.videos)
    if len(unheard_of) > UNKNOWN * len(named):
        return [f"{WARNING}{sentence}; are their ids spelt otherwise there?"]
    return [sentence]


def likely_videos(unknown: Collection[str], truth: GroundTruth) -> list[str]:
    """Which ids of the ground truth are meant by those `unknown` to it that differ in case, folder or suffix alone."""
    known = {_stem(video): video for video in truth.videos}
    return [f"{video!r} probably means {known[_stem(video)]!r}" for video in unknown if _stem(video) in known]


def _stem(video: str) -> str:
    """An id in lower case, without the suffix of a file and its folder."""
    name = video.casefold().replace("\\", "/").rsplit("/", 1)[-1]
    return next((name.removesuffix(suffix) for suffix in _SUFFIXES if name.endswith(suffix)), name)


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
