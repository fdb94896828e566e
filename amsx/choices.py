"""The choices that are made by name, one alias each, so that a type checker finds a misspelt one.

The modules that follow them and the settings alike take them from here. This module is the ground floor: the command
line reads it without waiting for torch.
"""

from typing import Literal

MAX_INTERP_FACTOR = 1024  # H at most; it leaves the fixed-point weights of the ops 20 bits at a million snippets

Aggregate = Literal["max", "mean", "random"]  # how the channels of a CAS become one sequence
Mode = Literal["grid", "continuous"]  # Eq. 6's index into the up-sampled sequence, or its limit for infinite H

# How the sampling weights are made; see `amsx.model.sampler`.
SamplingWeights = Literal["adaptive", "rolled", "reversed", "random", "erase"]
GUIDED: tuple[SamplingWeights, ...] = ("adaptive", "rolled", "reversed")  # those that Eq. 4 makes, in its place or not

MeanReading = Literal["mean", "video-mean", "all-mean", "lower-mean"]  # of avg(M); see `amsx.model.mean_activation`

# How T snippets of longer videos are taken; see `amsx.data.batching`.
CropSampling = Literal["crop", "jittered", "uniform"]
Storage = Literal["auto", "float32", "float16", "mapped", "files"]  # how features are held; see `amsx.data.storage`
