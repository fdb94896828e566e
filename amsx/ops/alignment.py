"""Re-alignment (Eq. 7): a CAS known at sampled timestamps, brought back to uniform time."""

from torch import Tensor

from amsx.ops import registration
from amsx.ops.checks import Lengths
from amsx.ops.sampling import _at_timestamps


def align_cas(cas: Tensor, timestamps: Tensor, lengths: Lengths | None = None) -> Tensor:
    """Interpolate a CAS between the two nearest sampled timestamps, at every snippet's centre (Eq. 7).

    Before the first and after the last sampled timestamp the outermost value is held. Where several samples share a
    timestamp, the last of them counts.

    Args:
        cas: (B, T, C), what the supplementary branch gave at each sample, or (T, C) for one video.
        timestamps: (B, T) or (T,) in float32 or float64, what `adaptive_sample` returned: snippet units, non-decreasing
            per video.
        lengths: valid snippets per video, as in `adaptive_sample`.

    Returns:
        The CAS on uniform time, shaped like `cas`, with zeros beyond a video's length. It is differentiable in `cas`
        and, where they carry a gradient (continuous mode), in `timestamps`.

    Raises:
        TypeError, ValueError: a wrong dtype, shape or device. On the CPU also timestamps that decrease or are NaN, and
            lengths outside 1..T; CUDA does not look at values (see `amsx.ops.checks`).
    """
    form = "(B, T, C) with timestamps (B, T), or (T, C) with timestamps (T,)"
    return _at_timestamps(registration.align_cas, "cas", cas, timestamps, lengths, form)
