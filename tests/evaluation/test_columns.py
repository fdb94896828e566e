"""Columns from arrays: checked once, evaluated and written without records in between."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from amsx.evaluation import Columns, evaluate
from amsx.evaluation.predictions import write_predictions

VIDEOS, LABELS = ["b", "a"], ["jump", "swim", "run"]
ARRAYS: dict[str, Any] = {
    "video": [0, 0, 1],
    "label": [2, 0, 2],
    "start": [0.0, 4.0, 1.0],
    "end": [2.0, 9.0, 1.5],
    "score": [0.9, 0.5, 0.25],
}
TRUTH = {
    "database": {
        "a": {"annotations": [{"label": "run", "segment": [1.0, 1.5]}]},
        "b": {"annotations": [{"label": "run", "segment": [0, 2]}, {"label": "jump", "segment": [4, 9]}]},
    }
}


def test_columns_score_and_are_written_as_their_records_are(tmp_path: Path) -> None:
    columns = Columns.from_arrays(VIDEOS, LABELS, **ARRAYS)
    assert columns.labels == ("run", "jump")  # those with a detection, in order of appearance
    records = {
        "b": [
            {"label": "run", "score": 0.9, "segment": [0.0, 2.0]},
            {"label": "jump", "score": 0.5, "segment": [4.0, 9.0]},
        ],
        "a": [{"label": "run", "score": 0.25, "segment": [1.0, 1.5]}],
    }
    assert columns.records() == records
    write_predictions(tmp_path / "columns.json", columns)
    write_predictions(tmp_path / "records.json", records)
    assert (tmp_path / "columns.json").read_bytes() == (tmp_path / "records.json").read_bytes()
    assert json.loads((tmp_path / "columns.json").read_text())["results"] == records
    result = evaluate(columns, TRUTH)
    assert result.average == 100.0
    assert result == evaluate(tmp_path / "columns.json", TRUTH)


def test_no_detection_at_all() -> None:
    columns = Columns.from_arrays(VIDEOS, LABELS, **{key: [] for key in ARRAYS})
    assert columns.records() == {"b": [], "a": []}
    assert evaluate(columns, TRUTH).average == 0.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"score": [0.9, np.nan, 0.25]},
            r"detection 1, of video 'b', has segment \[4.0, 9.0\] and score nan",
        ),
        ({"end": [2.0, 9.0, 0.5]}, r"detection 2, of video 'a', has segment \[1.0, 0.5\] .* start <= end"),
        ({"end": [2.0, 9.0]}, r"shapes \[\(2,\), \(3,\)\]; expected one shape"),
        ({"label": [2, 0, 3]}, "label indices lie in 0 to 3; expected 0 to 2"),
        ({"video": [-1, 0, 1]}, "video indices lie in -1 to 1; expected 0 to 1"),
    ],
)
def test_broken_arrays_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Columns.from_arrays(VIDEOS, LABELS, **{**ARRAYS, **change})


def test_a_video_that_is_listed_twice_is_an_error() -> None:
    with pytest.raises(ValueError, match="a video is listed twice"):
        Columns.from_arrays(["a", "a"], LABELS, **ARRAYS)
