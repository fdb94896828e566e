"""The attention head of a branch: what it computes, what it may not see, and what it learns to suppress."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from amsx.model.attention import weighted_mean
from amsx.model.backbone import Backbone, BranchOutput
from amsx.model.losses import cas_classification_loss, classification_loss, sparsity_loss
from amsx.model.own_backbone import own_branch
from amsx.model.part import Part
from amsx.training.config import Config, override
from amsx.training.setup import build_model

LENGTHS = torch.tensor([11, 1, 6])
VALID = torch.arange(11) < LENGTHS[:, None]


def branch(attention: bool = True) -> Backbone:
    torch.manual_seed(0)
    return Backbone(5, 3, hidden=8, dropout=0.0, top_k_divisor=4, attention=attention).double()


def foreground(made: Backbone, hidden: Tensor) -> Tensor:
    """The foreground weights of hidden features (..., H)."""
    assert made.attention_head is not None
    weights: Tensor = made.attention_head(hidden).sigmoid()[..., 0]
    return weights


@pytest.fixture
def feats() -> Tensor:
    return torch.randn(3, 11, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_a_weighted_mean_by_hand_and_of_weights_that_vanish():
    x = torch.tensor([[[1.0], [4.0], [float("nan")]], [[2.0], [6.0], [7.0]]])
    found = weighted_mean(x, torch.tensor([[1.0, 3.0, 9.0], [0.0, 0.0, 0.0]]), torch.tensor([2, 3]))
    assert found.tolist() == [[3.25], [0.0]]


def test_the_output_written_out_video_by_video(feats):
    made = branch()
    found = made(feats, LENGTHS)
    for b, n in enumerate(LENGTHS.tolist()):
        hidden = made.embed(feats[b, :n]).relu()
        logits, attention = made.activation_head(hidden), foreground(made, hidden)
        torch.testing.assert_close(found.cas[b, :n], logits.softmax(dim=1)[:, :3] * attention[:, None])
        torch.testing.assert_close(found.logits[b, :n], logits[:, :3] + attention.log()[:, None])
        evidence = (made.category_head(hidden) * attention[:, None]).sum(dim=0) / attention.sum()
        torch.testing.assert_close(found.log_probs[b], evidence.log_softmax(dim=0))
        torch.testing.assert_close(found.attention[b, :n], attention)
        best = found.cas[b, :n].topk((n + 3) // 4, dim=0).values
        torch.testing.assert_close(found.cas_probs[b], best.mean(dim=0))


def test_the_head_comes_last_and_without_it_a_branch_is_what_it_was(feats):
    plain, attended = branch(attention=False), branch()
    assert attended.state_dict().keys() - plain.state_dict().keys() == {
        "attention_head.weight",
        "attention_head.bias",
    }
    for name, value in plain.state_dict().items():
        assert torch.equal(value, attended.state_dict()[name])
    assert plain(feats, LENGTHS).attention is None


def test_padding_never_matters_to_value_or_gradient(feats):
    results = []
    for padding in (0.0, 17.0):
        made = branch()
        output = made(torch.where(VALID[..., None], feats, torch.full_like(feats, padding)), LENGTHS)
        (
            output.cas[VALID].square().sum() + output.log_probs.sum() + sparsity_loss(output.attention, LENGTHS)
        ).backward()
        results.append([output.cas[VALID].detach(), output.log_probs.detach(), *(p.grad for p in made.parameters())])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_labels_of_videos_teach_it_to_suppress_what_goes_with_no_label():
    """Two classes of action, and clutter that is in every video, in those without an action, too."""
    generator = torch.Generator().manual_seed(0)
    kinds = torch.full((12, 20), 2)  # of every snippet: action 0, action 1 or clutter
    for video in range(8):
        first = int(torch.randint(0, 12, (), generator=generator))
        kinds[video, first : first + 8] = video % 2
    labels = torch.stack([(kinds == c).any(dim=1) for c in (0, 1)], dim=1).float()
    noise = 0.3 * torch.randn(12, 20, 6, generator=generator)
    feats, lengths = torch.eye(6)[kinds] + noise, torch.full((12,), 20)
    torch.manual_seed(0)
    made = Backbone(6, 2, hidden=16, dropout=0.0, top_k_divisor=8, attention=True)
    optimizer = torch.optim.Adam(made.parameters(), lr=0.03)
    for _ in range(60):
        output: BranchOutput = made(feats, lengths)
        loss = classification_loss(output.log_probs, labels) + cas_classification_loss(output.cas_probs, labels)
        optimizer.zero_grad()
        assert output.attention is not None
        (loss + 0.1 * sparsity_loss(output.attention, lengths)).backward()
        optimizer.step()
    with torch.no_grad():
        attention = foreground(made, made.embed(feats).relu())
        cas = made(feats, lengths).cas
    assert attention[kinds == 2].mean() < 0.2
    assert attention[kinds != 2].mean() > 0.6
    shown = F.one_hot(kinds, 3)[..., :2].bool()
    assert cas[shown].mean() > 20 * cas[~shown].mean()


def test_sparsity_is_a_mean_over_the_videos_of_the_whole_batch():
    attention, lengths = torch.tensor([[0.5, 1.0, 9.0], [0.25, 0.0, 0.5]]), torch.tensor([2, 3])
    assert sparsity_loss(attention, lengths).item() == (0.75 + 0.25) / 2
    assert sparsity_loss(attention, lengths, torch.zeros(8, 3)).item() == (0.75 + 0.25) / 8


def test_the_setting_reaches_both_branches():
    config = override(Config(), ["model.attention=true", "model.hidden=4"])
    weights = dict(build_model(6, 2, config).named_parameters())
    assert weights["base.attention_head.weight"].shape == weights["supplementary.attention_head.weight"].shape == (1, 4)


def test_a_backbone_of_ones_own_has_no_such_head_and_may_give_weights_of_its_own():
    config = override(Config(), ["model.attention=true", "model.backbone=torch.nn:Linear"])
    with pytest.raises(
        ValueError, match=r"model\.attention=true is a head of the paper's backbone, and torch\.nn:Linear"
    ):
        build_model(6, 2, config)
    made = own_branch(Attentive, "Attentive", 6, 2, hidden=4, dropout=0.0, top_k_divisor=4, smoothing=0.0)
    assert made(torch.rand(2, 5, 6), torch.tensor([5, 3])).attention.shape == (2, 5)
    with pytest.raises(ValueError, match=r"Wrong: attention is a tensor \(3, 7, 1\)"):
        own_branch(Wrong, "Wrong", 6, 2, hidden=4, dropout=0.0, top_k_divisor=4, smoothing=0.0)


class Attentive(Backbone):
    """A backbone of one's own that is the paper's with attention."""

    def __init__(self, in_features: int, num_classes: int, **settings: float) -> None:
        super().__init__(in_features, num_classes, attention=True, **settings)  # type: ignore[arg-type]


class Wrong(Attentive):
    """The same with an output of another shape."""

    def forward(self, feats: Tensor, lengths: Tensor, part: Part | None = None) -> BranchOutput:
        output = super().forward(feats, lengths, part)
        assert output.attention is not None
        return output._replace(attention=output.attention[..., None])
