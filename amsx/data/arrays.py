"""Reading arrays of features from files (npy, npz, h5, pt, csv, pkl), and writing the .npy files of layouts.

`inspect_array` returns the shape, for which it reads the header alone where the format has one (npy, npz, h5);
`read_array` returns the values. Both raise FileNotFoundError, or a ValueError that names the file and its fault.
"""

import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.lib import format as npy
from numpy.typing import NDArray

from amsx.files import read_text
from amsx.unpickling import load_pickle

USUAL_KEYS = ("feats", "features", "feature")  # OpenTAD; others; CMCS
SUFFIXES = (".npy", ".npz", ".h5", ".hdf5", ".pt", ".pth", ".csv", ".pkl", ".pickle")


def inspect_array(path: Path, key: str | None = None) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and dtype of the array of real numbers in `path`.

    `key` is the array's name in a file that can hold several (npz, h5, or a dict in pt or pkl). By default it is the
    only array, or the one called feats, features or feature.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no feature file {path}")
    if path.suffix == ".npy":
        with path.open("rb") as file:
            shape, dtype = _npy_header(file, path)
            _check_size(path, path.stat().st_size - file.tell(), shape, dtype)
    elif path.suffix == ".npz":
        with _Member(path, key) as (file, size):
            shape, dtype = _npy_header(file, path)
            _check_size(path, size - file.tell(), shape, dtype)
    elif path.suffix in (".h5", ".hdf5"):
        shape, dtype = _in_h5(path, key, lambda data: (tuple(data.shape), np.dtype(data.dtype)))
    else:
        array = _read(path, key)
        shape, dtype = array.shape, array.dtype
    if dtype.kind not in "fiu":
        raise ValueError(f"{path}: holds {dtype} values, expected an array of real numbers")
    return shape, dtype


def read_array(path: Path, key: str | None = None) -> NDArray[Any]:
    """The array in `path`, of any shape; of a .npy file, a memory map. `key` is that of `inspect_array`."""
    if not path.is_file():
        raise FileNotFoundError(f"no feature file {path}")
    return _read(path, key)


def _read(path: Path, key: str | None) -> NDArray[Any]:
    if path.suffix == ".npy":
        try:
            return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
        except (ValueError, EOFError) as error:
            raise ValueError(f"{path}: not a readable .npy file ({error})") from error
    if path.suffix == ".npz":
        with _Member(path, key) as (file, _):
            try:
                return np.asarray(npy.read_array(file, allow_pickle=False))
            except (ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
                raise ValueError(f"{path}: not a readable .npz file ({error})") from error
    if path.suffix in (".h5", ".hdf5"):
        return np.asarray(_in_h5(path, key, lambda data: data[()]))
    if path.suffix in (".pt", ".pth"):
        return _array_of(_torch_load(path), path, key)
    if path.suffix in (".pkl", ".pickle"):
        return _array_of(load_pickle(path), path, key)
    if path.suffix == ".csv":
        return _read_csv(path)
    raise ValueError(f"{path}: unknown kind of file, expected one of {', '.join(SUFFIXES)}")


def _npy_header(file: BinaryIO, path: Path) -> tuple[tuple[int, ...], np.dtype[Any]]:
    try:
        version = npy.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"version {version} of the format is none that plain arrays of numbers have")
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read_header(file)
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path}: not a readable {path.suffix} file ({error})") from error
    return shape, dtype


def _check_size(path: Path, size: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    expected = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if size < expected and not dtype.hasobject:
        raise ValueError(f"{path}: truncated, {size} bytes where shape {shape} of {dtype} needs {expected}")


class _Member:
    """The open member of a .npz file that holds the array, and its size in bytes."""

    def __init__(self, path: Path, key: str | None) -> None:
        self.path, self.key = path, key

    def __enter__(self) -> tuple[BinaryIO, int]:
        try:
            self.archive = zipfile.ZipFile(self.path)
        except zipfile.BadZipFile as error:
            raise ValueError(f"{self.path}: truncated, or not a readable .npz file ({error})") from error
        try:
            names = [name[:-4] for name in self.archive.namelist() if name.endswith(".npy")]
            name = choose_key(names, self.key, self.path) + ".npy"
            self.member = self.archive.open(name)
        except (ValueError, zipfile.BadZipFile, NotImplementedError) as error:
            self.archive.close()
            raise error if isinstance(error, ValueError) else ValueError(f"{self.path}: {error}") from error
        return self.member, self.archive.getinfo(name).file_size  # type: ignore[return-value]

    def __exit__(self, *_: object) -> None:
        self.member.close()
        self.archive.close()


def members_of_h5(path: Path) -> dict[str, list[str]]:
    """The names at the top of an HDF5 file, each with the full names of the arrays that it is or contains."""

    def members(file: Any) -> dict[str, list[str]]:
        return {name: _arrays_of_h5(item) if hasattr(item, "visititems") else [name] for name, item in file.items()}

    named: dict[str, list[str]] = _opened_h5(path, members)
    return named


def _in_h5(path: Path, key: str | None, take: Callable[[Any], Any]) -> Any:
    def chosen(file: Any) -> Any:
        item = file.get(key) if key is not None else None  # at once: a file of many videos has many names
        return take(item if hasattr(item, "dtype") else file[choose_key(_arrays_of_h5(file), key, path)])

    return _opened_h5(path, chosen)


def _arrays_of_h5(group: Any) -> list[str]:
    """The full names of the arrays in an open group or file."""
    names: list[str] = []
    group.visititems(lambda _, item: names.append(item.name.lstrip("/")) if hasattr(item, "dtype") else None)
    return names


def _opened_h5(path: Path, use: Callable[[Any], Any]) -> Any:
    """Open an HDF5 file and return what `use` returns for it."""
    try:
        h5py = import_module("h5py")
    except ImportError as error:
        raise ValueError(f"{path}: reading HDF5 files needs the package h5py (pip install h5py)") from error
    try:
        with h5py.File(path, "r") as file:
            return use(file)
    except OSError as error:
        raise ValueError(f"{path}: truncated, or not a readable HDF5 file ({error})") from error


def _torch_load(path: Path) -> Any:
    """Read what torch.save wrote. Only zip files are read: older files can run code in some versions of torch."""
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path}: truncated, or not a file that torch.save writes since version 1.6")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, UnpicklingError, EOFError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()
        refusal = next((line.strip() for line in reason if "GLOBAL" in line), reason[0] if reason else repr(error))
        raise ValueError(f"{path}: refused or broken, not plain tensors ({refusal})") from error


def _array_of(value: Any, path: Path, key: str | None) -> NDArray[Any]:
    """`value` as an array, or the array that the dict `value` holds under `key`."""
    if isinstance(value, Mapping):
        value = value[choose_key([name for name in value if isinstance(name, str)], key, path)]
    elif key is not None:
        raise ValueError(f"{path}: holds a {type(value).__name__} and no {key!r}")
    if isinstance(value, torch.Tensor):
        value = value.float().numpy() if value.dtype == torch.bfloat16 else value.numpy()
    if not isinstance(value, np.ndarray):
        raise ValueError(f"{path}: holds a {type(value).__name__}, expected an array of real numbers")
    return value


def csv_form(path: Path) -> str:
    """What a file of comma-separated numbers has besides its rows of values, in words; "" where that is nothing."""
    header, index, _ = _csv_parts(path)
    parts = ["a first line of column names"] * header + ["a first column that counts the rows"] * index
    return " and ".join(parts)


def _read_csv(path: Path) -> NDArray[Any]:
    """Comma-separated numbers, a row per snippet, without the header and the index that the file may have."""
    _, index, lines = _csv_parts(path)
    try:
        table = np.loadtxt(lines, delimiter=",", dtype=np.float32, ndmin=2, comments=None)
    except ValueError:
        raise ValueError(f"{path}: {_csv_fault(lines, path)}") from None
    return table[:, 1:] if index else table


def _csv_parts(path: Path) -> tuple[bool, bool, list[str]]:
    """Whether a CSV file begins with a header and with a column that counts the rows, and its lines without the header.

    The whole file decides. A first line of names is a header, and so is one that reads 0 to D - 1 (the numbers that
    pandas gives to columns) above values that are not whole. A first column is an index where it reads 0 to n - 1 and
    the header gives it no name, or other values are not whole. ValueError where a line is empty, where cells are, or
    where a first line or column can be read both ways.
    """
    lines = read_text(path).rstrip().split("\n")
    first = [cell.strip().strip('"').strip() for cell in lines[0].split(",")]
    if first == [""]:
        raise ValueError(f"{path}: line 1 is empty; expected numbers separated by commas")
    numeric = [_is_float(cell) for cell in first]
    body = lines[1:]
    fractions = any(mark in line.lower() for line in body for mark in ".en")
    counts_columns = first == [str(i) for i in range(len(first))]
    names_index = not numeric[0] and first[1:] == [str(i) for i in range(len(first) - 1)]
    names = not any(numeric) and all(first[1:]) and (first[0] != "" or len(first) > 1)
    if counts_columns and body and not fractions and len(first) > 1:
        raise ValueError(
            f"{path}: row 1 reads 0 to {len(first) - 1}, which may be a header or values; write values with a decimal "
            "point, or the header with names"
        )
    header = names or names_index or (counts_columns and fractions)
    rows = body if header else lines
    if any(not row.strip() for row in rows):  # NumPy would pass over it
        number = len(lines) - len(rows) + 1 + next(i for i, row in enumerate(rows) if not row.strip())
        raise ValueError(f"{path}: row {number} is empty; expected numbers separated by commas")
    if not rows:
        raise ValueError(f"{path}: holds a header and no row of numbers")
    counting = all(row.split(",", 1)[0].strip().strip('"') == str(i) for i, row in enumerate(rows))
    unnamed = header and (first[0] in ("", "index") or first[0].startswith("Unnamed:"))
    if unnamed and not counting:
        raise ValueError(f"{path}: the first column has no name of its own and does not count the rows from 0")
    others = [row.partition(",")[2].lower() for row in rows]
    fractional = any(mark in row for row in others for mark in ".en")
    index = unnamed or (counting and fractional and len(rows) > 2 and not counts_columns)
    return header, index, rows


def _csv_fault(lines: list[str], path: Path) -> str:
    """What keeps rows of a CSV file, without its header, from being numbers."""
    shift = len(read_text(path).rstrip().split("\n")) - len(lines) + 1
    width = lines[0].count(",") + 1
    for number, line in enumerate(lines, start=shift):
        cells = [cell.strip() for cell in line.split(",")]
        for column, cell in enumerate(cells, start=1):
            if not _is_float(cell):
                what = f"holds {cell[:40]!r}" if cell else "is empty"
                return f"row {number}, column {column} {what}; expected a number"
        if len(cells) != width:
            return f"row {number} has {len(cells)} columns; expected {width} as in the first"
    return "not a readable .csv file of numbers"


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def choose_key(names: Iterable[str], key: str | None, path: Path) -> str:
    """The name of the array to read: `key`, the only one, or the one with a usual name; else ValueError."""
    names = list(names)
    if key is not None:
        if key not in names:
            raise ValueError(f"{path}: holds no {key!r}, only {names}")
        return key
    usual = names if len(names) == 1 else [name for name in USUAL_KEYS if name in names][:1]
    if not usual:
        raise ValueError(
            f"{path}: holds {names or 'no array'}, expected one array or one of {list(USUAL_KEYS)}; give key"
        )
    return usual[0]


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write a .npy file of numbers or bytes, and make the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array, allow_pickle=False)


def write_list(path: Path, values: Sequence[Any]) -> None:
    """Write a list to a .npy file, as an object array with an element for each value.

    The array is pickled by the installed NumPy. NumPy before 1.26 cannot read what NumPy 2 pickles.
    """
    array = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):
        array[i] = value
    np.save(path, array, allow_pickle=True)


def write_dict(path: Path, values: Mapping[str, Any]) -> None:
    """Write a dict to a .npy file, as an object array without an axis that is pickled as by `write_list`."""
    np.save(path, np.array(values, dtype=object), allow_pickle=True)


def as_bytes(names: Iterable[str]) -> NDArray[np.bytes_]:
    """Names as an array of UTF-8 bytes, as Python 2 wrote text: the projects that read it decode every name."""
    return np.array([name.encode("utf-8") for name in names], dtype="S")
