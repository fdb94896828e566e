"""Writes a data set of the size of THUMOS14 or ActivityNet 1.3, with simulated features, as a load for everything else.

    python -m benchmarks.make_dataset thumos14 OUT
    python -m benchmarks.make_dataset activitynet13 OUT --videos 1500 --streams rgb
    python -m benchmarks.make_dataset thumos14 OUT --annotation gt.json

The numbers of videos and classes are those of the sets, lengths and segments are drawn in their likeness; with
--annotation, an ActivityNet JSON file gives the videos, labels, segments and durations. Features are noise, raised in
one direction for each class inside of its segments, so that a training on them learns something. The folder has the
layout of BaS-Net. Videos are written one at a time: memory stays, however many there are.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SNIPPET_SECONDS = 0.64  # 16 frames at 25 per second


@dataclass(frozen=True)
class Shape:
    """How many videos a set has, and how long they are."""

    train: int
    test: int
    classes: int
    snippets: tuple[int, int]  # of the shortest and the longest video
    spread: float | None  # lengths are log-normal with this deviation; None: uniform between the two
    mean: float  # snippets of a video
    instances: float  # annotated segments in a video, on average

    def lengths(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """The snippets of `count` videos, drawn in the set's likeness: (count,)."""
        if self.spread is None:
            return rng.integers(self.snippets[0], self.snippets[1] + 1, count)
        drawn = self.mean * np.exp(self.spread * rng.standard_normal(count) - self.spread**2 / 2)
        return np.clip(drawn, *self.snippets).astype(np.int64)


# 200 and 213 untrimmed videos of three and a half minutes on average, up to half an hour, with 15 instances in each
THUMOS14 = Shape(200, 213, 20, (12, 2800), 0.85, 325.0, 15.0)
# 10,024 and 4,926 videos, evenly spread up to four minutes, with one or two instances in each
ACTIVITYNET13 = Shape(10_024, 4_926, 200, (10, 375), None, 190.0, 1.5)
SHAPES = {"thumos14": THUMOS14, "activitynet13": ACTIVITYNET13}
SUBSETS = {"train": "train", "training": "train", "validation": "test", "test": "test"}


def drawn_annotation(shape: Shape, videos: int, seed: int) -> dict[str, Any]:
    """Annotation in the ActivityNet form for `videos` videos in the likeness of a set, id -> entry."""
    rng = np.random.default_rng([seed, 0])
    train = round(videos * shape.train / (shape.train + shape.test))
    entries = {}
    for number, n in enumerate(shape.lengths(videos, rng).tolist()):
        subset, seconds = "train" if number < train else "test", n * SNIPPET_SECONDS
        count = 1 + int(rng.poisson(shape.instances - 1))
        edges = np.sort(rng.uniform(0, seconds, 2 * count)).reshape(count, 2).round(2)
        place = number if subset == "train" else number - train  # both subsets begin with the same classes
        label = f"class {place % shape.classes:03d}"
        segments = [{"segment": edge, "label": label} for edge in edges.tolist() if edge[0] < edge[1]]
        segments = segments or [{"segment": [0.0, round(seconds / 2, 2)], "label": label}]
        entries[f"video_{subset}_{number:07d}"] = {"subset": subset, "duration": seconds, "annotations": segments}
    return entries


def given_annotation(path: Path) -> dict[str, Any]:
    """The annotation in an ActivityNet JSON file; ValueError where it has none. Unlabelled videos are left out."""
    database = json.loads(path.read_text())
    database = database.get("database") if isinstance(database, dict) else None
    if not isinstance(database, dict):
        raise ValueError(f"{path}: expected an object of videos under 'database'")
    entries = {}
    for name, entry in database.items():
        annotations = [
            {"segment": [float(edge) for edge in part["segment"]], "label": part["label"]}
            for part in entry.get("annotations", [])
        ]
        if not annotations or entry.get("subset") not in SUBSETS:
            continue
        end = float(entry.get("duration") or max(part["segment"][1] for part in annotations) + 5)
        entries[name] = {"subset": SUBSETS[entry["subset"]], "duration": end, "annotations": annotations}
    return entries


def features(
    entry: dict[str, Any], directions: dict[str, NDArray[np.float32]], width: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """The features (n, D) of a video: rectified noise, raised inside of segments in the direction of their class."""
    n = max(2, round(entry["duration"] / SNIPPET_SECONDS))
    values = rng.standard_normal((n, width), dtype=np.float32)
    for part in entry["annotations"]:
        first, last = (round(edge / SNIPPET_SECONDS) for edge in part["segment"])
        values[first : max(last, first + 1)] += directions[part["label"]]
    return np.maximum(values, 0, out=values)


def make(out: Path, entries: dict[str, Any], *, width: int, streams: Sequence[str], seed: int) -> int:
    """Write the videos of `entries` to the new folder `out`; the bytes of their features."""
    out.mkdir(parents=True)
    labels = sorted({part["label"] for entry in entries.values() for part in entry["annotations"]})
    written = 0
    for number, stream in enumerate(streams):
        rng = np.random.default_rng([seed, 1, number])
        directions = {label: rng.standard_normal(width, dtype=np.float32) for label in labels}
        for position, (name, entry) in enumerate(entries.items()):
            values = features(entry, directions, width, np.random.default_rng([seed, 2, number, position]))
            written += values.nbytes
            folder = out / "features" / entry["subset"] / stream
            folder.mkdir(parents=True, exist_ok=True)
            np.save(folder / f"{name}.npy", values)
    annotation = {"database": entries, "snippet_seconds": SNIPPET_SECONDS}
    (out / "gt.json").write_text(json.dumps(annotation))
    for subset in ("train", "test"):
        names = [name for name, entry in entries.items() if entry["subset"] == subset]
        (out / f"split_{subset}.txt").write_text("".join(f"{name}\n" for name in names))
    return written


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.make_dataset", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("shape", choices=SHAPES, help="the set whose size and lengths are imitated")
    parser.add_argument("out", type=Path, metavar="OUT", help="the folder to write, which must not be there")
    parser.add_argument("--annotation", type=Path, metavar="FILE", help="an ActivityNet JSON file with the videos")
    parser.add_argument("--videos", type=int, help="how many videos, both subsets together (default: all of the set)")
    parser.add_argument("--width", type=int, default=1024, help="D, channels of a stream (default: 1024)")
    parser.add_argument("--streams", nargs="+", default=["rgb", "flow"], help="default: rgb flow")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    if options.out.exists():
        parser.error(f"{options.out} exists already")
    shape = SHAPES[options.shape]
    if options.annotation is not None:
        entries = given_annotation(options.annotation)
        entries = dict(list(entries.items())[: options.videos])
    else:
        entries = drawn_annotation(shape, options.videos or shape.train + shape.test, options.seed)
    began = time.perf_counter()
    written = make(options.out, entries, width=options.width, streams=options.streams, seed=options.seed)
    seconds = time.perf_counter() - began
    print(f"{options.out}: {len(entries)} videos, {written / 2**30:.2f} GiB of features, in {seconds:.0f} s")


if __name__ == "__main__":
    main()
