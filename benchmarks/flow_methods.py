"""How fast and how exact each way of computing optical flow is, on one thread: `python -m benchmarks.flow_methods`.

The frames are textures of 340 x 256 pixels, of which the second is read at known places to make the first, so that the
flow from the first to the second is known at every pixel: rotations, zooms and shifts of up to the given number of
pixels, and a square that moves in front of them. With `--video FILE`, the frames of a video are timed, too. Their flow
is not known; the difference to TV-L1 with OpenCV's five warps is shown instead.
"""

import argparse
import importlib
import itertools
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amsx.video.decode import Video
from amsx.video.extractors import FrameSize
from amsx.video.flow import FlowSettings, OpticalFlow

HEIGHT, WIDTH = 256, 340
SETTINGS = (
    FlowSettings("dis", preset="ultrafast"),
    FlowSettings("dis", preset="fast"),
    FlowSettings("dis", preset="medium"),
    FlowSettings("tvl1", warps=1),
    FlowSettings("tvl1", warps=5),
)
Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row for every method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=12, help="pairs of frames of each kind (default %(default)s)")
    parser.add_argument("--largest", type=float, default=8.0, help="largest motion in pixels (default %(default)s)")
    parser.add_argument("--video", type=Path, help="also time the frames of this file")
    options = parser.parse_args(arguments)
    cv2: Any = importlib.import_module("cv2")
    cv2.setNumThreads(1)
    rng = np.random.default_rng(0)
    known = [_known_pair(cv2, rng, options.largest) for _ in range(options.pairs)]
    real = [] if options.video is None else _video_pairs(options.video, options.pairs)
    reference = OpticalFlow(SETTINGS[-1])
    references = [reference.between(*pair) for pair in real]
    print(f"OpenCV {cv2.__version__}, {WIDTH} x {HEIGHT} pixels, one thread, {options.pairs} pairs")
    heads = ["frames a second", "error (px)"] + (["of the video", "to tvl1, 5 warps"] if real else [])
    print(f"{'':<18}" + "".join(f"{head:>18}" for head in heads))
    for settings in SETTINGS:
        flow = OpticalFlow(settings)
        rate, fields = _timed(flow, [pair for pair, _ in known])
        cells = [rate, _error(fields, [truth for _, truth in known])]
        if real:
            video_rate, video_fields = _timed(flow, real)
            cells += [video_rate, _error(video_fields, references)]
        name = f"dis {settings.preset}" if settings.method == "dis" else f"tvl1, {settings.warps} warps"
        print(f"{name:<18}" + "".join(f"{cell:>18.2f}" for cell in cells))


def _timed(flow: OpticalFlow, pairs: Sequence[Pair]) -> tuple[float, list[NDArray[np.float32]]]:
    flow.between(*pairs[0])  # the first call allocates
    began = time.process_time()
    fields = [flow.between(*pair) for pair in pairs]
    return len(pairs) / (time.process_time() - began), fields


def _error(found: Sequence[NDArray[np.float32]], truth: Sequence[NDArray[np.float32]]) -> float:
    """The mean distance between the ends of the flow vectors, in pixels."""
    return float(np.mean([np.linalg.norm(a - b, axis=2).mean() for a, b in zip(found, truth, strict=True)]))


def _known_pair(cv2: Any, rng: np.random.Generator, largest: float) -> tuple[Pair, NDArray[np.float32]]:
    """Two frames, and the flow from the first to the second."""
    second = _texture(cv2, rng, HEIGHT, WIDTH)
    x, y = np.meshgrid(np.arange(WIDTH, dtype=np.float32), np.arange(HEIGHT, dtype=np.float32))
    centred = np.stack([x - WIDTH / 2, y - HEIGHT / 2], axis=2) / (WIDTH / 2)
    turn, zoom, shift = rng.uniform(-1, 1), rng.uniform(-1, 1), rng.uniform(-1, 1, 2)
    across, down = centred[..., 0], centred[..., 1]
    flow: NDArray[Any] = np.stack([zoom * across - turn * down, turn * across + zoom * down], axis=2) + shift
    flow *= largest / np.linalg.norm(flow, axis=2).max()
    top, left = rng.integers(40, 140), rng.integers(40, 200)
    flow[top : top + 64, left : left + 64] += rng.uniform(-largest / 2, largest / 2, 2)
    known = np.asarray(flow, dtype=np.float32)
    places = (x + known[..., 0], y + known[..., 1])
    first: NDArray[np.uint8] = cv2.remap(second, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return (first, second), known


def _texture(cv2: Any, rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """A grey picture with detail on every scale."""
    total = np.zeros((height, width))
    for sigma in (1, 2, 4, 8, 16):
        layer = cv2.GaussianBlur(rng.standard_normal((height, width)), (0, 0), sigma)
        total += layer / layer.std() * sigma**0.5
    low, high = np.percentile(total, [1, 99])
    return ((total - low) / (high - low) * 255).clip(0, 255).astype(np.uint8)


def _video_pairs(path: Path, count: int) -> list[Pair]:
    frames = Video(path).frames(25.0, [FrameSize(short_side=HEIGHT)])
    grey = [OpticalFlow(SETTINGS[0]).grey(picture) for (picture,) in itertools.islice(frames, count + 1)]
    return list(itertools.pairwise(grey))


if __name__ == "__main__":
    main()
