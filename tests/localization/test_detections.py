"""Detections: in seconds, best first, the same however often they are made."""

import numpy as np
import pytest

from amsx.data.videos import Timebase
from amsx.localization.detections import detect
from amsx.localization.fusion import Activations
from amsx.localization.post_processing import PostProcessing


def test_detections_are_in_seconds_and_sorted():
    cas = np.array([[0.0], [0.5], [0.0], [0.9], [0.9], [0.0]], np.float32)
    activations = Activations(cas, np.ones((2, 1), np.float32), np.array([5, 1]))
    detections = detect(
        activations,
        ["first", "second"],
        ["jump"],
        [Timebase(0.5, offset=1.0), Timebase(2.0)],
        PostProcessing(),
    )
    assert detections.records() == {
        "first": [
            {"label": "jump", "score": np.float32(0.9).item(), "segment": [2.5, 3.5]},
            {"label": "jump", "score": 0.5, "segment": [1.5, 2.0]},
        ],
        "second": [],
    }


def test_proposals_may_end_at_the_centres_of_snippets():
    cas = np.array([[0.0], [0.5], [0.0], [0.9], [0.9], [0.0]], np.float32)
    activations = Activations(cas, np.ones((1, 1), np.float32), np.array([6]))
    found = detect(activations, ["v"], ["jump"], [Timebase(0.5, offset=1.0)], PostProcessing(ends="centres"))
    assert [d["segment"] for d in found.records()["v"]] == [[2.75, 3.25], [1.75, 1.75]]


def test_of_equal_scores_the_first_class_and_the_earlier_start_are_first():
    cas = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], np.float32)
    activations = Activations(cas, np.full((1, 2), 0.5, np.float32), np.array([4]))
    found = detect(activations, ["v"], ["run", "jump"], [Timebase(1.0)], PostProcessing(nms="soft")).records()["v"]
    assert [(d["label"], *d["segment"]) for d in found] == [
        ("run", 0.0, 1.0),
        ("run", 2.0, 4.0),
        ("jump", 1.0, 2.0),
        ("jump", 3.0, 4.0),
    ]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"class_threshold": 1.5}, r"localization.class_threshold must be in \[0, 1\], got 1.5"),
        ({"threshold": -0.1}, "localization.threshold must be at least 0 and finite, got -0.1"),
        ({"thresholds": (0.1, -0.1)}, "localization.thresholds must be finite numbers of at least 0"),
        ({"thresholds": (float("nan"),)}, "localization.thresholds must be finite numbers of at least 0"),
        (
            {"thresholds": (0.5, 1.0), "threshold_of": "range"},
            "thresholds must be below 1 where threshold_of is 'range'",
        ),
        ({"threshold": 1.0, "threshold_of": "range"}, "threshold must be below 1 where threshold_of is 'range'"),
        ({"class_weight": -1.0}, "localization.class_weight must be at least 0"),
        ({"nms_tiou": 1.5}, r"localization.nms_tiou must be in \[0, 1\]"),
        ({"nms_sigma": 0.0}, "localization.nms_sigma must be greater than 0"),
    ],
)
def test_choices_that_make_no_sense_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        PostProcessing(**values)
