"""The adaptive sampler in a weakly-supervised model of your own: plain PyTorch, trained for a few steps.

One branch looks at the snippets as they are. A second one looks at what the sampler shows it: more of the times at
which the first branch sees little. The features are made up, so the only thing to see is that the loss falls.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import amsx

B, T, D, C = 8, 120, 64, 5  # videos, snippets, channels, classes


class TwoBranches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Linear(D, 128), nn.ReLU(), nn.Linear(128, C))
        self.second = nn.Sequential(nn.Linear(D, 128), nn.ReLU(), nn.Linear(128, C))

    def forward(self, feats: Tensor, labels: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, T, D), labels (B, C), lengths (B,) -> both branches' CASs (B, T, C) on uniform time."""
        cas = self.first(feats).sigmoid()
        sampled = amsx.adaptive_sample(feats, cas, labels=labels, lengths=lengths)
        cas_on_samples = self.second(sampled.feats).sigmoid()
        return cas, amsx.align_cas(cas_on_samples, sampled.timestamps, lengths)


def video_scores(cas: Tensor, lengths: Tensor) -> Tensor:
    """(B, T, C) -> (B, C): the mean of the highest eighth of the valid activations of each class."""
    valid = [rows[:n] for rows, n in zip(cas, lengths.tolist(), strict=True)]
    return torch.stack([rows.topk(max(len(rows) // 8, 1), dim=0).values.mean(dim=0) for rows in valid])


torch.manual_seed(0)
labels = F.one_hot(torch.arange(B) % C, C).float()
lengths = torch.randint(60, T + 1, (B,))
feats = 0.3 * torch.randn(B, T, D)
feats[:, 20:40] += (labels @ torch.randn(C, D))[:, None]  # the action is in snippets 20 to 39

model = TwoBranches()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for step in range(20):
    branches = model(feats, labels, lengths)
    loss = torch.stack([F.binary_cross_entropy(video_scores(cas, lengths), labels) for cas in branches]).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step in (0, 19):
        print(f"step {step:2}: loss {loss.item():.3f}")
