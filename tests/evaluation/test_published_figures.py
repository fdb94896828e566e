"""Published detections must get their published scores."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from amsx.evaluation import Selection, evaluate


def test_autoloc_on_activitynet(shared_data: Callable[[str], Path]) -> None:
    folder = shared_data("activitynet12-autoloc")
    result = evaluate(folder / "predictions.json", folder / "gt.json", "activitynet", "0.5:0.05:0.95")
    at = dict(zip(result.tiou, result.mean_ap, strict=True))
    assert [round(at[t], 1) for t in (0.5, 0.75, 0.95)] == [27.3, 15.1, 3.3]
    assert round(result.average, 1) == 16.0
    published = [27.3, 24.9, 22.5, 19.9, 17.5, 15.1, 13.0, 10.0, 6.8, 3.3]
    assert [round(value, 1) for value in result.mean_ap] == published
    assert result.counts.videos == 2304
    assert result.counts.detections == 13295
    assert result.notes == []


@pytest.mark.parametrize(
    ("folder", "file", "subset", "n_videos"),
    [
        ("thumos14-basnet", "gt.json", "test", 210),  # segments are strings
        ("gtea-windows", "gtea_windows.json", "test", 85),  # spelled Test; Validation is the training set
        ("salads-windows", "gt.json", "test", 105),
        (
            "activitynet12",
            "activity_net.v1-2.min.json",
            "validation",
            2383,
        ),  # the test videos carry no annotation
    ],
)
def test_ground_truth_scores_itself_in_full(
    shared_data: Callable[[str], Path], folder: str, file: str, subset: str, n_videos: int
) -> None:
    path = shared_data(folder) / file
    database = json.loads(path.read_text())["database"]
    chosen = {v: e for v, e in database.items() if e["subset"].lower() == subset}
    results = {
        video: [{**a, "score": 1.0} for a in entry["annotations"] if float(a["segment"][0]) < float(a["segment"][1])]
        for video, entry in chosen.items()
    }
    result = evaluate({"results": results}, path, tiou=[0.5, 1.0])
    assert result.subset == subset
    assert result.counts.videos == n_videos
    assert any(f"subset '{subset}' chosen" in note for note in result.notes)
    missed = sum(a["segment"][0] == a["segment"][1] for e in chosen.values() for a in e["annotations"])
    if missed == 0:
        assert result.mean_ap == [100.0, 100.0]
    else:
        assert any(f"{missed} instances of zero length" in note for note in result.notes)
        assert 99.0 < result.mean_ap[1] < 100.0


def test_ambiguous_spans_of_the_wtalc_bundle(shared_data: Callable[[str], Path]) -> None:
    truth = shared_data("thumos14-basnet") / "gt.json"
    spans = shared_data("thumos14-wtalc") / "Thumos14reduced-Annotations" / "Ambiguous_test.txt"
    in_span = {
        "label": "HighJump",
        "score": 0.5,
        "segment": [51.0, 54.0],
    }  # the file's third span: 50.6 to 54.6
    predictions = {"results": {"video_test_0000293": [in_span]}}
    spared = evaluate(predictions, truth, "thumos14-official", selection=Selection(ambiguous=spans))
    dropped = evaluate(predictions, truth, "wtalc-snippets", selection=Selection(ambiguous=spans))
    assert spared.counts.ambiguous_spans > 50
    assert (spared.counts.detections, spared.counts.ambiguous_detections_dropped) == (1, 0)
    assert (dropped.counts.detections, dropped.counts.ambiguous_detections_dropped) == (0, 1)
