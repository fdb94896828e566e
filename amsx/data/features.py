"""One stream of one video's features, in a file or in memory: shape at once, values when asked for."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray


@dataclass(frozen=True)
class FeatureFile:
    """An (n, D) array in a .npy file, or some of its columns. `FeatureFile.inspect` makes one."""

    path: Path
    shape: tuple[int, int]  # (n, D) as `load` will return it
    columns: tuple[int, int] | None = None  # first and one past the last of the file's columns; None: all

    @classmethod
    def inspect(cls, path: Path) -> "FeatureFile":
        """The features in `path`, of which only the header is read.

        FileNotFoundError where there is no file; ValueError where it is no .npy file of numbers, is shorter
        than its header says, has not two axes, or is empty.
        """
        return cls(path, _inspect(path))

    def load(self) -> NDArray[np.float32]:
        """The features, (n, D) float32; ValueError where the file changed or a value is NaN or infinite."""
        try:
            mapped = np.load(self.path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise ValueError(f"{self.path}: not a readable .npy file ({error})") from error
        first, last = self.columns or (0, mapped.shape[1])
        if mapped.shape[0] < self.shape[0] or last - first != self.shape[1]:
            raise ValueError(f"{self.path}: shape {mapped.shape} is not what it was when the data set was read")
        return as_features(mapped[: self.shape[0], first:last], str(self.path))


@dataclass(frozen=True, eq=False)
class FeatureArray:
    """An (n, D) array in memory, with the manners of a `FeatureFile`."""

    array: NDArray[np.float32]  # (n, D)

    @property
    def shape(self) -> tuple[int, int]:
        """(n, D)."""
        return self.array.shape[0], self.array.shape[1]

    def load(self) -> NDArray[np.float32]:
        """The features, (n, D) float32."""
        return as_features(self.array, "features in memory")


def as_features(array: NDArray, name: str) -> NDArray[np.float32]:
    """A copy of `array` (n, D) in float32; ValueError where a value is NaN, infinite, or beyond float32."""
    with np.errstate(over="ignore"):
        features = np.array(array, dtype=np.float32, order="C")
    finite = np.isfinite(features).all(axis=1)
    if not finite.all():
        rows = np.flatnonzero(~finite)
        raise ValueError(
            f"{name}: NaN or infinite values in {len(rows)} of {len(features)} rows, first in row {rows[0]}"
        )
    return features


def _inspect(path: Path) -> tuple[int, int]:
    """The shape in the header of a .npy file, having checked that the file can hold what it promises."""
    if not path.is_file():
        raise FileNotFoundError(f"no feature file {path}")
    with path.open("rb") as file:
        try:
            version = npy.read_magic(file)
            if version not in ((1, 0), (2, 0)):
                raise ValueError(f"version {version} of the format is none that plain arrays of numbers have")
            read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, _, dtype = read_header(file)
        except (ValueError, EOFError) as error:
            raise ValueError(f"{path}: not a readable .npy file ({error})") from error
        start = file.tell()
    if dtype.kind not in "fiu":
        raise ValueError(f"{path}: holds {dtype} values, expected an array of real numbers")
    if len(shape) != 2:
        raise ValueError(f"{path}: shape {shape}, expected (snippets, channels)")
    if 0 in shape:
        raise ValueError(f"{path}: empty, shape {shape}")
    expected, found = start + int(np.prod(shape)) * dtype.itemsize, path.stat().st_size
    if found < expected:
        raise ValueError(f"{path}: truncated, {found} bytes where shape {shape} of {dtype} needs {expected}")
    return shape[0], shape[1]
