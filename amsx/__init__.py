"""Adaptive Mutual Supervision (AMS) for weakly-supervised temporal action localization.

The drop-in ops are here; the method and everything around it live in the subpackages and behind the `amsx` command.
"""

from amsx.ops.alignment import align_cas
from amsx.ops.sampling import adaptive_sample, gather, sampling_timestamps, sampling_weights

__version__ = "0.1.0"  # the one place: pyproject.toml reads it here
__all__ = ["__version__", "adaptive_sample", "align_cas", "gather", "sampling_timestamps", "sampling_weights"]
