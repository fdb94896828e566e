"""How long Inception I3D takes for a clip: `python -m benchmarks.i3d_speed [--device cuda] [--threads 1]`.

An untrained network is as fast as a trained one. What is printed is the median of several passes, in seconds for a clip
and as clips in a second.
"""

import argparse
import statistics
import time

import torch

from amsx.video.extractors import make_extractor


def seconds_per_clip(kind: str, frames: int, clips: int, repeats: int, device: str) -> float:
    """The median over `repeats` passes of `clips` clips of 224 x 224."""
    extractor = make_extractor(f"i3d-{kind}", {"weights": "random", "snippet_frames": frames}, device)
    batch = torch.zeros(clips, frames, 224, 224, 2)
    if kind == "rgb":
        batch = torch.zeros(clips, frames, 224, 224, 3, dtype=torch.uint8)
    times = []
    for _ in range(repeats + 1):  # the first pass warms up
        began = time.perf_counter()
        extractor(batch)  # the vectors come back to the CPU, so the device has finished
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:]) / clips


def main() -> None:
    """Print a line for each kind and number of frames."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--clips", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {options.device}, {options.threads} threads, batches of {options.clips} clips")
    for kind in ("rgb", "flow"):
        for frames in (16, 64):
            seconds = seconds_per_clip(kind, frames, options.clips, options.repeats, options.device)
            print(f"i3d-{kind:<5} {frames:>3} frames: {seconds:.2f} s a clip, {1 / seconds:.2f} clips a second")


if __name__ == "__main__":
    main()
