"""What the paper reports: on its own data, at its own thresholds."""

import json
from dataclasses import replace

import pytest

from amsx.data.synthetic import SyntheticConfig, make_dataset
from amsx.experiments.paper import THUMOS14_CLASSES, is_thumos14, reported

TIOU = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]


@pytest.mark.parametrize(
    ("tiou", "average"), [(TIOU, 42.3), (TIOU[:5], 52.0), (TIOU[2:], 32.4), ([0.5, 0.75, 0.95], None)]
)
def test_averages_are_over_the_papers_own_thresholds(tiou, average):
    assert reported("table4", "adaptive", tiou)[1] == average
    assert reported("table4", "random", tiou) == ([None] * len(tiou), None)


def test_the_papers_data_is_known_by_its_classes(shared_data):
    database = json.loads((shared_data("thumos14-basnet") / "gt.json").read_text())["database"]
    assert {a["label"] for entry in database.values() for a in entry["annotations"]} == THUMOS14_CLASSES


def test_other_data_is_not_taken_for_the_papers():
    dataset = make_dataset(SyntheticConfig(train_videos=6, test_videos=3))
    assert not is_thumos14(dataset)
    assert is_thumos14(replace(dataset, classes=tuple(sorted(THUMOS14_CLASSES))))
