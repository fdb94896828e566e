"""A backbone of your own in both branches of AMS: convolutions over time, where the paper's sees each snippet alone.

Run it as a script, or give it to the command line, which imports it from Python's path:

    PYTHONPATH=examples amsx train DATA --backbone own_backbone:TemporalConvolutions --out RUN
    PYTHONPATH=examples amsx localize RUN NEW.npy --backbone own_backbone:TemporalConvolutions
"""

from pathlib import Path

import torch
from torch import Tensor, nn

import amsx
from amsx.data.synthetic import SyntheticConfig, make_dataset
from amsx.model.masking import top_k_mean, valid_mask


class TemporalConvolutions(nn.Module):
    """Two convolutions over time, then the two heads of a branch."""

    def __init__(self, in_features: int, num_classes: int, *, hidden: int, dropout: float, top_k_divisor: int) -> None:
        super().__init__()
        self.top_k_divisor = top_k_divisor
        first, second = (nn.Conv1d(width, hidden, 3, padding=1) for width in (in_features, hidden))
        self.layers = nn.ModuleList([first, second])
        self.dropout = nn.Dropout(dropout)
        self.activations = nn.Linear(hidden, num_classes + 1)  # the last channel is the background
        self.categories = nn.Linear(hidden, num_classes)

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features (B, T, D), 0 in the padding, to a CAS (B, T, C), log-probabilities (B, C) and an embedding."""
        valid = valid_mask(lengths, features.shape[1])[:, None]  # (B, 1, T)
        x = features.transpose(1, 2)
        for layer in self.layers:
            x = layer(x).relu() * valid  # the next layer must not see what a bias put into the padding
        embedding = self.dropout(x.transpose(1, 2))
        cas = self.activations(embedding).softmax(dim=2)[..., :-1]
        evidence = top_k_mean(self.categories(embedding), lengths, self.top_k_divisor)
        return cas, evidence.log_softmax(dim=1), embedding


def main() -> None:
    """Train it on a small synthetic set, and load the run."""
    dataset = make_dataset(SyntheticConfig(classes=3, train_videos=12, test_videos=6, length=(40, 60)))
    phases = ("base_epochs=4", "supplementary_epochs=4", "alternate_epochs=1", "iterations=1")
    settings = [*(f"phases.{one}" for one in phases), "model.hidden=32", "optimization.learning_rate=0.005"]
    run = Path("amsx-own-backbone")
    result = amsx.train(dataset, run, backbone=TemporalConvolutions, overrides=settings, progress=False)
    print(f"average mAP {result.metrics.average:.1f} ({result.metrics.protocol})")
    model = amsx.load(run, backbone=TemporalConvolutions)
    found = model.localize({stream: torch.rand(50, width) for stream, width in model.widths.items()})
    print(f"{len(found)} detections by {model.config.model.backbone}")


if __name__ == "__main__":
    main()
