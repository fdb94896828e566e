"""What an extractor sees of a decoded frame: resized, turned and mirrored as the file says, cropped, in RGB."""

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from amsx.video.extractors import FrameSize

if TYPE_CHECKING:
    import av


class Shaper:
    """Resizes, turns and crops frames to each of some sizes, all frames alike: the first frame decides the shape."""

    def __init__(self, sizes: Sequence[FrameSize]) -> None:
        self.sizes = sizes
        self.shape: tuple[int, int] | None = None  # (width, height) of the first frame, before it is turned

    def shaped(self, frame: "av.VideoFrame") -> tuple[NDArray[np.uint8], ...]:
        """The frame as RGB pictures (H, W, 3), one for each size."""
        self.shape = self.shape or (frame.width, frame.height)
        matrix = _display_matrix(frame)
        made: dict[tuple[int, int], NDArray[np.uint8]] = {}
        pictures = []
        for size in self.sizes:
            wanted = _resized(self.shape, size.short_side)
            if wanted not in made:
                plain: NDArray[Any] = frame.reformat(*wanted, format="rgb24", interpolation="BILINEAR").to_ndarray()
                made[wanted] = plain if matrix is None else _turned(plain, matrix)
            pictures.append(_cropped(made[wanted], size.crop))
        return tuple(pictures)


def _display_matrix(frame: "av.VideoFrame") -> tuple[int, int, int, int] | None:
    """(a, b, c, d): a pixel at (x, y) is shown at (a x + c y, b x + d y); None where the file states none."""
    data: Any = frame.side_data  # whose keys are typed too narrowly
    try:
        matrix = struct.unpack("=9i", bytes(data["DISPLAYMATRIX"]))
    except KeyError:
        return None
    return matrix[0], matrix[1], matrix[3], matrix[4]


def _turned(picture: NDArray[np.uint8], matrix: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """The picture (H, W, 3) as it is shown, by the nearest quarter of a turn, and mirrored where the matrix does."""
    a, b, c, d = matrix
    if abs(a) + abs(d) >= abs(b) + abs(c):
        down, right = d, a
    else:
        picture, down, right = picture.transpose(1, 0, 2), b, c
    return np.ascontiguousarray(picture[:: -1 if down < 0 else 1, :: -1 if right < 0 else 1])


def _resized(shape: tuple[int, int], short_side: int | None) -> tuple[int, int]:
    width, height = shape
    if short_side is None:
        return width, height
    scale = short_side / min(width, height)
    return max(short_side, round(width * scale)), max(short_side, round(height * scale))


def _cropped(picture: NDArray[np.uint8], crop: int | None) -> NDArray[np.uint8]:
    if crop is None:
        return picture
    top, left = (picture.shape[0] - crop) // 2, (picture.shape[1] - crop) // 2
    return picture[top : top + crop, left : left + crop]
