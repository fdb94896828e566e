"""Re-alignment (Eq. 7): a CAS known at sampled timestamps, brought back to uniform time."""

import torch
from torch import Tensor

from amsx.ops import registration  # noqa: F401  (defines torch.ops.amsx)
from amsx.ops.sampling import _at_timestamps


def align_cas(cas: Tensor, timestamps: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Interpolate a CAS between the two nearest sampled timestamps, at every snippet's centre (Eq. 7).

    Before the first and after the last sampled timestamp the outermost value is held. Of samples that share one
    timestamp the last counts.

    Args:
        cas: (B, T, C), what the supplementary branch gave at each sample; (T, C) for one video.
        timestamps: (B, T) or (T,), what `adaptive_sample` returned: snippet units, non-decreasing per video.
        lengths: valid snippets per video, (B,), each in 1..T. None: all T.

    Returns:
        The CAS on uniform time, like `cas`, zeros beyond a video's length. Differentiable in `cas` and, where they
        carry a gradient (continuous mode), in `timestamps`.

    Raises:
        TypeError, ValueError: wrong dtype, shape or device; on the CPU also for timestamps that decrease or are NaN and
            for lengths outside 1..T. CUDA does not look at values: see `amsx.ops.checks`.
    """
    form = "(B, T, C) with timestamps (B, T), or (T, C) with timestamps (T,)"
    return _at_timestamps(torch.ops.amsx.align_cas.default, "cas", cas, timestamps, lengths, form)
