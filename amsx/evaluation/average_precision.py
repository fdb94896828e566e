"""Average precision of detections in order of score."""

import numpy as np


def average_precision(correct: np.ndarray, counted: np.ndarray, n_instances: int, interpolated: bool) -> np.ndarray:
    """(K,) AP in 0..1 at K thresholds: the sum of the precisions at the true positives, over n_instances.

    correct: (K, N) bool, the detection, in order of score, is a true positive. counted: (K, N) bool, it is a
    true or a false positive; the others are as if they were not there. interpolated: each precision is
    replaced by the highest at its own or any later place (VOC 2011), which makes the sum the area under the
    envelope of the precision-recall curve.
    """
    if correct.shape[1] == 0:
        return np.zeros(len(correct))
    precision = np.cumsum(correct, axis=1) / np.maximum(np.cumsum(counted, axis=1), 1)
    if interpolated:
        precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    return (precision * correct).sum(axis=1) / n_instances
