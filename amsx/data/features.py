"""The features of one video in one stream, in a file or in memory. Values are read only when `load` is called."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amsx.data.arrays import inspect_array, read_array


@dataclass(frozen=True)
class FeatureFile:
    """An (n, D) array in a file of `amsx.data.arrays`, or some of its columns. `FeatureFile.inspect` makes one."""

    path: Path
    shape: tuple[int, int]  # (n, D) as `load` will return it
    columns: tuple[int, int] | None = None  # the file's columns from the first to before the second; None: all
    key: str | None = None  # the name of the array in a file that holds several
    variants: bool = False  # the file's array is (B, n, D), B views of the same video; the first is taken

    @classmethod
    def inspect(cls, path: Path, *, key: str | None = None, variants: bool = False) -> "FeatureFile":
        """The features in the file `path`. Only its header is read where the format has one (npy, npz, h5).

        FileNotFoundError where there is no file. ValueError where it holds no array of real numbers, where the array is
        empty or does not have two axes (three with `variants`), and where the file is shorter than its header says.
        """
        shape = inspect_array(path, key)[0]
        if len(shape) != (3 if variants else 2):
            axes = "views, snippets, channels" if variants else "snippets, channels"
            raise ValueError(f"{path}: shape {shape}, expected ({axes})")
        if 0 in shape:
            raise ValueError(f"{path}: empty, shape {shape}")
        return cls(path, (shape[-2], shape[-1]), key=key, variants=variants)

    def cut(self, n: int) -> "FeatureFile":
        """The features of the first `n` snippets."""
        return replace(self, shape=(n, self.shape[1]))

    def load(self) -> NDArray[np.float32]:
        """The features, (n, D) float32; ValueError where the file changed or a value is NaN or infinite."""
        whole = read_array(self.path, self.key)
        array = whole[0] if self.variants and whole.ndim == 3 and len(whole) else whole
        first, last = self.columns or (0, array.shape[-1])
        if array.ndim != 2 or len(array) < self.shape[0] or last - first != self.shape[1]:
            raise ValueError(f"{self.path}: shape {whole.shape} is not what it was when the data set was read")
        return as_features(array[: self.shape[0], first:last], str(self.path))


@dataclass(frozen=True, eq=False)
class FeatureArray:
    """An (n, D) array in memory, used like a `FeatureFile`."""

    array: NDArray[Any]  # (n, D), real numbers

    @classmethod
    def inspect(cls, array: Any, where: str) -> "FeatureArray":
        """`array` as features; ValueError, beginning with `where`, unless it is (n, D), real numbers and not empty."""
        if not isinstance(array, np.ndarray):
            raise ValueError(f"{where}: a {type(array).__name__}, expected an array")
        if array.dtype.kind not in "fiu":
            raise ValueError(f"{where}: {array.dtype} values, expected real numbers")
        if array.ndim != 2 or 0 in array.shape:
            raise ValueError(f"{where}: shape {array.shape}, expected (snippets, channels)")
        return cls(array)

    def cut(self, n: int) -> "FeatureArray":
        """The features of the first `n` snippets."""
        return FeatureArray(self.array[:n])

    @property
    def shape(self) -> tuple[int, int]:
        """(n, D)."""
        return self.array.shape[0], self.array.shape[1]

    def load(self) -> NDArray[np.float32]:
        """The features, (n, D) float32."""
        return as_features(self.array, "features in memory")


def as_features(array: NDArray[Any], name: str) -> NDArray[np.float32]:
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
