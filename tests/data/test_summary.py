"""What is said of a data set is what it holds."""

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from amsx.data.features import FeatureArray
from amsx.data.layouts import read_dataset
from amsx.data.summary import format_summary, histogram, summarize
from amsx.data.videos import Dataset, Segment, Timebase, Video


def made():
    def video(name, subset, n, labels, *segments, value=1.0):
        streams = {"rgb": FeatureArray(np.full((n, 3), value, "f4")), "flow": FeatureArray(np.ones((n, 2), "f4"))}
        return Video(name, subset, streams, labels, tuple(Segment(*s) for s in segments), Timebase(0.5))

    videos = (
        video("a", "train", 10, ("run",), (1, 2, "run"), (2, 3, "run")),
        video("b", "train", 20, ("jump", "run"), (1, 2, "run"), value=np.nan),
        video("c", "test", 7, ("swim",), (1, 9, "swim")),
    )
    return Dataset(None, "x", ("jump", "run"), videos, ("a note",))


def test_counts_are_right():
    summary = summarize(made()).to_json()
    json.dumps(summary)
    assert list(summary) == ["root", "layout", "streams", "notes", "subsets", "classes", "broken_values"]
    assert summary["streams"] == {"rgb": 3, "flow": 2} and summary["notes"] == ["a note"]
    train, test = summary["subsets"]["train"], summary["subsets"]["test"]
    assert (train["videos"], train["snippets"], train["seconds"], train["instances"]) == (2, 30, 15.0, 3)
    assert train["lengths"] == [10, 20] and train["snippet_seconds"] == [0.5]
    assert (train["labels_unlike_segments"], test["labels_unlike_segments"]) == (1, 0)
    assert (train["instances_past_the_end"], test["instances_past_the_end"]) == (0, 1)
    assert summary["classes"]["run"] == {
        "train": {"videos": 2, "instances": 3},
        "test": {"videos": 0, "instances": 0},
    }
    assert list(summary["classes"]) == ["jump", "run", "swim"]
    assert list(summary["broken_values"]) == ["b, rgb"]
    assert "NaN or infinite values in 20 of 20 rows" in summary["broken_values"]["b, rgb"]
    assert "broken_values" not in summarize(made(), values=False).to_json()


def test_people_are_told_the_same():
    text = format_summary(summarize(made()))
    for part in (
        "layout x, 3 classes, streams rgb (3 channels), flow (2 channels)",
        "  a note",
        "train: 2 videos, 30 snippets of 0.5 s, 0.00 hours, 3 labelled instances",
        "in 1 videos the labels are not those of the segments",
        "1 instances pass the features' end",
        "features with broken values: 1",
        "b, rgb: features in memory: NaN",
    ):
        assert part in text
    assert "features with broken values" not in format_summary(summarize(made(), values=False))


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=200))
def test_a_histogram_counts_every_video_once(lengths):
    first, *bars = histogram(lengths)
    assert first.startswith(f"snippets per video: {min(lengths)} to {max(lengths)}, ") and 1 <= len(bars) <= 10
    total = 0
    for bar in bars:
        span, count = bar.replace(" -", "-").split()[:2] if "- " not in bar else bar.replace("- ", "-").split()[:2]
        low, high = map(int, span.split("-"))
        assert int(count) == sum(low <= n <= high for n in lengths)
        total += int(count)
    assert total == len(lengths)


def test_salads_windows(shared_data):
    summary = summarize(read_dataset(shared_data("salads-windows")))
    assert {name: subset.videos for name, subset in summary.subsets.items()} == {"train": 406, "test": 105}
    assert len(summary.classes) == 17 and summary.broken_values == {}
    assert "features with broken values: none" in format_summary(summary)


def test_an_end_that_was_rounded_does_not_pass_the_features_end():
    def past(end):
        streams = {"rgb": FeatureArray(np.ones((100, 2), "f4"))}
        video = Video("a", "train", streams, ("run",), (Segment(0, end, "run"),), Timebase(1 / 15))
        summary = summarize(Dataset(None, "x", ("run",), (video,)))
        return summary.subsets["train"].instances_past_the_end

    assert [past(end) for end in (6.6667, 6.69, 6.71)] == [0, 0, 1]
