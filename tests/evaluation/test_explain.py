"""`explain` as a whole: published detections, what must hold whatever the data, text and command line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from amsx.cli import main
from amsx.evaluation import evaluate
from amsx.evaluation.explain import explain, shown_threshold
from amsx.evaluation.protocols import PROTOCOLS
from amsx.evaluation.tables import format_explanation

TRUTH: dict[str, Any] = {
    "database": {
        "a": {
            "subset": "test",
            "duration": 40.0,
            "annotations": [
                {"label": "HighJump", "segment": [0, 10]},
                {"label": "HighJump", "segment": [20, 24]},
                {"label": "run", "segment": [0, 4]},
            ],
        }
    }
}
FOUND: dict[str, Any] = {
    "results": {
        "a": [
            {"label": "HighJump", "score": 0.9, "segment": [0, 6]},
            {"label": "HighJump", "score": 0.8, "segment": [1, 9]},
            {"label": "HighJump", "score": 0.7, "segment": [20, 23]},
            {"label": "run", "score": 0.6, "segment": [2, 6]},
        ]
    }
}


@pytest.fixture(scope="module")
def autoloc(shared_data: Callable[[str], Path]) -> dict[str, Any]:
    folder = shared_data("activitynet12-autoloc")
    result = explain(folder / "predictions.json", folder / "gt.json", tiou="0.5:0.05:0.95", cuts="quantiles")
    return result.to_json()


def test_published_detections_are_scored_as_by_evaluate(
    autoloc: dict[str, Any], shared_data: Callable[[str], Path]
) -> None:
    folder = shared_data("activitynet12-autoloc")
    plain = evaluate(folder / "predictions.json", folder / "gt.json", tiou="0.5:0.05:0.95").to_json()
    note = "3457 instances of no known coverage: the ground truth gives no duration of their videos"
    assert {key: autoloc[key] for key in plain if key != "notes"} == {k: v for k, v in plain.items() if k != "notes"}
    assert autoloc["notes"] == [*plain["notes"], note]
    json.dumps(autoloc, allow_nan=False)  # ready for any reader of JSON


def test_curves_of_published_detections_have_the_ap_as_area(autoloc: dict[str, Any]) -> None:
    areas = np.zeros(10)
    for label, curves in autoloc["curves"]["per_class"].items():
        for k, curve in enumerate(curves):
            area = (np.diff(curve["recall"], prepend=0.0) * curve["envelope"]).sum() / 100
            assert area == pytest.approx(autoloc["per_class"][label]["AP"][k], abs=0.01)  # points have four decimals
            areas[k] += area / 100
    assert areas.tolist() == pytest.approx(autoloc["mAP"], abs=0.01)
    mean = np.array(autoloc["curves"]["mean"])
    assert mean.shape == (10, 101)
    assert (np.diff(mean, axis=1) <= 0).all()
    assert ((mean[:, 1:] + mean[:, :-1]) / 2).mean(axis=1).tolist() == pytest.approx(autoloc["mAP"], abs=0.5)


def test_errors_of_published_detections_add_up(autoloc: dict[str, Any]) -> None:
    errors, everything = autoloc["errors"], np.array(autoloc["errors"]["all"]["counts"])
    counts = np.array(errors["counts"])
    assert (everything.sum(axis=1) == 13295).all()
    assert (counts.sum(axis=1) <= everything).all()
    for of_threshold in errors["shares"]:
        assert [sum(row) for row in of_threshold if row] == pytest.approx([100.0] * sum(map(bool, of_threshold)))
    assert (counts[:, 0].sum(axis=1) <= 3457).all()
    # A higher threshold finds less; what it loses are localization errors, never background.
    assert (np.diff(everything[:, 0]) <= 0).all()
    assert (np.diff(everything[:, 3]) >= 0).all()
    assert len(set(everything[:, 5])) == 1
    assert (everything[:, 0] + errors["missed"]["instances"] == 3457).all()
    for gain in errors["gain"].values():
        assert min(gain["mAP"]) >= 0
        assert gain["average"] == pytest.approx(np.mean(gain["mAP"]))
        assert max(np.add(autoloc["mAP"], gain["mAP"])) <= 100


def test_sensitivity_of_published_detections(autoloc: dict[str, Any]) -> None:
    sensitive = autoloc["sensitivity"]
    assert sensitive["characteristics"]["coverage"] is None
    for name in ("length", "instances per video"):
        buckets = sensitive["characteristics"][name]["buckets"]
        assert sum(bucket["instances"] for bucket in buckets) == 3457
        missed = sum(bucket["instances"] * bucket["missed"][0] for bucket in buckets) / 3457
        assert missed == pytest.approx(autoloc["errors"]["missed"]["share"][0])
    averages = [bucket["average"] for bucket in sensitive["characteristics"]["length"]["buckets"]]
    assert averages[0] == min(averages)
    assert averages[4] == max(averages)


def test_recall_of_published_detections(autoloc: dict[str, Any]) -> None:
    proposals = autoloc["proposals"]
    assert (proposals["videos"], len(proposals["recall"])) == (2304, 100)
    assert (np.diff(proposals["per_tiou"], axis=0) <= 0).all()
    # Whatever the label, at least what is found with the right one.
    assert proposals["per_tiou"][0][-1] >= 100 - autoloc["errors"]["missed"]["share"][0]
    assert proposals["area"] <= max(proposals["recall"])


@pytest.mark.parametrize("protocol", [protocol.name for protocol in PROTOCOLS])
def test_every_protocol_is_explained_even_where_nothing_was_found(protocol: str) -> None:
    nothing: dict[str, Any] = {"results": {"a": []}}
    for found in (FOUND, nothing):
        result = explain(found, TRUTH, protocol)
        assert result.evaluation.mean_ap == evaluate(found, TRUTH, protocol).mean_ap
        for gain in result.errors.gain.values():
            assert min(gain.mean_ap) >= 0
        json.dumps(result.to_json(), allow_nan=False)
        assert "instances missed" in format_explanation(result)


def test_threshold_to_show() -> None:
    assert shown_threshold([0.1, 0.3, 0.5, 0.7]) == 2
    assert shown_threshold([0.75, 0.95]) == 0
    assert shown_threshold([0.3]) == 0


def test_text_by_hand() -> None:
    lines = format_explanation(explain(FOUND, TRUTH, tiou=0.5)).splitlines()
    # HighJump: right, double, right. run has tIoU 1/3 with its own instance, but 0.4 with HighJump's first.
    assert lines[:3] == [
        "interpolated precision at tIoU 0.5, mean over classes",
        "recall (%)        0    10    20    30    40    50    60    70    80    90   100",
        "precision (%)  50.0  50.0  50.0  50.0  50.0  50.0  33.3  33.3  33.3  33.3  33.3",
    ]
    assert lines[5:12] == [
        "detections       count  true positive  double detection  wrong label  localization  confusion  background",
        "G x 0 to 1           3           33.3              33.3          0.0           0.0       33.3         0.0",
        "G x 1 to 2           1          100.0               0.0          0.0           0.0        0.0         0.0",
        "all                  4           50.0              25.0          0.0           0.0       25.0         0.0",
        "mAP without                                        +8.3         +0.0          +0.0       +0.0        +0.0",
        "average without                                    +8.3         +0.0          +0.0       +0.0        +0.0",
        "instances missed: 1 of 3 (33.3 %)",
    ]
    assert lines[13] == "sensitivity (%), buckets cut at quantiles"
    # N = 1.5: HighJump's second has R = 1 after one false positive, so P = 1.5 / (1.5 + 1); AP_N 0.8, and 0 for run.
    assert lines[15].split() == ["all", "3", "40.0", "40.0", "33.3"]
    assert "4.0 per video there are" in lines[-3]


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [tmp_path / "found.json", tmp_path / "truth.json"]
    for path, content in zip(files, (FOUND, TRUTH), strict=True):
        path.write_text(json.dumps(content))
    command = ["evaluate", *map(str, files), "--tiou", "0.5"]
    assert main([*command, "--explain", "--cuts", "thumos14"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("protocol activitynet")
    assert "buckets cut at thumos14" in text
    assert main([*command, "--explain", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["errors"]["types"][0] == "true positive"
    assert main([*command, "--plots", str(tmp_path / "plots"), "--format", "svg"]) == 0
    text = capsys.readouterr().out
    for name in ("precision_recall", "errors", "sensitivity", "proposals"):
        path = tmp_path / "plots" / f"{name}.svg"
        assert f"plot: {path}" in text
        assert path.read_text().startswith("<?xml")
