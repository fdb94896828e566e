"""From a folder of videos and a table of labels to intervals: `python -m benchmarks.own_videos CLIPS OUT`.

CLIPS is a folder of short clips of single actions, as `benchmarks.joined_clips` reads it (the Weizmann set). They are
joined into untrimmed videos with exact boundaries; `amsx extract` makes features of them with the extractors that need
no download; `amsx train` learns from the labels of some people's videos, and is scored on those of others. Beside AMS
stand its base branch alone, trained for as many epochs, and uniform segments: a video is cut into as many equal parts
as AMS finds classes in it, and every part is proposed for each of them. What is there already is not done again.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from amsx.evaluation import Evaluation, evaluate
from benchmarks.joined_clips import write_set

BASE_ALONE = ("phases.branches=base", "phases.supervision=none")
TIOU = (0.1, 0.3, 0.5, 0.7)  # columns of the table, beside the average


def main(arguments: Sequence[str] | None = None) -> None:
    """Do all of it and print a table of scores and of times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, metavar="CLIPS", help="a folder <action>/<person>_<action>.avi")
    parser.add_argument("out", type=Path, metavar="OUT", help="the folder to write")
    parser.add_argument("--seeds", type=int, default=5, help="trainings of each kind (default %(default)s)")
    parser.add_argument(
        "--stride", type=int, default=8, help="frames from one snippet to the next (default %(default)s)"
    )
    parser.add_argument("--workers", type=int, default=2, help="processes of amsx extract (default %(default)s)")
    options = parser.parse_args(arguments)
    out, data = options.out, options.out / "data"
    seconds: dict[str, float] = {}
    if not (out / "ground_truth.json").exists():
        seconds["join clips"] = _timed(lambda: write_set(options.clips, out))
    data.mkdir(exist_ok=True)
    shutil.copy(out / "labels.csv", data / "labels.csv")
    extract = ["extract", out / "videos", "--out", data, "--stride", options.stride, "--workers", options.workers]
    seconds["extract"] = _timed(lambda: _amsx(*extract, "--quiet"))
    truth = json.loads((out / "ground_truth.json").read_text())
    scores: dict[str, list[Evaluation]] = {"AMS": [], "base branch alone": [], "uniform segments": []}
    for seed in range(options.seeds):
        for name, folder, settings in (("AMS", "ams", ()), ("base branch alone", "base", BASE_ALONE)):
            run = out / f"{folder}-{seed}"
            changes = [part for setting in settings for part in ("--set", setting)]
            train = ["train", data, "--preset", "small", "--seed", seed, "--out", run, "--resume", "--quiet", *changes]
            took = _timed(lambda command=train: _amsx(*command))
            if seed == 0:
                seconds[f"train and test, {name}"] = took
            scores[name].append(evaluate(run / "predictions.json", truth))
        scores["uniform segments"].append(evaluate(_uniform(out / f"ams-{seed}" / "predictions.json", truth), truth))
    video = sorted(truth["database"])[0]
    localize = ["localize", out / "ams-0", out / "videos" / f"{video}.mp4", "--out", out / "found", "--format", "srt"]
    seconds["localize one video file"] = _timed(lambda: _amsx(*localize))
    print(_table(scores, options.seeds))
    for stage, took in seconds.items():
        print(f"{stage:<40}{took:>9.1f} s")


def _amsx(*arguments: Any) -> None:
    subprocess.run([sys.executable, "-m", "amsx", *map(str, arguments)], check=True)


def _timed(work: Any) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _uniform(predictions: Path, truth: dict[str, Any]) -> dict[str, Any]:
    """Equal parts of every video, each for every class that was found in it, with the class's best score."""
    found = json.loads(predictions.read_text())["results"]
    results: dict[str, list[dict[str, Any]]] = {}
    for video, detections in found.items():
        best: dict[str, float] = {}
        for detection in detections:
            best[detection["label"]] = max(detection["score"], best.get(detection["label"], 0.0))
        duration, parts = truth["database"][video]["duration"], len(best)
        results[video] = [
            {"label": label, "score": score, "segment": [duration * i / parts, duration * (i + 1) / parts]}
            for label, score in best.items()
            for i in range(parts)
        ]
    return {"results": results}


def _table(scores: dict[str, list[Evaluation]], seeds: int) -> str:
    first = scores["AMS"][0]
    columns = [first.tiou.index(tiou) for tiou in TIOU]
    lines = [
        f"\nmAP (%), protocol {first.protocol}, mean and standard deviation of {seeds} seeds",
        f"{'':<20}" + "".join(f"{f'tIoU {tiou:g}':>14}" for tiou in TIOU) + f"{'0.1:0.1:0.7':>14}",
    ]
    for name, each in scores.items():
        values = [[one.mean_ap[column] for one in each] for column in columns] + [[one.average for one in each]]
        cells = "".join(f"{_spread(column):>14}" for column in values)
        lines.append(f"{name:<20}{cells}")
    return "\n".join(lines) + "\n"


def _spread(values: Sequence[float]) -> str:
    mean = statistics.fmean(values)
    return f"{mean:.1f}" if len(values) == 1 else f"{mean:.1f} ± {statistics.stdev(values):.1f}"


if __name__ == "__main__":
    main()
