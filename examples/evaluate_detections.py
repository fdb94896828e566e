"""Somebody else's detections, scored under every protocol: two small JSON files are written, then evaluated.

The command line does the same: `amsx evaluate predictions.json ground_truth.json --all-protocols`.
"""

import json
from pathlib import Path

from amsx.evaluation import evaluate, evaluate_all

annotated = {  # video -> its instances: label, start and end in seconds
    "video_1": [("HighJump", 2.1, 6.4), ("HighJump", 20.0, 24.5)],
    "video_2": [("LongJump", 11.3, 17.2)],
}
detected = {  # video -> a detector's output: label, score, start and end in seconds
    "video_1": [("HighJump", 0.9, 2.4, 6.2), ("HighJump", 0.6, 2.0, 5.0), ("HighJump", 0.5, 21.0, 26.0)],
    "video_2": [("LongJump", 0.8, 11.0, 14.6), ("HighJump", 0.3, 11.0, 17.0)],
}

database = {
    video: {
        "subset": "test",
        "duration": 30.0,
        "annotations": [{"label": label, "segment": [start, end]} for label, start, end in instances],
    }
    for video, instances in annotated.items()
}
results = {
    video: [{"label": label, "score": score, "segment": [start, end]} for label, score, start, end in detections]
    for video, detections in detected.items()
}
Path("ground_truth.json").write_text(json.dumps({"database": database}))
Path("predictions.json").write_text(json.dumps({"results": results}))

for name, result in evaluate_all("predictions.json", "ground_truth.json", tiou=[0.3, 0.5, 0.7]).items():
    print(f"{name:<18}" + "".join(f"{value:7.1f}" for value in result.mean_ap))

result = evaluate("predictions.json", "ground_truth.json", "activitynet", tiou=0.5)
for label, scores in result.per_class.items():
    print(f"{label}: AP {scores.average:.1f}, {scores.instances} instances, {scores.detections} detections")
