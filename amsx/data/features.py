"""The features of one video in one stream, in a file or in memory. Values are read only when `load` is called."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amsx.data.arrays import inspect_array, read_array
from amsx.data.numbers import as_numbers


@dataclass(frozen=True)
class FeatureFile:
    """An (n, D) array in a file of `amsx.data.arrays`, or some of its columns. `FeatureFile.inspect` makes one."""

    path: Path
    shape: tuple[int, int]  # (n, D) as `load` will return it
    columns: tuple[int, int] | None = None  # the file's columns from the first to before the second; None: all
    key: str | None = None  # the name of the array in a file that holds several
    variants: bool = False  # the file's array is (B, n, D), B views of the same video; the first is taken
    turned: bool = False  # the file's array is (D, n)
    form: str = ""  # what is left out of the file, in words: the header of a .csv file, axes of length 1

    @classmethod
    def inspect(cls, path: Path, *, key: str | None = None, variants: bool = False) -> "FeatureFile":
        """The features in the file `path`. Only its header is read where the format has one (npy, npz, h5).

        FileNotFoundError where there is no file. ValueError where it holds no array of real numbers, where the array is
        empty or does not have two axes beside those of length 1, and where the file is shorter than its header says.
        With `variants`, an axis of views may come first.
        """
        shape, _, form = inspect_array(path, key)
        variants = variants and len(shape) != 2  # of one view alone there may be no axis
        if len(shape) != (3 if variants else 2):
            form = f"axes of length 1, from arrays of {len(shape)} axes"
        return cls(path, two_axes(shape[1:] if variants else shape, str(path)), key=key, variants=variants, form=form)

    def turn(self) -> "FeatureFile":
        """The same features with snippets and channels exchanged."""
        return replace(self, shape=self.shape[::-1], turned=not self.turned)

    def cut(self, n: int) -> "FeatureFile":
        """The features of the first `n` snippets."""
        return replace(self, shape=(n, self.shape[1]))

    def load(self) -> NDArray[np.float32]:
        """The features, (n, D) float32; ValueError where the file changed or a value is NaN or infinite."""
        whole = read_array(self.path, self.key)
        changed = f"{self.path}: shape {whole.shape} is not what it was when the data set was read"
        array = whole[0] if self.variants and whole.ndim > 2 and len(whole) else whole
        try:
            array = array.reshape(two_axes(array.shape, str(self.path)))
        except ValueError as error:
            raise ValueError(changed) from error
        array = array.T if self.turned else array
        first, last = self.columns or (0, array.shape[-1])
        if len(array) < self.shape[0] or last - first != self.shape[1] or last > array.shape[1]:
            raise ValueError(changed)
        return as_features(array[: self.shape[0], first:last], str(self.path))


@dataclass(frozen=True, eq=False)
class FeatureArray:
    """An (n, D) array in memory, used like a `FeatureFile`."""

    array: NDArray[Any]  # (n, D), real numbers
    form: str = ""  # as in `FeatureFile`

    @classmethod
    def inspect(cls, value: Any, where: str) -> "FeatureArray":
        """`value` as features; ValueError, beginning with `where`, unless it is (n, D), real numbers and not empty."""
        array = as_numbers(value, where)
        form = "" if array.ndim == 2 else f"axes of length 1, from arrays of {array.ndim} axes"
        return cls(array.reshape(two_axes(array.shape, where)), form)

    def turn(self) -> "FeatureArray":
        """The same features with snippets and channels exchanged."""
        return replace(self, array=self.array.T)

    def cut(self, n: int) -> "FeatureArray":
        """The features of the first `n` snippets."""
        return replace(self, array=self.array[:n])

    @property
    def shape(self) -> tuple[int, int]:
        """(n, D)."""
        return self.array.shape[0], self.array.shape[1]

    def load(self) -> NDArray[np.float32]:
        """The features, (n, D) float32."""
        return as_features(self.array, "features in memory")


def two_axes(shape: tuple[int, ...], where: str) -> tuple[int, int]:
    """The two axes of an array of features, (snippets, channels), which may have others of length 1 anywhere.

    ValueError, beginning with `where`, where the array is empty or it is not certain which the two axes are.
    """
    if 0 in shape:
        raise ValueError(f"{where}: empty, shape {shape}")
    long = shape if len(shape) == 2 else tuple(n for n in shape if n != 1)
    if len(shape) > 2 and len(long) <= 1 and long in ((), shape[-1:]):
        long = (1, shape[-1])  # one snippet
    if len(long) == 2:
        return long
    crops = "; where an axis counts crops or views of a video, average them or choose one" if len(long) > 2 else ""
    raise ValueError(f"{where}: shape {shape}, expected (snippets, channels){crops}")


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
