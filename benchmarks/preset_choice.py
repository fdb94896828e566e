"""`python -m benchmarks.preset_choice`: how the presets `thumos14` and `small` fare as sets grow in videos and width.

The reach that `amsx.training.presets` chooses by stands beside the mean mAP of both presets on held-out training
videos. The sets are synthetic, with short videos and one stream. DATA, where it is given, is a folder of features, of
which the training videos alone are used.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from amsx.data.layouts import read_dataset
from amsx.data.synthetic import StreamConfig, SyntheticConfig, make_dataset
from amsx.data.validation import carve
from amsx.data.videos import Dataset
from amsx.training.presets import Preset, for_dataset, reach
from amsx.training.run import train_run

PRESETS: tuple[Preset, ...] = ("thumos14", "small")
SHARE = 0.3  # of the training videos is held out and scored


def main() -> None:
    """Train every set with both presets, and print a line for each as soon as it is done."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("data", nargs="?", type=Path, help="a folder of features in place of the synthetic sets")
    options.add_argument("--data-option", action="append", default=[], metavar="KEY=VALUE")
    options.add_argument("--videos", type=int, nargs="+", default=[28, 60, 120], help="training videos of a set")
    options.add_argument("--widths", type=int, nargs="+", default=[64, 256, 768], help="columns of its features")
    given = options.parse_args()
    print(f"{'videos':>6} {'width':>6} {'steps':>6} {'reach':>8}" + "".join(f"{name:>10}" for name in PRESETS))
    if given.data is not None:
        show(carve(read_dataset(given.data, **dict(map(_option, given.data_option))), share=SHARE))
        return
    for width in given.widths:
        for videos in given.videos:
            show(synthetic(videos, width))


def synthetic(videos: int, width: int) -> Dataset:
    """A set of so many training videos of 30 to 50 snippets, and a held-out share beside them."""
    config = SyntheticConfig(
        train_videos=round(videos / (1 - SHARE)),
        test_videos=1,
        length=(30, 50),
        duration=(5.0, 14.0),
        streams={"flow": StreamConfig(dim=width)},
    )
    return carve(make_dataset(config), share=SHARE)


def show(dataset: Dataset) -> None:
    """Print the scores of both presets."""
    measured = reach(dataset)
    scores = []
    for name in PRESETS:
        config, _ = for_dataset(dataset, name)
        with tempfile.TemporaryDirectory() as folder:
            result = train_run(dataset, config, Path(folder) / "run", progress=False, say=lambda _: None)
        scores.append(result.metrics.average if result.metrics is not None else float("nan"))
    print(
        f"{measured.videos:>6} {measured.width:>6} {measured.steps:>6} {measured.value:>8}"
        + "".join(f"{score:>10.1f}" for score in scores),
        flush=True,
    )


def _option(text: str) -> tuple[str, Any]:
    key, _, value = text.partition("=")
    try:
        return key, json.loads(value)
    except json.JSONDecodeError:
        return key, value


if __name__ == "__main__":
    main()
