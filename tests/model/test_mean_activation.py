"""The readings of avg(M), as loops, and the same in localization."""

from typing import get_args

import numpy as np
import pytest
import torch

from amsx.choices import MeanReading
from amsx.localization.fusion import Activations
from amsx.localization.post_processing import PostProcessing, ThresholdOf
from amsx.localization.proposals import predicted_classes, propose, thresholds
from amsx.model.mean_activation import mean_activation
from amsx.model.pseudo_labels import pseudo_labels

LENGTHS = torch.tensor([7, 3, 5])
LABELS = torch.tensor([[1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
READINGS = get_args(MeanReading)


@pytest.fixture
def cas() -> torch.Tensor:
    return torch.rand(3, 7, 4, generator=torch.Generator().manual_seed(0))


def by_loop(cas: torch.Tensor, video: int, label: int, reading: str) -> float:
    rows = cas[video, : LENGTHS[video]].double().numpy()
    own = rows[:, label].mean()
    named = np.flatnonzero(LABELS[video].numpy())
    of_video = rows[:, named].mean() if len(named) else own
    return {"mean": own, "video-mean": of_video, "all-mean": rows.mean(), "lower-mean": min(own, of_video)}[reading]


@pytest.mark.parametrize("reading", READINGS)
def test_readings_are_what_they_say(cas: torch.Tensor, reading: MeanReading) -> None:
    means = mean_activation(cas, LABELS, LENGTHS, reading)
    expected = [[by_loop(cas, video, label, reading) for label in range(4)] for video in range(3)]
    torch.testing.assert_close(means, torch.tensor(expected, dtype=torch.float32))


@pytest.mark.parametrize("reading", READINGS)
def test_pseudo_labels_exceed_the_reading(cas: torch.Tensor, reading: MeanReading) -> None:
    positive = pseudo_labels(cas, LABELS, LENGTHS, ratio=0.9, reading=reading)
    for video, label in [(0, 0), (0, 2), (1, 1)]:
        above = cas[video, : LENGTHS[video], label] > 0.9 * by_loop(cas, video, label, reading)
        assert torch.equal(positive[video, : LENGTHS[video], label], above)
    assert not positive[2].any()


@pytest.mark.parametrize("reading", READINGS)
def test_localization_reads_it_alike(cas: torch.Tensor, reading: MeanReading) -> None:
    options = PostProcessing(class_threshold=0.5, threshold=0.9, threshold_of=reading)
    rows = np.concatenate([cas[video, :n].numpy() for video, n in enumerate(LENGTHS.tolist())])
    activations = Activations(rows, LABELS.numpy(), LENGTHS.numpy())
    found = propose(activations, options)
    begin = 0
    for video, n in enumerate(LENGTHS.tolist()):
        alone = Activations(rows[begin : begin + n], LABELS[[video]].numpy(), np.array([n]))
        begin += n
        for label in np.flatnonzero(predicted_classes(alone.probs, 0.5)[0]).tolist():
            if video < 2:  # the third has no label, and is given its likeliest class
                level = 0.9 * by_loop(cas, video, label, reading)
                assert thresholds(alone, label, options) == pytest.approx([level])
            inside = np.zeros(n, bool)
            for start, end in zip(found.start, found.end, strict=True):
                mine = (found.video == video) & (found.label == label) & (found.start == start) & (found.end == end)
                if mine.any():
                    inside[start:end] = True
            np.testing.assert_array_equal(inside, alone.cas[:, label] > thresholds(alone, label, options)[0])


def test_a_setting_for_every_reading() -> None:
    assert set(get_args(ThresholdOf)) == {*READINGS, "range"}
