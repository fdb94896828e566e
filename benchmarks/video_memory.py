"""The peak memory of reading a video does not depend on its length: `python -m benchmarks.video_memory`.

It writes synthetic videos at a low resolution, extracts each in a process of its own, and prints what the process took
at most, and how long it took. `--minutes 10 120` is the default: 120 minutes are 180,000 frames.
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from amsx.data.extraction_record import ExtractorIdentity
from amsx.video.extraction import extract_video
from amsx.video.extractors import Extractor, FrameSize, make_extractor

FPS = 25


class MeanColour:
    """An extractor that costs nothing, for long videos on slow machines."""

    name, width, snippet_frames = "mean-colour", 3, 16
    kind: Literal["rgb", "flow"] = "rgb"
    frame_size = FrameSize()

    def identity(self) -> ExtractorIdentity:
        return ExtractorIdentity(self.name, self.width, {}, None)

    def __call__(self, clips: torch.Tensor) -> torch.Tensor:
        return clips.float().mean(dim=(1, 2, 3))


def write_synthetic(path: Path, minutes: float, height: int, width: int) -> None:
    """A bright square that wanders over noise, `minutes` long at 25 frames a second, in H.264."""
    import av

    picture = np.random.default_rng(0).integers(0, 120, (height, width, 3), np.uint8)
    side = height // 4
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast"})
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        for number in range(round(minutes * 60 * FPS)):
            shown = picture.copy()
            left, top = number * 2 % (width - side), number % (height - side)
            shown[top : top + side, left : left + side] = 220
            frame = av.VideoFrame.from_ndarray(shown, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _extract(path: Path, names: Sequence[str]) -> tuple[int, float, float]:
    """Rows, seconds, and the peak memory of this process in MB."""
    torch.set_num_threads(1)
    extractors: dict[str, Extractor] = {name: make_extractor(name) for name in names} or {"rgb": MeanColour()}
    began = time.perf_counter()
    extracted = extract_video(path, extractors)
    rows = len(next(iter(extracted.streams.values())))
    # ru_maxrss is in kB on Linux.
    return rows, time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure every length."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, nargs="+", default=[10, 120])
    parser.add_argument("--size", type=int, nargs=2, default=[48, 64], metavar=("HEIGHT", "WIDTH"))
    parser.add_argument(
        "--extractor", action="append", default=[], help="default: the mean colour, which costs nothing"
    )
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    print(f"{options.size[1]} x {options.size[0]} pixels, {', '.join(options.extractor) or 'mean colour'}")
    with tempfile.TemporaryDirectory() as folder:
        for minutes in options.minutes:
            path = Path(folder) / f"{minutes:g}.mp4"
            write_synthetic(path, minutes, *options.size)
            with context.Pool(1) as pool:
                rows, seconds, peak = pool.apply(_extract, (path, options.extractor))
            print(f"{minutes:6g} minutes: {rows} rows, {seconds:.1f} s, peak memory {peak:.0f} MB", flush=True)


if __name__ == "__main__":
    main()
