"""Adaptive sampling and alignment as differentiable ops, to be dropped into any model. Imports nothing else of amsx."""

from amsx.ops import registration  # noqa: F401  (any import of an op defines torch.ops.amsx)
