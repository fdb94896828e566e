"""Smoothing of finished activations over time (NumPy)."""

import math
from dataclasses import replace

import numpy as np

from amsx.localization.fusion import Activations


def smoothed(activations: Activations, sigma: float) -> Activations:
    """The activations with the CAS of every video averaged over time by a Gaussian.

    `sigma` is its standard deviation in snippets; 0 leaves the CAS as it is. Neighbours beyond three of them weigh
    nothing. At a video's ends the weights that are left add up to 1, so a constant stays what it is.
    `amsx.model.masking.smooth` is the same rule for tensors.
    """
    if sigma == 0:
        return activations
    cas = np.empty_like(activations.cas)
    first = 0
    for n in activations.lengths.tolist():
        rows = activations.cas[first : first + n].astype(np.float64)
        sums, weights = rows.copy(), np.ones((n, 1))
        for offset in range(1, min(math.ceil(3 * sigma), n - 1) + 1):
            weight = math.exp(-0.5 * (offset / sigma) ** 2)
            for into, of in ((slice(offset, None), slice(n - offset)), (slice(n - offset), slice(offset, None))):
                sums[into] += weight * rows[of]
                weights[into] += weight
        cas[first : first + n] = sums / weights
        first += n
    return replace(activations, cas=cas)
