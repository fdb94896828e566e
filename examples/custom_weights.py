"""Sampling by weights of your own: the parts of the sampler, put together differently.

Here time is slowed down where the features change fast. Weights may come from anything that is not negative: an
attention, an uncertainty, a mask (where a weight is 0, the video is skipped).
"""

import torch

import amsx

torch.manual_seed(0)
feats = torch.randn(1, 10, 4).repeat_interleave(12, dim=1)  # (1, 120, 4): ten scenes of twelve equal snippets
lengths = torch.tensor([120])

change = (feats[:, 1:] - feats[:, :-1]).norm(dim=2)  # (1, 119)
weights = 0.2 + torch.nn.functional.pad(change, (1, 0))  # (1, 120); the constant keeps the still parts in the video
weights.requires_grad_()

timestamps = amsx.sampling_timestamps(weights, lengths=lengths, mode="continuous")  # (1, 120) in snippet units
sampled = amsx.gather(feats, timestamps, lengths)  # (1, 120, 4), read at these times

cut = (timestamps[0] - 11.5).abs() < 1.5  # samples within one and a half snippets of the first change of scene
print(f"{int(cut.sum())} samples fall on the 3 snippets around the first cut")

# In continuous mode gradients reach the weights, so whatever made them can learn where to look.
sampled.square().mean().backward()
print(f"largest gradient of a weight: {weights.grad.abs().max():.2e}")

# What a model says about the samples goes back to uniform time: here the samples themselves, aligned and compared.
aligned = amsx.align_cas(sampled.detach(), timestamps.detach(), lengths)
print(f"mean difference to the video after sampling and alignment: {(aligned - feats).abs().mean():.3f}")
