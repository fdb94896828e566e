"""AMS without the command line: make a small data set, train, test again with another fusion, read the detections.

For your own features, `dataset = read_dataset("path/to/DATA")` from `amsx.data.layouts` takes the place of
`make_dataset`, and the shortened schedule goes. The run directory is written to `amsx-example` in the current folder.
"""

import json
from pathlib import Path

from amsx.data.synthetic import SyntheticConfig, make_dataset
from amsx.training.config import override
from amsx.training.presets import for_dataset
from amsx.training.run import test_run, train_run

dataset = make_dataset(SyntheticConfig(classes=3, train_videos=24, test_videos=6, length=(40, 60)))
config, decisions = for_dataset(dataset)  # the preset that fits the data, and why
print(*decisions, sep="\n")
config = override(
    config,
    [
        "phases.base_epochs=8",  # a real training has 20 epochs, 20, 5, and 4 iterations
        "phases.supplementary_epochs=8",
        "phases.alternate_epochs=1",
        "phases.iterations=2",
        "optimization.learning_rate=0.005",
        "model.hidden=64",
    ],
)

run = Path("amsx-example")
result = train_run(dataset, config, run, progress=False)
print(f"average mAP {result.metrics.average:.1f} ({result.metrics.protocol})")

result = test_run(run, ["localization.beta=0.3"])  # written to amsx-example/retest
print(f"average mAP {result.metrics.average:.1f} with rgb weighing 0.3")

detections = json.loads((run / "predictions.json").read_text())["results"]
for video, found in list(detections.items())[:2]:
    best = found[0]
    start, end = best["segment"]
    print(f"{video}: {best['label']} from {start:.1f} to {end:.1f} s, score {best['score']:.2f}")
