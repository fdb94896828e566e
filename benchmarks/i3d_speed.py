"""How long Inception I3D takes for a clip: `python -m benchmarks.i3d_speed [--device cuda] [--threads 1]`.

An untrained network is as fast as a trained one. What is printed is the median of several passes: seconds for a clip,
and seconds of the processor, which on a machine that others use at the same time say more.
"""

import argparse
import statistics
import time

import torch

from amsx.video.extractors import make_extractor


def seconds_per_clip(kind: str, frames: int, clips: int, repeats: int, device: str) -> tuple[float, float]:
    """The medians over `repeats` passes of `clips` clips of 224 x 224: seconds, and those of the processor."""
    extractor = make_extractor(f"i3d-{kind}", {"weights": "random", "snippet_frames": frames}, device)
    batch = torch.zeros(clips, frames, 224, 224, 2)
    if kind == "rgb":
        batch = torch.zeros(clips, frames, 224, 224, 3, dtype=torch.uint8)
    times, processor = [], []
    for _ in range(repeats + 1):  # the first pass warms up
        began, worked = time.perf_counter(), time.process_time()
        extractor(batch)  # the vectors come back to the CPU, so the device has finished
        times.append(time.perf_counter() - began)
        processor.append(time.process_time() - worked)
    return statistics.median(times[1:]) / clips, statistics.median(processor[1:]) / clips


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
            seconds, processor = seconds_per_clip(kind, frames, options.clips, options.repeats, options.device)
            print(f"i3d-{kind:<4} {frames:>3} frames: {seconds:.2f} s a clip, {processor:.2f} s of the processor")


if __name__ == "__main__":
    main()
