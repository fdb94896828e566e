"""A run applied to a video of two hours: `python -m benchmarks.long_video`.

Synthetic videos of 64 x 48 pixels show noise, and now and then one of three colours for some seconds, which are the
actions. A run is trained on the labels of short ones; then `amsx localize` reads one of 10 minutes and one of 120, and
writes subtitles. What is printed is the peak memory of the command for both, and whether the subtitles are in step: how
many of the actions in every half hour have a subtitle of their class that overlaps them by half (tIoU 0.5), and how far
those begin and end from the action.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

FPS, HEIGHT, WIDTH = 5, 48, 64
COLOURS = {"red": (200, 40, 40), "green": (40, 200, 40), "blue": (40, 40, 200)}
Action = tuple[str, float, float]  # label, start and end in seconds
PART = 1800.0  # seconds


def draw_actions(rng: np.random.Generator, seconds: float, labels: Sequence[str]) -> list[Action]:
    """Actions of 6 to 12 s, with 8 to 20 s between them."""
    actions: list[Action] = []
    at = float(rng.uniform(4, 10))
    while True:
        end = at + float(rng.uniform(6, 12))
        if end > seconds - 4:
            return actions
        actions.append((str(rng.choice(labels)), round(at, 1), round(end, 1)))
        at = end + float(rng.uniform(8, 20))


def write_video(path: Path, seconds: float, actions: Sequence[Action], rng: np.random.Generator) -> None:
    """Noise, and the colour of an action while it lasts, at 5 frames a second."""
    import av

    noise = rng.integers(0, 120, (16, HEIGHT, WIDTH, 3), np.uint8)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast"})
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        rest = list(actions)
        for number in range(round(seconds * FPS)):
            picture = noise[number % len(noise)]
            while rest and rest[0][2] * FPS <= number:
                rest.pop(0)
            if rest and rest[0][1] * FPS <= number:
                picture = picture.copy()
                picture[8:40, 12:52] = COLOURS[rest[0][0]]
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def main() -> None:
    """Train, localize, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, nargs="+", default=[10, 120])
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data, videos = folder / "data", folder / "videos"
        data.mkdir()
        videos.mkdir()
        rows = ["video,labels"]
        for number in range(24):
            shown = [str(label) for label in rng.permutation(list(COLOURS))[: 1 + number % 2]]
            actions = draw_actions(rng, 60, shown)
            write_video(videos / f"v{number}.mp4", 60, actions, rng)
            rows.append(f"v{number},{';'.join(sorted({label for label, *_ in actions}))}")
        (data / "labels.csv").write_text("\n".join(rows))
        frames = ["--extractor-option", "rgb.frames=1", "--extractor-option", f"rgb.snippet_frames={FPS}"]
        one = ["--extractor", "efficientnet-lite0", *frames, "--fps", FPS, "--stride", FPS, "--workers", 2]
        _amsx("extract", videos, "--out", data, *one, "--quiet")
        _amsx("train", data, "--preset", "small", "--out", folder / "run", "--quiet")
        for minutes in options.minutes:
            path, actions = folder / f"{minutes:g}-minutes.mp4", draw_actions(rng, 60 * minutes, list(COLOURS))
            write_video(path, 60 * minutes, actions, rng)
            began = time.perf_counter()
            found = folder / "found"
            _amsx("localize", folder / "run", path, "--out", found, "--format", "json,srt", "--quiet")
            seconds = time.perf_counter() - began
            # What all processes so far took at most: lengths are given in rising order. ru_maxrss is in kB on Linux.
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            print(f"{minutes:g} minutes: localized in {seconds:.0f} s, peak memory {peak:.0f} MB")
            _compare(json.loads((found / f"{path.stem}.json").read_text()), found / f"{path.stem}.srt", actions)


def _compare(content: Any, subtitles: Path, actions: Sequence[Action]) -> None:
    """Print how well the detections, and with them the subtitles, are in step with the actions."""
    detections = [(entry["label"], *entry["segment"]) for entries in content["results"].values() for entry in entries]
    cues = [line for line in subtitles.read_text().splitlines() if " --> " in line]
    print(f"  {len(cues)} subtitles, the last at {cues[-1]}; the last action ends at {actions[-1][2]:.1f} s")
    for begin in np.arange(0, actions[-1][2], PART).tolist():
        part = [action for action in actions if begin <= action[1] < begin + PART]
        best = [max(detections, key=lambda d, a=action: _tiou(d, a)) for action in part]  # type: ignore[misc]
        close = [(d, a) for d, a in zip(best, part, strict=True) if _tiou(d, a) >= 0.5]
        errors = [abs(d[i] - a[i]) for d, a in close for i in (1, 2)]
        print(
            f"  from {begin / 60:.0f} min: {len(close)} of {len(part)} actions found, whose ends are off by "
            f"{np.mean(errors):.2f} s on average"
        )


def _tiou(found: Action, action: Action) -> float:
    if found[0] != action[0]:
        return 0.0
    shared = min(found[2], action[2]) - max(found[1], action[1])
    return max(0.0, shared) / (max(found[2], action[2]) - min(found[1], action[1]))


def _amsx(*arguments: Any) -> None:
    subprocess.run([sys.executable, "-m", "amsx", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
