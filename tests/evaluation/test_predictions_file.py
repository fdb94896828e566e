"""Writing prediction files."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from amsx.evaluation.predictions import read_predictions, write_predictions


def test_full_form_and_back(tmp_path: Path) -> None:
    path = tmp_path / "predictions.json"
    detection = {"label": np.int64(4), "score": np.float32(0.5), "segment": (np.float32(1.5), 2)}
    write_predictions(path, {"v1": [detection], "v2": []}, version="1.3")
    assert json.loads(path.read_text()) == {
        "version": "1.3",
        "results": {"v1": [{"label": "4", "score": 0.5, "segment": [1.5, 2.0]}], "v2": []},
        "external_data": {"used": True, "details": "pre-extracted snippet features"},
    }
    read = read_predictions(path)
    assert (read.name, read.form) == (str(path), "ActivityNet form")
    columns = read.detections
    assert columns.videos == ("v1", "v2")
    assert columns.labels == ("4",)
    assert [columns.video.tolist(), columns.start.tolist(), columns.end.tolist()] == [[0], [1.5], [2.0]]
    assert columns.score.tolist() == [0.5]


def test_refuses_what_could_not_be_read_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "predictions.json"
    write_predictions(path, {"v1": []})
    before = path.read_bytes()
    with pytest.raises(ValueError, match="results to write: video 'v1', detection 0 has score nan"):
        write_predictions(path, {"v1": [{"label": "run", "score": float("nan"), "segment": [0, 1]}]})
    assert path.read_bytes() == before


def test_file_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "predictions.json"
    write_predictions(path, {"v1": []})
    before = path.read_bytes()

    def fail(source: object, target: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_predictions(path, {"v2": []})
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["predictions.json"]
