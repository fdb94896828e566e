"""The choices that the ops take by name, one alias each, so that a type checker finds a misspelt one."""

from typing import Literal

Aggregate = Literal["max", "mean", "random"]  # how the channels of a CAS become one sequence
Mode = Literal["grid", "continuous"]  # Eq. 6's index into the up-sampled sequence, or its limit for infinite H
