"""Scoring 31 thousand synthetic detections in 212 videos of 20 classes at 7 thresholds, and resampling their videos."""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from amsx.evaluation import compare, evaluate
from benchmarks.measuring import measure
from benchmarks.pandas_evaluator import load_pandas, mean_ap
from benchmarks.rows import Row, find
from benchmarks.settings import Settings
from benchmarks.timing import Call, Contender, ready

GROUP = "evaluation"
AMSX, PANDAS = "amsx", "pandas row loops"
TIOU = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
RESAMPLES = 1000


def run(settings: Settings) -> list[Row]:
    videos, detections, classes = (6, 60, 3) if settings.quick else (212, 31_000, 20)
    resamples = 10 if settings.quick else RESAMPLES
    # The way through JSON lays the objects out in memory as a parser does. Without it they lie at random places, and
    # the processor's caches are what is timed.
    truth, predictions = json.loads(json.dumps(synthetic(videos, detections, classes)))
    with tempfile.TemporaryDirectory() as folder:
        truth_file, predictions_file = Path(folder, "truth.json"), Path(folder, "predictions.json")
        truth_file.write_text(json.dumps(truth))
        predictions_file.write_text(json.dumps(predictions))
        contenders = [
            Contender(AMSX, ready(lambda: evaluate(predictions, truth, tiou=TIOU))),
            Contender("amsx, from files", ready(lambda: evaluate(predictions_file, truth_file, tiou=TIOU))),
            Contender(PANDAS, lambda: _pandas(predictions, truth), limit=1),
        ]
        case = f"{detections} detections x {len(TIOU)} tIoU, {videos} videos, {classes} classes"
        parameters: dict[str, int | str] = {"detections": detections, "videos": videos, "case": "mAP"}
        rows = measure(GROUP, case, parameters, contenders, settings)
    ours, theirs = (find(rows, GROUP, rival) for rival in (AMSX, PANDAS))
    if ours and theirs and ours.spread and theirs.spread:
        print(f"  {AMSX} is {theirs.spread.median / ours.spread.median:.0f} x as fast as {PANDAS}, to the same mAP")
    paired = Contender(
        AMSX, ready(lambda: compare(truth, [predictions], [predictions], tiou=TIOU, resamples=resamples)), limit=3
    )
    case = f"paired bootstrap, {resamples} resamples of two such predictions"
    return rows + measure(GROUP, case, {**parameters, "case": "bootstrap"}, [paired], settings)


def _pandas(predictions: dict[str, Any], truth: dict[str, Any]) -> Call:
    """A call of the rival, which also checks that it finds the same mAP."""
    pandas = load_pandas()
    expected = evaluate(predictions, truth, tiou=TIOU).mean_ap

    def call() -> None:
        np.testing.assert_allclose(mean_ap(pandas, predictions, truth, TIOU), expected, rtol=0, atol=1e-9)

    return call


def synthetic(videos: int, detections: int, classes: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Ground truth and predictions in the ActivityNet form; half of the detections lie near an instance."""
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
