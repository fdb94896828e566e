"""mAP of many resamples of the videos, from one matching.

No protocol lets a video's detections meet another video's instances, so a video that is drawn w times is matched as
before, w times. What a resample changes is arithmetic: each detection counts w times where it stands in the ranking,
and each instance is one of w.
"""

import numpy as np

from amsx.evaluation.scoring import Judged

_ELEMENTS = 1 << 22  # of a temporary: detections of a class x resamples at once


def draw_videos(judged: Judged, resamples: int, seed: int) -> np.ndarray:
    """(R, V) int64: how often each scored video is in each of R samples of V videos, drawn with replacement.

    A sample that holds no instance of any class has no mAP and is drawn again.
    """
    rng = np.random.default_rng(seed)
    n_videos = len(judged.truth.videos)
    annotated = np.bincount(judged.truth.instances.video, minlength=n_videos) > 0
    chances = np.full(n_videos, 1 / n_videos)
    weights = rng.multinomial(n_videos, chances, size=resamples)
    while (empty := np.flatnonzero(~weights[:, annotated].any(axis=1))).size:
        weights[empty] = rng.multinomial(n_videos, chances, size=len(empty))
    return weights


def weighted_map(judged: Judged, weights: np.ndarray) -> np.ndarray:
    """(R, K) mAP in percent at K thresholds where video v counts weights[r, v] times. weights: (R, V) integers >= 0.

    The w copies of a detection follow one another in the ranking. A class without an instance among the videos of a
    resample is left out of its mean, as `evaluate` leaves it out; a resample without any gives NaN. Detections in
    videos that the ground truth does not know belong to none that is drawn: they count once in every resample.
    """
    truth, outcome = judged.truth, judged.outcome
    detections, instances = outcome.detections, truth.instances
    n_resamples, n_videos = weights.shape
    unknown = np.ones((n_resamples, len(detections.videos) - n_videos), dtype=np.int32)
    times = np.concatenate([weights.astype(np.int32), unknown], axis=1).T.copy()  # (videos, R)

    total = np.zeros((n_resamples, len(judged.thresholds)))
    n_classes = np.zeros(n_resamples)
    stops = np.searchsorted(detections.label, np.arange(len(truth.classes)), side="right")
    for label, (start, stop) in enumerate(zip([0, *stops[:-1]], stops, strict=True)):
        n_instances = np.bincount(instances.video[instances.label == label], minlength=n_videos) @ weights.T
        present = n_instances > 0
        n_classes += present
        step = max(1, _ELEMENTS // max(1, stop - start))
        for first in range(0, n_resamples, step):
            some = slice(first, first + step)
            total[some] += np.where(
                present[some, None],
                _precisions(judged, slice(start, stop), times[:, some]).T / np.maximum(n_instances[some, None], 1),
                0,
            )
    with np.errstate(invalid="ignore"):
        return 100 * total / n_classes[:, None]


def _precisions(judged: Judged, of_class: slice, times: np.ndarray) -> np.ndarray:
    """(K, R): the precisions at the true positives of a class, summed. times: (videos, R), how often a video counts."""
    outcome = judged.outcome
    video = outcome.detections.video[of_class]
    found = times[video]  # (N, R)
    counted = outcome.counted[:, of_class]
    alike = bool(counted.all())
    ranked = np.cumsum(found, axis=0, dtype=np.int32) if alike else None
    sums = np.zeros((len(counted), times.shape[1]))
    for k, correct in enumerate(outcome.instance[:, of_class] >= 0):
        hits = np.flatnonzero(correct)
        if not hits.size:
            continue
        n = ranked[hits] if ranked is not None else np.cumsum(found * counted[k][:, None], axis=0)[hits]
        w = found[hits]
        hit = np.cumsum(w, axis=0, dtype=np.int32)
        if judged.rules.interpolated:
            precision = hit / np.maximum(n, 1)
            precision = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
            sums[k] = (w * precision).sum(axis=0)
        else:
            # (h + 1) / (m + 1) + ... + (h + w) / (m + w), where h true positives are among the m ranked before.
            harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, int(n.max()) + 1))])
            sums[k] = (w - (n - hit) * (harmonic[n] - harmonic[n - w])).sum(axis=0)
    return sums
