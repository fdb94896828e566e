"""Small videos for tests, made with PyAV."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray


def write_video(
    path: Path,
    frames: Sequence[NDArray[np.uint8]],
    *,
    fps: int = 25,
    times: Sequence[int] | None = None,
    codec: str = "libx264",
) -> Path:
    """Write RGB frames (H, W, 3) at `fps`; they are shown at `times`, in ticks of 1 / fps s."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=fps)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, fps)
        for number, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number if times is None else times[number], Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def grey(level: int, height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    """A frame of one shade."""
    return np.full((height, width, 3), level, np.uint8)
