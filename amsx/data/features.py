"""The features of one video in one stream, in a file or in memory. Values are read only when `load` is called."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from amsx.data.arrays import Parts, inspect_array, read_array
from amsx.data.numbers import as_numbers


class Crops(NamedTuple):
    """Which of several crops or views of a video is taken."""

    rule: Literal["mean"] | int  # their mean, or the one of this number
    axis: Literal[0, 1]  # of the array (crops, n, D) or (n, crops, D)

    def of(self, array: NDArray[Any]) -> NDArray[Any]:
        """(n, D) features of an array with crops, the mean in float32."""
        if self.rule == "mean":
            return np.asarray(array.mean(axis=self.axis, dtype=np.float32))
        return np.asarray(array.take(self.rule, axis=self.axis) if self.axis else array[self.rule])

    def shape_of(self, shape: tuple[int, ...], where: str) -> tuple[int, ...]:
        """The shape of `of`; ValueError, beginning with `where`, where the array has no crop of that number."""
        if self.rule != "mean" and self.rule >= shape[self.axis]:
            raise ValueError(
                f"{where}: shape {shape} has {shape[self.axis]} crops, counted from 0, on axis {self.axis}; expected "
                f"crop {self.rule}"
            )
        return (*shape[: self.axis], *shape[self.axis + 1 :])


class SeveralCrops(ValueError):
    """An array of three axes, one of which may count crops: `choose` makes features of it."""

    def __init__(
        self, message: str, shape: tuple[int, ...], choose: "Callable[[Crops], FeatureFile | FeatureArray]"
    ) -> None:
        super().__init__(message)
        self.shape, self.choose = shape, choose


@dataclass(frozen=True)
class FeatureFile:
    """An (n, D) array in a file of `amsx.data.arrays`, or some of its columns. `FeatureFile.inspect` makes one."""

    path: Path
    shape: tuple[int, int]  # (n, D) as `load` will return it
    columns: tuple[int, int] | None = None  # the file's columns from the first to before the second; None: all
    key: str | None = None  # the name of the array in a file that holds several
    crops: Crops | None = None  # which one is taken where the file's array has several; None: it has not
    turned: bool = False  # the file's array is (D, n)
    form: str = ""  # what is left out of the file, in words: the header of a .csv file, axes of length 1
    whole: tuple[int, ...] = ()  # the shape of the file's array where it has other axes
    parts: Parts = "no"  # whether `load` can read some snippets without the others

    @classmethod
    def inspect(cls, path: Path, *, key: str | None = None, crops: Crops | None = None) -> "FeatureFile":
        """The features in the file `path`. Only its header is read where the format has one (npy, npz, h5).

        FileNotFoundError where there is no file. ValueError where it holds no array of real numbers, where the array is
        empty or does not have two axes beside those of length 1, and where the file is shorter than its header says.
        With `crops`, one axis of the array counts crops, unless it has two axes alone. Without, an array of three axes
        is the ValueError `SeveralCrops`.
        """
        shape, _, form, parts = inspect_array(path, key)
        crops = None if len(shape) == 2 else crops  # of one crop alone there may be no axis
        if len(shape) != (2 if crops is None else 3):
            form = f"axes of length 1, from arrays of {len(shape)} axes"
        left = shape if crops is None else crops.shape_of(shape, str(path))
        try:
            own = two_axes(left, str(path))
        except ValueError as error:
            if crops is not None or len(shape) != 3 or 0 in shape:
                raise
            raise SeveralCrops(str(error), shape, lambda rule: cls.inspect(path, key=key, crops=rule)) from error
        whole = () if len(shape) == 2 else shape
        return cls(path, own, key=key, crops=crops, form=form, whole=whole, parts="no" if whole else parts)

    def with_crops(self, crops: Crops) -> "FeatureFile":
        """The same file, where an axis that was left out for its length counts crops."""
        return self.inspect(self.path, key=self.key, crops=crops)

    def turn(self) -> "FeatureFile":
        """The same features with snippets and channels exchanged."""
        return replace(self, shape=self.shape[::-1], turned=not self.turned)

    def cut(self, n: int) -> "FeatureFile":
        """The features of the first `n` snippets."""
        return replace(self, shape=(n, self.shape[1]))

    def load(self, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        """The features, (n, D) float32, or those of the snippets from `start` to before `stop`.

        ValueError where the file changed or a value is NaN or infinite.
        """
        stop = self.shape[0] if stop is None else stop

        def part(array: Any) -> Any:
            return array[self._index(array.shape, start, stop)] if len(array.shape) == 2 else array[()]

        array = read_array(self.path, self.key, part)
        if array.ndim != 2:
            try:
                left = array if self.crops is None else self.crops.of(array)
                left = left.reshape(two_axes(left.shape, str(self.path)))
            except (ValueError, IndexError) as error:
                raise self._changed(array.shape) from error
            array = left[self._index(left.shape, start, stop)]
        return as_features(array.T if self.turned else array, str(self.path))

    def _index(self, shape: tuple[int, ...], start: int, stop: int) -> tuple[slice, slice]:
        """Where in an array of two axes the snippets are; ValueError where it cannot be that of this file."""
        n, width = shape[::-1] if self.turned else shape
        first, last = self.columns or (0, width)
        if n < self.shape[0] or last - first != self.shape[1] or last > width:
            raise self._changed(shape)
        index = slice(start, stop), slice(first, last)
        return index[::-1] if self.turned else index

    def _changed(self, shape: tuple[int, ...]) -> ValueError:
        return ValueError(f"{self.path}: shape {shape} is not what it was when the data set was read")


@dataclass(frozen=True, eq=False)
class FeatureArray:
    """An (n, D) array in memory, used like a `FeatureFile`."""

    array: NDArray[Any]  # (n, D), real numbers
    form: str = ""  # as in `FeatureFile`
    whole: tuple[int, ...] = ()  # likewise
    parts: ClassVar[Parts] = "no"  # likewise

    @classmethod
    def inspect(cls, value: Any, where: str) -> "FeatureArray":
        """`value` as features; ValueError, beginning with `where`, unless it is (n, D), real numbers and not empty."""
        array = as_numbers(value, where)

        def choose(crops: Crops) -> "FeatureArray":
            left = crops.shape_of(array.shape, where)
            return cls(crops.of(array).reshape(two_axes(left, where)))

        try:
            shape = two_axes(array.shape, where)
        except ValueError as error:
            if array.ndim != 3 or 0 in array.shape:
                raise
            raise SeveralCrops(str(error), array.shape, choose) from error
        if array.ndim == 2:
            return cls(array)
        return cls(array.reshape(shape), f"axes of length 1, from arrays of {array.ndim} axes", array.shape)

    def with_crops(self, crops: Crops) -> "FeatureArray":
        """The same array, where an axis that was left out for its length counts crops."""
        array = self.array.reshape(self.whole)
        left = crops.shape_of(self.whole, "features in memory")
        return FeatureArray(crops.of(array).reshape(two_axes(left, "features in memory")))

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

    def load(self, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        """The features, (n, D) float32, or those of the snippets from `start` to before `stop`."""
        return as_features(self.array[start:stop], "features in memory")


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
    crops = "; where an axis counts crops or views of a video, give crops=mean, or crops=0 for the first"
    crops = crops if len(long) > 2 else ""
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
