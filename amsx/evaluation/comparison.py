"""Several seeds, and whether one method is better than another: spread over seeds, paired bootstrap over videos.

No protocol lets a video's detections meet another video's instances, so a video that is drawn w times is matched as
before, w times. What a resample of the videos changes is arithmetic: each detection counts w times where it stands in
the ranking, and each instance is one of w.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amsx.evaluation.columns import Source
from amsx.evaluation.ground_truth import read_ground_truth
from amsx.evaluation.inputs import check_exclusions, inputs_of
from amsx.evaluation.precision import envelope
from amsx.evaluation.predictions import Detections
from amsx.evaluation.protocols import DEFAULT_TIOU, Protocol, protocol_of, thresholds_of
from amsx.evaluation.scoring import MatchedInputs, match_inputs, score_matches
from amsx.evaluation.selection import DEFAULT_SELECTION, Selection

_INTERVAL = (2.5, 97.5)  # percentiles
_ELEMENTS = 1 << 22  # of a temporary: detections of a class x resamples at once


@dataclass(frozen=True)
class Spread:
    """A score, or a difference of scores, in percent: its mean over seeds, and how it varies over test videos."""

    mean: float
    interval: list[float]  # the 2.5th and 97.5th percentile of the resamples
    bias: float  # the resamples' mean minus `mean`
    std: float | None = None  # over seeds, n - 1 below; None for one seed, and for differences


@dataclass(frozen=True)
class FileScore:
    """The score of one prediction file."""

    form: str  # how the predictions were read, in words
    mean_ap: list[float]  # (K,) mAP at each threshold, percent
    average: float  # over the thresholds, percent
    notes: list[str]  # on its detections

    def to_json(self) -> dict[str, Any]:
        return {"dialect": self.form, "mAP": self.mean_ap, "average": self.average, "notes": self.notes}


@dataclass(frozen=True)
class MethodScore:
    """The scores of the seeds of one method."""

    files: list[FileScore]  # one for each seed
    mean_ap: list[Spread]  # (K,) mAP at each threshold
    average: Spread  # of the mAP averaged over the thresholds

    def to_json(self) -> dict[str, Any]:
        keys = ("mean", "interval", "bias", "std")
        return {"files": [file.to_json() for file in self.files], **_spreads_to_json(self.mean_ap, self.average, keys)}


@dataclass(frozen=True)
class Difference:
    """The scores of a minus those of b."""

    mean_ap: list[Spread]  # (K,) mAP at each threshold
    average: Spread  # of the mAP averaged over the thresholds
    not_better: float  # the share of resamples, in 0..1, in which a's average is at most b's

    def to_json(self) -> dict[str, Any]:
        spreads = _spreads_to_json(self.mean_ap, self.average, ("mean", "interval", "bias"))
        return {**spreads, "not_better": self.not_better}


@dataclass(frozen=True)
class Comparison:
    """What `compare` finds."""

    protocol: str  # its name
    subset: str | None  # scored; None where the file has none or the videos were listed
    tiou: list[float]  # (K,) thresholds
    videos: int  # scored
    classes: int
    instances: int
    resamples: int  # of the videos
    seed: int  # of the resampling
    a: MethodScore
    b: MethodScore | None  # None where one method was given
    difference: Difference | None  # a - b
    notes: list[str]  # on the ground truth

    def to_json(self) -> dict[str, Any]:
        """The dictionary that `amsx compare --json` prints."""
        return {
            "protocol": self.protocol,
            "subset": self.subset,
            "tiou": self.tiou,
            "counts": {"videos": self.videos, "classes": self.classes, "instances": self.instances},
            "resamples": self.resamples,
            "seed": self.seed,
            "a": self.a.to_json(),
            "b": None if self.b is None else self.b.to_json(),
            "difference": None if self.difference is None else self.difference.to_json(),
            "notes": self.notes,
        }


def compare(
    ground_truth: Source,
    a: Sequence[Detections],
    b: Sequence[Detections] = (),
    protocol: str | Protocol = "activitynet",
    tiou: str | float | Sequence[float] = DEFAULT_TIOU,
    *,
    resamples: int = 1000,
    seed: int = 0,
    selection: Selection = DEFAULT_SELECTION,
) -> Comparison:
    """mAP of the predictions of several seeds of a method, alone or beside those of another method.

    a, b: predictions, one for each seed; the other arguments are those of `evaluate`. Two things vary, and they are
    kept apart. Over seeds: mean and standard deviation. Over videos: a bootstrap. In
    each of `resamples` samples, as many videos as are scored are drawn from them with replacement, the same for every
    seed of both methods; detections and ground truth of a video drawn w times count w times; a class without an
    instance among the videos drawn is left out of that sample's mean; the mAPs of a method's seeds are averaged.
    The interval holds the samples' 2.5th and 97.5th percentile. It speaks of other test videos, not of other seeds.
    The bias is the samples' mean minus the mAP itself: mAP is no mean over videos, and repeated videos raise it, so a
    method's own interval lies high; in a difference most of that cancels.

    Raises what `evaluate` raises, and ValueError for no prediction in `a` or fewer than 2 resamples.
    """
    if isinstance(a, str | Path) or isinstance(b, str | Path):
        raise TypeError("a and b are lists of predictions, one for each seed")
    if not a:
        raise ValueError("no predictions to score; expected at least one for a")
    if resamples < 2:
        raise ValueError(f"{resamples} resamples give no interval; expected at least 2")
    if seed < 0:
        raise ValueError(f"seed is {seed}; expected at least 0")
    rules, thresholds = protocol_of(protocol), thresholds_of(tiou)
    truth = read_ground_truth(ground_truth, selection, order_ends=rules.orders_ends)
    read = [
        [inputs_of(source, truth, selection.labels, order_ends=rules.orders_ends) for source in method]
        for method in (a, b)
    ]
    check_exclusions([inputs for method in read for inputs in method])
    methods = [[match_inputs(inputs, rules, thresholds) for inputs in method] for method in read]
    weights = draw_videos(methods[0][0], resamples, seed)
    first, first_samples = _describe(methods[0], weights)
    second, difference = None, None
    if b:
        second, second_samples = _describe(methods[1], weights)
        samples = first_samples - second_samples
        *spreads, average = _spreads(_means(first) - _means(second), samples)
        difference = Difference(spreads, average, float((samples[:, -1] <= 0).mean()))
    return Comparison(
        protocol=rules.name,
        subset=truth.subset,
        tiou=thresholds,
        videos=len(truth.videos),
        classes=len(truth.classes),
        instances=len(truth.instances),
        resamples=resamples,
        seed=seed,
        a=first,
        b=second,
        difference=difference,
        notes=list(truth.notes),
    )


def draw_videos(matched: MatchedInputs, resamples: int, seed: int) -> NDArray[np.int64]:
    """(R, V) int64: how often each scored video is in each of R samples of V videos, drawn with replacement.

    A sample that holds no instance of any class has no mAP and is drawn again.
    """
    rng = np.random.default_rng(seed)
    n_videos = len(matched.truth.videos)
    annotated = np.bincount(matched.truth.instances.video, minlength=n_videos) > 0
    chances = np.full(n_videos, 1 / n_videos)
    weights = rng.multinomial(n_videos, chances, size=resamples)
    while (empty := np.flatnonzero(~weights[:, annotated].any(axis=1))).size:
        weights[empty] = rng.multinomial(n_videos, chances, size=len(empty))
    return weights


def weighted_map(matched: MatchedInputs, weights: NDArray[np.int64]) -> NDArray[np.float64]:
    """(R, K) mAP in percent at K thresholds where video v counts weights[r, v] times. weights: (R, V) integers >= 0.

    The w copies of a detection follow one another in the ranking. A class without an instance among the videos of a
    resample is left out of its mean, as `evaluate` leaves it out; a resample without any gives NaN. Detections in
    videos that the ground truth does not know belong to none that is drawn: they count once in every resample.
    """
    truth, matches = matched.truth, matched.matches
    detections, instances = matches.detections, truth.instances
    n_resamples, n_videos = weights.shape
    unknown = np.ones((n_resamples, len(detections.videos) - n_videos), dtype=np.int32)
    times = np.concatenate([weights.astype(np.int32), unknown], axis=1).T.copy()  # (videos, R)

    total = np.zeros((n_resamples, len(matched.thresholds)))
    n_classes = np.zeros(n_resamples)
    stops = np.searchsorted(detections.label, np.arange(len(truth.classes)), side="right")
    for label, (start, stop) in enumerate(zip([0, *stops[:-1]], stops, strict=True)):
        n_instances = np.bincount(instances.video[instances.label == label], minlength=n_videos) @ weights.T
        present = n_instances > 0
        n_classes += present
        step = max(1, _ELEMENTS // max(1, stop - start))
        for first in range(0, n_resamples, step):
            chunk = slice(first, first + step)
            total[chunk] += np.where(
                present[chunk, None],
                _precisions(matched, slice(start, stop), times[:, chunk]).T / np.maximum(n_instances[chunk, None], 1),
                0,
            )
    with np.errstate(invalid="ignore"):
        return 100 * total / n_classes[:, None]


def _precisions(matched: MatchedInputs, of_class: slice, times: NDArray[np.int32]) -> NDArray[np.float64]:
    """(K, R): the precisions at the true positives of a class, summed. times: (videos, R), how often a video counts."""
    matches = matched.matches
    video = matches.detections.video[of_class]
    copies = times[video]  # (N, R) how often a detection counts
    counted = matches.counted[:, of_class]
    alike = bool(counted.all())
    ranked = np.cumsum(copies, axis=0, dtype=np.int32) if alike else None
    sums = np.zeros((len(counted), times.shape[1]))
    for k, correct in enumerate(matches.instance[:, of_class] >= 0):
        hits = np.flatnonzero(correct)
        if not hits.size:
            continue
        n = ranked[hits] if ranked is not None else np.cumsum(copies * counted[k][:, None], axis=0)[hits]
        w = copies[hits]
        hit = np.cumsum(w, axis=0, dtype=np.int32)
        if matched.protocol.interpolated:
            sums[k] = (w * envelope(hit / np.maximum(n, 1), axis=0)).sum(axis=0)
        else:
            # (h + 1) / (m + 1) + ... + (h + w) / (m + w), where h true positives are among the m ranked before.
            harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, int(n.max()) + 1))])
            sums[k] = (w - (n - hit) * (harmonic[n] - harmonic[n - w])).sum(axis=0)
    return sums


def _describe(seeds: Sequence[MatchedInputs], weights: NDArray[np.int64]) -> tuple[MethodScore, NDArray[np.float64]]:
    """The scores of a method, and (R, K + 1) its resampled mAPs, the average over thresholds last."""
    files = []
    for matched in seeds:
        evaluation = score_matches(matched)
        files.append(FileScore(evaluation.form, evaluation.mean_ap, evaluation.average, matched.notes))
    scores = np.array([[*file.mean_ap, file.average] for file in files])  # (seeds, K + 1)
    samples = np.mean([weighted_map(matched, weights) for matched in seeds], axis=0)
    samples = np.concatenate([samples, samples.mean(axis=1, keepdims=True)], axis=1)
    std = scores.std(axis=0, ddof=1).tolist() if len(seeds) > 1 else None
    *spreads, average = _spreads(scores.mean(axis=0), samples, std)
    return MethodScore(files, spreads, average), samples


def _means(method: MethodScore) -> NDArray[np.float64]:
    return np.array([spread.mean for spread in (*method.mean_ap, method.average)])


def _spreads(
    mean: NDArray[np.float64], samples: NDArray[np.float64], std: Sequence[float] | None = None
) -> list[Spread]:
    """The spread at each threshold and, last, of the average. mean, std: (K + 1,); samples: (R, K + 1)."""
    intervals = np.percentile(samples, _INTERVAL, axis=0).T.tolist()  # (K + 1, 2)
    bias = samples.mean(axis=0) - mean
    deviations = [None] * len(mean) if std is None else std
    return [Spread(*spread) for spread in zip(mean.tolist(), intervals, bias.tolist(), deviations, strict=True)]


def _spreads_to_json(mean_ap: Sequence[Spread], average: Spread, keys: Sequence[str]) -> dict[str, Any]:
    """{"mAP": {key: [K]}, "average": {key: value}}."""
    return {
        "mAP": {key: [getattr(spread, key) for spread in mean_ap] for key in keys},
        "average": {key: getattr(average, key) for key in keys},
    }
