"""Every loss against a literal transcription of its equation, video by video, in loops."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from amsx.model.losses import (
    cas_classification_loss,
    classification_loss,
    co_activity_similarity_loss,
    localization_loss,
)
from amsx.model.masking import masked_mean, masked_softmax, top_k_mean
from amsx.model.pseudo_labels import confidence, pseudo_labels


@st.composite
def batches(draw, most_videos=5):
    """A seeded generator, and lengths, T and C of a batch; T may exceed every length."""
    lengths = draw(st.lists(st.integers(1, 9), min_size=1, max_size=most_videos))
    size = max(lengths) + draw(st.integers(0, 3))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    return generator, torch.tensor(lengths), size, draw(st.integers(1, 4))


def uniform(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=generator, dtype=torch.float64)


def multi_hot(generator: torch.Generator, *shape: int) -> Tensor:
    return (uniform(generator, *shape) < 0.5).double()


def close(found: Tensor, expected: float) -> bool:
    return math.isclose(found.item(), expected, rel_tol=1e-9, abs_tol=1e-9)


@given(batches(), st.integers(1, 9))
def test_top_k_mean(batch, divisor):
    generator, lengths, size, classes = batch
    x = uniform(generator, len(lengths), size, classes) - 0.5
    found = top_k_mean(x, lengths, divisor)
    for b, n in enumerate(lengths.tolist()):
        k = math.ceil(n / divisor)
        for c in range(classes):
            best = sorted(x[b, :n, c].tolist(), reverse=True)[:k]
            assert close(found[b, c], sum(best) / k)


@given(batches())
def test_masked_mean_and_softmax(batch):
    generator, lengths, size, classes = batch
    x = uniform(generator, len(lengths), size, classes)
    mean, soft = masked_mean(x, lengths), masked_softmax(x, lengths)
    for b, n in enumerate(lengths.tolist()):
        torch.testing.assert_close(mean[b], x[b, :n].mean(dim=0))
        torch.testing.assert_close(soft[b, :n], x[b, :n].softmax(dim=0))
        assert (soft[b, n:] == 0).all()


@given(batches())
def test_eq_10(batch):
    generator, lengths, _, classes = batch
    log_probs = uniform(generator, len(lengths), classes).log_softmax(dim=1)
    labels = multi_hot(generator, len(lengths), classes)
    losses = []
    for b in range(len(lengths)):
        named = [c for c in range(classes) if labels[b, c]]
        if named:
            losses.append(-sum(log_probs[b, c].item() / len(named) for c in named))
    assert close(classification_loss(log_probs, labels), sum(losses) / len(losses) if losses else 0)


@given(batches())
def test_cas_classification(batch):
    generator, lengths, _, classes = batch
    probs, labels = uniform(generator, len(lengths), classes), multi_hot(generator, len(lengths), classes)
    losses = []
    for b in range(len(lengths)):
        terms = [p if y else 1 - p for p, y in zip(probs[b].tolist(), labels[b].tolist(), strict=True)]
        losses.append(-sum(math.log(term) for term in terms))
    found = cas_classification_loss(probs, labels)
    assert math.isclose(found.item(), sum(losses) / len(losses) if losses else 0, rel_tol=1e-4)


@given(batches(), st.floats(0, 2))
def test_eq_8(batch, ratio):
    generator, lengths, size, classes = batch
    cas = uniform(generator, len(lengths), size, classes)
    labels = multi_hot(generator, len(lengths), classes)
    found = pseudo_labels(cas, labels, lengths, ratio=ratio)
    for b, n in enumerate(lengths.tolist()):
        for c in range(classes):
            threshold = ratio * sum(cas[b, :n, c].tolist()) / n
            for t in range(size):
                if t < n and labels[b, c] and abs(cas[b, t, c].item() - threshold) < 1e-12:
                    continue  # a tie, which the order of the sum decides
                assert found[b, t, c] == bool(t < n and labels[b, c] and cas[b, t, c] > threshold)


@given(batches())
def test_exclusive_targets_keep_the_highest_ground_truth_class(batch):
    generator, lengths, size, classes = batch
    cas = uniform(generator, len(lengths), size, classes)
    labels = multi_hot(generator, len(lengths), classes)
    shared = pseudo_labels(cas, labels, lengths, ratio=0.7)
    found = pseudo_labels(cas, labels, lengths, ratio=0.7, exclusive=True)
    for b in range(len(lengths)):
        named = [c for c in range(classes) if labels[b, c]]
        for t in range(size):
            for c in range(classes):
                highest = bool(named) and c == max(named, key=lambda k: cas[b, t, k].item())
                assert found[b, t, c] == (bool(shared[b, t, c]) and highest)


@given(batches(), st.floats(0, 2))
def test_confidence_is_the_way_from_the_threshold_to_what_is_furthest_from_it(batch, ratio):
    generator, lengths, size, classes = batch
    cas = uniform(generator, len(lengths), size, classes)
    found = confidence(cas, multi_hot(generator, len(lengths), classes), lengths, ratio=ratio)
    for b, n in enumerate(lengths.tolist()):
        for c in range(classes):
            values = cas[b, :n, c].tolist()
            threshold = ratio * sum(values) / n
            for t, m in enumerate(values):
                if abs(m - threshold) < 1e-6:
                    continue  # a tie, which the order of the sum decides
                way = (max(values) - threshold) if m > threshold else threshold
                assert math.isclose(found[b, t, c].item(), abs(m - threshold) / way, rel_tol=1e-6)


@given(batches())
def test_eq_9_weighted_by_confidence(batch):
    generator, lengths, size, classes = batch
    cas = 0.01 + 0.98 * uniform(generator, len(lengths), size, classes)
    sure = uniform(generator, len(lengths), size, classes)
    labels = multi_hot(generator, len(lengths), classes)
    targets = uniform(generator, len(lengths), size, classes) < 0.5
    losses = []
    for b, n in enumerate(lengths.tolist()):
        for c in (c for c in range(classes) if labels[b, c]):
            loss = 0.0
            for positive in (True, False):
                of = [t for t in range(n) if bool(targets[b, t, c]) == positive]
                weights = [sure[b, t, c].item() for t in of]
                logs = [math.log(m if positive else 1 - m) for m in cas[b, of, c].tolist()]
                if of:
                    loss -= sum(w * value for w, value in zip(weights, logs, strict=True)) / max(sum(weights), 1e-6)
            losses.append(loss)
    found = localization_loss(cas, targets, labels, lengths, confidence=sure)
    assert close(found, sum(losses) / len(losses) if losses else 0)
    equal = localization_loss(cas, targets, labels, lengths, confidence=torch.full_like(cas, 0.5))
    assert close(equal, localization_loss(cas, targets, labels, lengths).item())


@given(batches())
def test_eq_9(batch):
    generator, lengths, size, classes = batch
    cas = 0.01 + 0.98 * uniform(generator, len(lengths), size, classes)
    labels = multi_hot(generator, len(lengths), classes)
    targets = uniform(generator, len(lengths), size, classes) < 0.5
    losses = []
    for b, n in enumerate(lengths.tolist()):
        for c in range(classes):
            if not labels[b, c]:
                continue
            positive = [cas[b, t, c].item() for t in range(n) if targets[b, t, c]]
            negative = [cas[b, t, c].item() for t in range(n) if not targets[b, t, c]]
            loss = 0.0
            if positive:
                loss -= sum(math.log(m) for m in positive) / len(positive)
            if negative:
                loss -= sum(math.log(1 - m) for m in negative) / len(negative)
            losses.append(loss)
    found = localization_loss(cas, targets, labels, lengths)
    assert close(found, sum(losses) / len(losses) if losses else 0)


def test_eq_9_is_finite_where_activations_saturate():
    cas = torch.tensor([[[0.0], [1.0]]], requires_grad=True)
    targets = torch.tensor([[[True], [False]]])
    loss = localization_loss(cas, targets, torch.ones(1, 1), torch.tensor([2]))
    loss.backward()
    assert loss.isfinite()
    assert cas.grad is not None
    assert cas.grad.isfinite().all()


def distance(x: Tensor, y: Tensor) -> float:
    norms = x.norm().item() * y.norm().item()
    return 1 - (x @ y).item() / norms if norms > 0 else 1.0


def naive_similarity(embedding, logits, labels, lengths, margin) -> float:
    total, shared = 0.0, 0
    for i in range(0, len(lengths) - 1, 2):
        parts = []
        for b in (i, i + 1):
            n = int(lengths[b])
            attention = logits[b, :n].softmax(dim=0)
            high = embedding[b, :n].T @ attention
            low = embedding[b, :n].T @ (1 - attention) / max(n - 1, 1)
            parts.append((high, low))
        for c in range(labels.shape[1]):
            if labels[i, c] and labels[i + 1, c]:
                (hi, li), (hj, lj) = [(high[:, c], low[:, c]) for high, low in parts]
                near = distance(hi, hj)
                total += 0.5 * max(near - distance(hi, lj) + margin, 0)
                total += 0.5 * max(near - distance(hj, li) + margin, 0)
                shared += 1
    return total / shared if shared else 0.0


@given(batches(), st.integers(1, 6))
@settings(deadline=None)
def test_co_activity_similarity(batch, width):
    generator, lengths, size, classes = batch
    lengths = lengths + 1  # a single snippet has no rest; it is tested below
    embedding = uniform(generator, len(lengths), size + 1, width) - 0.3
    logits = 3 * uniform(generator, len(lengths), size + 1, classes)
    labels = multi_hot(generator, len(lengths), classes)
    found = co_activity_similarity_loss(embedding, logits, labels, lengths, margin=0.5)
    assert close(found, naive_similarity(embedding, logits, labels, lengths, 0.5))


def test_co_activity_similarity_of_nothing_is_zero_with_a_gradient():
    embedding = torch.zeros(2, 3, 4, requires_grad=True)  # zero vectors, no shared class, a single snippet
    logits = torch.zeros(2, 3, 2, requires_grad=True)
    lengths = torch.tensor([1, 3])
    apart = co_activity_similarity_loss(embedding, logits, torch.eye(2), lengths, margin=0.5)
    assert apart.item() == 0
    shared = co_activity_similarity_loss(embedding, logits, torch.ones(2, 2), lengths, margin=0.5)
    assert shared.item() == pytest.approx(0.5)  # all distances 1: the margin remains
    (apart + shared).backward()
    assert embedding.grad is not None
    assert embedding.grad.isfinite().all()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
