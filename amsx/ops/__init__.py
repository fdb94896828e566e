"""Adaptive sampling and alignment as differentiable ops for any model. Of amsx, they import `amsx.choices` alone."""

from amsx.ops import registration  # noqa: F401  (any import of an op defines torch.ops.amsx)
