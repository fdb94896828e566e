"""Several seeds, and whether one method is better than another: spread over seeds, paired bootstrap over videos."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from amsx.evaluation.ambiguous import Spans
from amsx.evaluation.cases import read_case
from amsx.evaluation.ground_truth import GroundTruth, read_ground_truth
from amsx.evaluation.labels import ClassList
from amsx.evaluation.protocols import Protocol, protocol_named
from amsx.evaluation.records import Source
from amsx.evaluation.resampling import draw_videos, weighted_map
from amsx.evaluation.scoring import Judged, judge_case, summary, thresholds_of
from amsx.evaluation.tiou import DEFAULT_TIOU

_INTERVAL = (2.5, 97.5)  # percentiles


def compare(
    ground_truth: Source,
    a: Sequence[Source],
    b: Sequence[Source] = (),
    protocol: str | Protocol = "activitynet",
    tiou: str | float | Sequence[float] = DEFAULT_TIOU,
    *,
    resamples: int = 1000,
    seed: int = 0,
    subset: str | None = None,
    videos: str | Path | Collection[str] | None = None,
    exclude: Collection[str] = (),
    ambiguous: Spans | None = None,
    labels: ClassList | None = None,
) -> dict[str, Any]:
    """mAP (percent) of the predictions of several seeds of a method, alone or beside those of another method.

    a, b: predictions, one for each seed; the other arguments are those of `evaluate`. Two things vary, and they are
    kept apart. Over seeds: mean and standard deviation (n - 1 below; None for one seed). Over videos: a bootstrap. In
    each of `resamples` samples, as many videos as are scored are drawn from them with replacement, the same for every
    seed of both methods; detections and ground truth of a video drawn w times count w times; a class without an
    instance among the videos drawn is left out of that sample's mean; the mAPs of a method's seeds are averaged.
    "interval" holds the samples' 2.5th and 97.5th percentile. It speaks of other test videos, not of other seeds.
    "bias" is the samples' mean minus the mAP itself: mAP is no mean over videos, and repeated videos raise it, so a
    method's own interval lies high; in a difference most of that cancels.

    Returns protocol, subset, tiou, counts, resamples, seed, notes, "a" and (None without) "b": {files: [{dialect,
    mAP, average, notes}], mAP: {mean, std, interval, bias}, average: {...}}, and "difference", a - b: {mAP: {mean,
    interval, bias}, average: {...}, not_better: the share of samples in which a's average is at most b's}. Raises
    what `evaluate` raises, and ValueError for no prediction in `a` or fewer than 2 resamples.
    """
    if isinstance(a, str | Path) or isinstance(b, str | Path):
        raise TypeError("a and b are lists of predictions, one for each seed")
    if not a:
        raise ValueError("no predictions to score; expected at least one for a")
    if resamples < 2:
        raise ValueError(f"{resamples} resamples give no interval; expected at least 2")
    if seed < 0:
        raise ValueError(f"seed is {seed}; expected at least 0")
    rules = protocol_named(protocol) if isinstance(protocol, str) else protocol
    thresholds = thresholds_of(tiou)
    truth = read_ground_truth(ground_truth, subset=subset, videos=videos, exclude=exclude, ambiguous=ambiguous)
    methods = [[_judge(source, truth, rules, thresholds, labels) for source in method] for method in (a, b)]
    weights = draw_videos(methods[0][0], resamples, seed)
    first, first_samples = _describe(methods[0], weights)
    second, difference = None, None
    if b:
        second, second_samples = _describe(methods[1], weights)
        samples = first_samples - second_samples
        mean = _means(first) - _means(second)
        difference = {**_views(mean, samples), "not_better": float((samples[:, -1] <= 0).mean())}
    return {
        "protocol": rules.name,
        "subset": truth.subset,
        "tiou": thresholds,
        "counts": {"videos": len(truth.videos), "classes": len(truth.classes), "instances": len(truth.instances)},
        "resamples": resamples,
        "seed": seed,
        "a": first,
        "b": second,
        "difference": difference,
        "notes": list(truth.notes),
    }


def _judge(
    source: Source, truth: GroundTruth, rules: Protocol, thresholds: list[float], labels: ClassList | None
) -> Judged:
    return judge_case(read_case(source, truth, labels), rules, thresholds)


def _describe(seeds: Sequence[Judged], weights: np.ndarray) -> tuple[dict[str, Any], np.ndarray]:
    """What is said of a method, and (R, K + 1) its resampled mAPs, the average over thresholds last."""
    results = [summary(judged) for judged in seeds]
    files = [{key: result[key] for key in ("dialect", "mAP", "average")} for result in results]
    for file, judged in zip(files, seeds, strict=True):
        file["notes"] = judged.notes
    scores = np.array([[*file["mAP"], file["average"]] for file in files])  # (seeds, K + 1)
    samples = np.mean([weighted_map(judged, weights) for judged in seeds], axis=0)
    samples = np.concatenate([samples, samples.mean(axis=1, keepdims=True)], axis=1)
    views = _views(scores.mean(axis=0), samples)
    std = scores.std(axis=0, ddof=1).tolist() if len(seeds) > 1 else [None] * scores.shape[1]
    views["mAP"]["std"], views["average"]["std"] = std[:-1], std[-1]
    return {"files": files, **views}, samples


def _means(method: dict[str, Any]) -> np.ndarray:
    return np.array([*method["mAP"]["mean"], method["average"]["mean"]])


def _views(mean: np.ndarray, samples: np.ndarray) -> dict[str, dict[str, Any]]:
    """mean: (K + 1,) and samples: (R, K + 1), apart into thresholds and their average."""
    interval = np.percentile(samples, _INTERVAL, axis=0)  # (2, K + 1)
    bias = samples.mean(axis=0) - mean
    return {
        "mAP": {"mean": mean[:-1].tolist(), "interval": interval[:, :-1].T.tolist(), "bias": bias[:-1].tolist()},
        "average": {"mean": float(mean[-1]), "interval": interval[:, -1].tolist(), "bias": float(bias[-1])},
    }
