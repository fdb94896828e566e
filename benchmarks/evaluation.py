"""Scoring: 31 thousand synthetic detections at 7 thresholds, 212 videos, 20 classes."""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from amsx.evaluation import evaluate
from benchmarks.rows import Row, measure
from benchmarks.settings import Settings
from benchmarks.timing import Contender, ready

GROUP = "evaluation"
TIOU = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]


def run(settings: Settings) -> list[Row]:
    videos, detections, classes = (6, 60, 3) if settings.quick else (212, 31_000, 20)
    truth, predictions = synthetic(videos, detections, classes)
    with tempfile.TemporaryDirectory() as folder:
        truth_file, predictions_file = Path(folder, "truth.json"), Path(folder, "predictions.json")
        truth_file.write_text(json.dumps(truth))
        predictions_file.write_text(json.dumps(predictions))
        contenders = [
            Contender("amsx", ready(lambda: evaluate(predictions, truth, tiou=TIOU))),
            Contender("amsx, from files", ready(lambda: evaluate(predictions_file, truth_file, tiou=TIOU))),
        ]
        case = f"{detections} detections x {len(TIOU)} tIoU, {videos} videos, {classes} classes"
        return measure(GROUP, case, {"detections": detections, "videos": videos}, contenders, settings)


def synthetic(videos: int, detections: int, classes: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Ground truth and predictions in the ActivityNet form: half of the detections near an instance, half anywhere."""
    rng = np.random.default_rng(0)
    database: dict[str, Any] = {}
    spans: list[tuple[str, str, float, float]] = []
    for v in range(videos):
        duration = float(rng.uniform(60, 400))
        labels = rng.choice(classes, size=min(2, classes), replace=False)
        instances = []
        for _ in range(16):
            start = float(rng.uniform(0, duration - 12))
            end = start + float(rng.uniform(1, 10))
            label = f"class {rng.choice(labels)}"
            instances.append({"label": label, "segment": [start, end]})
            spans.append((f"video {v}", label, start, end))
        database[f"video {v}"] = {"subset": "test", "duration": duration, "annotations": instances}
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in database}
    for i in range(detections):
        name, label, start, end = spans[int(rng.integers(len(spans)))]
        spread = 1.0 if i % 2 else 30.0
        start = max(0.0, start + float(rng.normal(0, spread)))
        segment = [start, start + max(0.1, end - start + float(rng.normal(0, 0.5)))]
        results[name].append({"label": label, "score": float(rng.random()), "segment": segment})
    return {"database": database}, {"version": "VERSION 1.3", "results": results, "external_data": {}}
