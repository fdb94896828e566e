"""A trained run on new videos: train, load the run, find actions in features that it has not seen, write subtitles.

For your own data, `amsx.train("path/to/DATA", "path/to/RUN")` takes the place of the small data set and its shortened
schedule. The run directory is written to `amsx-applied` in the current folder.
"""

from pathlib import Path

import amsx
from amsx.data.synthetic import SyntheticConfig, make_dataset
from amsx.inference.subtitles import as_srt

dataset = make_dataset(SyntheticConfig(classes=3, train_videos=24, test_videos=6, length=(40, 60)))
result = amsx.train(
    dataset,
    "amsx-applied",
    streams=["rgb", "flow"],
    overrides=[
        "phases.base_epochs=8",  # a real training has 20 epochs, 20, 5, and 4 iterations
        "phases.supplementary_epochs=8",
        "phases.alternate_epochs=1",
        "phases.iterations=1",
        "optimization.learning_rate=0.005",
        "model.hidden=64",
    ],
    progress=False,
)

model = amsx.load(result.out)  # .to("cuda") where there is a GPU; the data is not needed any more
print(f"{model.run}: classes {', '.join(model.classes)}; widths {model.widths}")

new = dataset.subset("test")[0]  # stands for a video of yours: an array (snippets, D) for each stream
features = {name: stream.load() for name, stream in new.streams.items()}
detections = model.localize(features, fps=25, stride=16)  # or snippet_seconds=0.64; by default as in training
for found in detections[:3]:
    print(f"{found.label} from {found.start:.1f} to {found.end:.1f} s, score {found.score:.2f}")

curves = model.cas(features)
best = curves.cas[:, curves.probs.argmax()]
print(f"the likeliest class is most active at {curves.seconds[best.argmax()]:.1f} s")

Path("amsx-applied.srt").write_text(as_srt(detections))
print(f"subtitles: amsx-applied.srt, {len(detections)} detections")
