"""The branches: masks, alignment, dropout, and what the padding must not do."""

import pytest
import torch

from amsx.model.ams import AMS, predicted_classes
from amsx.model.backbone import Backbone
from amsx.model.losses import (
    cas_classification_loss,
    classification_loss,
    co_activity_similarity_loss,
    localization_loss,
)
from amsx.model.pseudo_labels import pseudo_labels
from amsx.model.sampler import Sampler

LENGTHS = torch.tensor([11, 1, 6, 9])


@pytest.fixture
def model() -> AMS:
    torch.manual_seed(0)
    base, supplementary = (Backbone(5, 3, hidden=7, dropout=0.0, top_k_divisor=4) for _ in range(2))
    return AMS(base, supplementary, Sampler()).double()


@pytest.fixture
def feats() -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(4, 11, 5, generator=generator, dtype=torch.float64)


LABELS = torch.tensor([[1, 0, 1], [1, 0, 0], [0, 1, 1], [0, 1, 0]], dtype=torch.float64)


def everything(model: AMS, feats: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The sum of all losses of both branches, and their CASs at the snippets."""
    base = model.base_branch(feats, LENGTHS)
    output, aligned = model.supplementary_branch(feats, LENGTHS, base.cas, LABELS)
    loss = torch.zeros((), dtype=feats.dtype)
    for out, cas, teacher in ((base, base.cas, aligned), (output, aligned, base.cas)):
        targets = pseudo_labels(teacher.detach(), LABELS, LENGTHS, ratio=0.7)
        loss = loss + classification_loss(out.log_probs, LABELS)
        loss = loss + cas_classification_loss(out.cas_probs, LABELS)
        loss = loss + localization_loss(cas, targets, LABELS, LENGTHS)
        loss = loss + co_activity_similarity_loss(out.embedding, out.logits, LABELS, LENGTHS, margin=0.5)
    return loss, base.cas, aligned


@pytest.mark.parametrize("sampler", [Sampler(), None])
def test_padding_never_matters(model, feats, sampler):
    model.sampler = sampler
    valid = torch.arange(11) < LENGTHS[:, None]
    results = []
    for padding in (0.0, 17.0):
        x = torch.where(valid[..., None], feats, torch.full_like(feats, padding))
        model.zero_grad()
        loss, base, aligned = everything(model, x)
        loss.backward()
        gradients = [p.grad.clone() for p in model.parameters()]
        results.append([loss.detach(), base[valid].detach(), aligned[valid].detach(), *gradients])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


def test_a_batch_is_its_videos_one_by_one(model, feats):
    base, aligned, base_probs, probs = model.predict(feats, LENGTHS, 0.3)
    for b, n in enumerate(LENGTHS.tolist()):
        alone = model.predict(feats[b : b + 1, :n], LENGTHS[b : b + 1], 0.3)
        together = (base[b : b + 1, :n], aligned[b : b + 1, :n], base_probs[b : b + 1], probs[b : b + 1])
        for x, y in zip(together, alone, strict=True):
            torch.testing.assert_close(x, y, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("attention", [False, True])
@pytest.mark.parametrize("sampler", [None, Sampler()])
def test_the_cas_alone_is_that_of_the_branch(feats, attention, sampler):
    torch.manual_seed(0)
    branches = [Backbone(5, 3, hidden=7, dropout=0.5, top_k_divisor=4, attention=attention) for _ in range(2)]
    model = AMS(branches[0], branches[1], sampler).double().eval()
    base = model.base_branch(feats, LENGTHS).cas
    assert torch.equal(model.base_cas(feats, LENGTHS), base)
    _, aligned = model.supplementary_branch(feats, LENGTHS, base, LABELS)
    assert torch.equal(model.supplementary_cas(feats, LENGTHS, base, LABELS), aligned)


def test_the_cas_leaves_room_for_the_background(model, feats):
    cas = model.base_branch(feats, LENGTHS).cas
    assert cas.shape == (4, 11, 3)
    assert (cas >= 0).all()
    assert (cas.sum(dim=2) < 1).all()


def test_the_category_probabilities_sum_to_one(model, feats):
    probs = model.base_branch(feats, LENGTHS).log_probs.exp()
    torch.testing.assert_close(probs.sum(dim=1), torch.ones(4, dtype=torch.float64))


def test_a_sampled_branch_with_the_base_weights_comes_near_the_base_cas(model):
    """The alignment undoes the sampling: on smooth features the same weights give nearly the same CAS."""
    time = torch.linspace(0, 3, 60, dtype=torch.float64)
    feats = torch.stack([time.sin(), time.cos(), time / 3, time * 0, time**2 / 9], dim=1)[None]
    lengths = torch.tensor([60])
    model.supplementary.load_state_dict(model.base.state_dict())
    base = model.base_branch(feats, lengths)
    _, aligned = model.supplementary_branch(feats, lengths, base.cas * 20, torch.ones(1, 3))
    assert (aligned - base.cas).abs().max() < 0.01


def test_only_the_supplementary_branch_learns_from_its_cas(model, feats):
    base = model.base_branch(feats, LENGTHS)
    _, aligned = model.supplementary_branch(feats, LENGTHS, base.cas.detach(), LABELS)
    aligned.sum().backward()
    assert all(p.grad is None for p in model.base.parameters())
    assert model.supplementary.embed.weight.grad.abs().sum() > 0


def test_predicted_classes():
    probs = torch.tensor([[0.5, 0.3, 0.2], [0.3, 0.4, 0.3], [0.25, 0.25, 0.5]])
    assert predicted_classes(probs, 0.25).tolist() == [[1, 1, 0], [1, 1, 1], [1, 1, 1]]
    assert predicted_classes(probs, 0.45).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_standardization_is_that_of_the_features(model, feats):
    branch = model.base
    mean, deviation = feats.flatten(0, 1).mean(dim=0), feats.flatten(0, 1).std(dim=0)
    expected = branch((feats - mean) / deviation, LENGTHS)
    branch.standardize_by(mean, deviation)
    for a, b in zip(branch(feats, LENGTHS), expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


def test_dropout_is_for_training_alone(feats):
    branch = Backbone(5, 3, hidden=64, dropout=0.5, top_k_divisor=4).double()
    assert (branch(feats, LENGTHS).embedding != branch(feats, LENGTHS).embedding).any()
    branch.eval()
    assert (branch(feats, LENGTHS).embedding == branch(feats, LENGTHS).embedding).all()


def test_without_a_background_every_snippet_is_shared_among_the_classes(feats):
    with_background, without = (
        Backbone(5, 3, hidden=7, dropout=0.0, top_k_divisor=4, background=there).double() for there in (True, False)
    )
    assert torch.allclose(without(feats, LENGTHS).cas.sum(dim=2), torch.ones(4, 11, dtype=torch.float64))
    assert (with_background(feats, LENGTHS).cas.sum(dim=2) < 1).all()
    assert without(feats, LENGTHS).logits.shape == (4, 11, 3)
