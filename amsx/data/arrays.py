"""Reading arrays of features from files (npy, npz, h5, pt, csv, pkl), and writing the .npy files of layouts.

`inspect_array` returns the shape, for which it reads the header alone where the format has one (npy, npz, h5);
`read_array` returns the values. Whatever a file holds, both raise nothing but FileNotFoundError, where it is not there,
and a ValueError that begins with its path and names its fault.
"""

import math
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from io import BytesIO
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, BinaryIO, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from amsx.data.csv_features import read_csv
from amsx.data.numbers import EXPECTED, as_numbers, axes_of, flat_names
from amsx.files import as_text
from amsx.packing import check_unpacked
from amsx.system_errors import about
from amsx.unpickling import check_keys, check_repetition, load_npy, load_pickle, read_pickle

USUAL_KEYS = ("feats", "features", "feature")  # OpenTAD; others; CMCS
SUFFIXES = (".npy", ".npz", ".h5", ".hdf5", ".pt", ".pth", ".csv", ".pkl", ".pickle")
HDF5 = (".h5", ".hdf5")
GZIP = b"\x1f\x8b"  # the first bytes of what gzip compressed

ResultT = TypeVar("ResultT")
Parts = Literal["no", "unpacked", "yes"]  # no; yes, but they are unpacked each time; yes


class Contents(NamedTuple):
    """What a file of features holds, without the values."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    form: str = ""  # what the file has besides values, in words: the header of a .csv file
    parts: Parts = "no"  # whether some rows can be read without the others


def inspect_array(path: Path, key: str | None = None) -> Contents:
    """Shape and dtype of the array of real numbers in `path`.

    `key` is the array's name in a file that can hold several (npz, h5, or a dict in pt or pkl, where "a/b" is b in a).
    By default it is the only array, the one called feats, features or feature, or the only one of two axes or more.
    """
    contents = _guarded(path, lambda: _inspect(path, key))
    if contents.dtype.kind not in "fiu":
        raise ValueError(f"{path}: holds {contents.dtype} values, {EXPECTED}")
    return contents


def read_array(
    path: Path, key: str | None = None, take: Callable[[Any], Any] = lambda array: array[()]
) -> NDArray[Any]:
    """The array in `path`, of any shape; of a .npy file, a memory map. `key` is that of `inspect_array`.

    `take` is given the array, or the data set in an HDF5 file, none of whose values is read yet, and returns a part.
    """
    if path.suffix in HDF5:
        return _guarded(path, lambda: np.asarray(_in_h5(path, key, take)))
    return _guarded(path, lambda: np.asarray(take(_read(path, key))))


def array_names(path: Path) -> list[str]:
    """The full names of the arrays in a .npz or HDF5 file; of an array in a group, <group>/<name>."""

    def names() -> list[str]:
        if path.suffix in HDF5:
            found: list[str] = _opened_h5(path, _arrays_of_h5)
            return found
        with zipfile.ZipFile(path) as archive:
            return _members(archive)

    return _guarded(path, names)


def load_values(path: Path) -> dict[str, Any]:
    """What a dict in a file holds (pt, pkl, or npy of objects), by full name; empty where the file holds no dict."""

    def values() -> dict[str, Any]:
        value = _load_objects(path)
        return flat_names(value) if isinstance(value, Mapping) else {}

    return _guarded(path, values)


def _guarded(path: Path, read: Callable[[], ResultT]) -> ResultT:
    """What `read` returns; every failure but a missing file as a ValueError that begins with the path."""
    if not path.is_file():
        raise FileNotFoundError(f"no feature file {path}")
    try:
        return read()
    except Exception as error:  # libraries raise nearly anything at files of others
        named = isinstance(error, ValueError) and str(error).startswith(str(path))
        if _starts_with(path, GZIP):
            raise ValueError(f"{path}: compressed by gzip; expected an unpacked {path.suffix} file") from error
        if named:
            raise
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(f"{path}: not a readable {path.suffix} file ({type(error).__name__}: {reason})") from error


def _starts_with(path: Path, mark: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(mark)) == mark
    except OSError:
        return False


def _inspect(path: Path, key: str | None) -> Contents:
    if path.suffix == ".npy":
        with path.open("rb") as file:
            shape, dtype, _ = _npy_header(file, path)
            _check_size(path, path.stat().st_size - file.tell(), shape, dtype)
        if not dtype.hasobject and key is None:
            return Contents(shape, dtype, parts="yes")
    elif path.suffix == ".npz":
        with _Member(path, key) as (file, size):
            shape, dtype, _ = _npy_header(file, path)
            _check_size(path, size - file.tell(), shape, dtype)
        if not dtype.hasobject:
            return Contents(shape, dtype)
    elif path.suffix in HDF5:
        shape, dtype, filters = _in_h5(path, key, lambda data: (data.shape, np.dtype(data.dtype), _filters_of(data)))
        if shape is None:
            raise ValueError(f"{path}: holds an empty value, {EXPECTED}")
        return Contents(tuple(shape), dtype, parts="unpacked" if filters else "yes")
    elif path.suffix == ".csv":
        table, form = read_csv(path)
        return Contents(table.shape, table.dtype, form)
    array = _read(path, key)
    return Contents(array.shape, array.dtype)


def _read(path: Path, key: str | None) -> NDArray[Any]:
    if path.suffix == ".npy":
        with path.open("rb") as file:
            shape, dtype, order = _npy_header(file, path)
            if not dtype.hasobject and key is None:
                _check_size(path, path.stat().st_size - file.tell(), shape, dtype)
                return np.asarray(np.memmap(file, dtype, "r", file.tell(), shape, order))
        return _array_of(_load_objects(path), path, key)
    if path.suffix == ".npz":
        with _Member(path, key) as (file, size):
            shape, dtype, _ = _npy_header(file, path)
            _check_size(path, size - file.tell(), shape, dtype)
            if dtype.hasobject:
                return _array_of(read_pickle(file, path), path, None)
        with _Member(path, key) as (file, _):
            try:
                return np.asarray(npy.read_array(file, allow_pickle=False))
            except (ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
                raise ValueError(f"{path}: not a readable .npz file ({error})") from error
    if path.suffix == ".csv":
        return read_csv(path)[0]
    return _array_of(_load_objects(path), path, key)


def _load_objects(path: Path) -> Any:
    """What a file of Python's values holds."""
    if path.suffix in (".pt", ".pth"):
        return _torch_load(path)
    if path.suffix in (".pkl", ".pickle"):
        return load_pickle(path)
    if path.suffix == ".npy":
        array = load_npy(path)
        return array.item() if array.ndim == 0 and array.dtype.hasobject else array
    raise ValueError(f"{path}: unknown kind of file, expected one of {', '.join(SUFFIXES)}")


def _npy_header(file: BinaryIO, path: Path) -> tuple[tuple[int, ...], np.dtype[Any], Literal["C", "F"]]:
    try:
        version = npy.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"version {version} of the format is none that plain arrays of numbers have")
        size = file.read(2 if version == (1, 0) else 4)
        shape, fortran, dtype = _parsed_header(version, size + file.read(int.from_bytes(size, "little")))
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path}: not a readable {path.suffix} file ({error})") from error
    return shape, dtype, "F" if fortran else "C"


@lru_cache(1024)  # one for each length of a video: parsing takes as long as opening the file and reading a short video
def _parsed_header(version: tuple[int, int], header: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether the order is that of Fortran, and dtype."""
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    return read_header(BytesIO(header))


def _check_size(path: Path, size: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError(f"{path}: its header promises the shape {shape}")
    expected = math.prod(shape) * dtype.itemsize
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
            name = choose_key(_members(self.archive), self.key, self.path, self._axes) + ".npy"
            info = self.archive.getinfo(name)
            check_unpacked(f"{self.path}, {name}", info.file_size, info.compress_size)
            self.member = self.archive.open(name)
        except (zipfile.BadZipFile, NotImplementedError) as error:
            self.archive.close()
            raise ValueError(f"{self.path}: {error}") from error
        except BaseException:
            self.archive.close()
            raise
        return self.member, info.file_size  # type: ignore[return-value]

    def _axes(self, name: str) -> int:
        with self.archive.open(name + ".npy") as member:
            return len(_npy_header(member, self.path)[0])  # type: ignore[arg-type]

    def __exit__(self, *_: object) -> None:
        self.member.close()
        self.archive.close()


def _members(archive: zipfile.ZipFile) -> list[str]:
    """The names of the arrays in an open .npz file."""
    return [name[:-4] for name in archive.namelist() if name.endswith(".npy")]


def _in_h5(path: Path, key: str | None, take: Callable[[Any], Any]) -> Any:
    def chosen(file: Any) -> Any:
        item = file.get(key) if key is not None else None  # at once: a file of many videos has many names
        if not hasattr(item, "dtype"):
            item = file[choose_key(_arrays_of_h5(file), key, path, lambda name: len(file[name].shape or ()))]
        _check_h5(item, file, path)
        return take(item)

    return _opened_h5(path, chosen)


def _check_h5(item: Any, file: Any, path: Path) -> None:
    """ValueError where the values of an array lie in another file, or are many more than the file could hold."""
    if item.file.filename != file.filename or getattr(item, "external", None) or getattr(item, "is_virtual", False):
        raise ValueError(
            f"{path}: {item.name} refers to another file, which is not followed; expected the values in it"
        )
    if item.shape is not None:
        check_unpacked(f"{path}, {item.name}", item.size * item.dtype.itemsize, item.id.get_storage_size())


def _filters_of(data: Any) -> int:
    """How many filters, such as compression, the parts of an array in an HDF5 file go through."""
    return int(data.id.get_create_plist().get_nfilters())


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
    import torch  # alone among the readers, this one needs it

    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path}: truncated, or not a file that torch.save writes since version 1.6")
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            check_unpacked(f"{path}, {info.filename}", info.file_size, info.compress_size)
            if info.filename.endswith("/data.pkl"):
                with archive.open(info) as file:
                    check_keys(file, path)  # type: ignore[arg-type]
    try:
        with warnings.catch_warnings(), torch.sparse.check_sparse_tensor_invariants():  # type: ignore[no-untyped-call]
            warnings.simplefilter("ignore")  # what torch says of sparse and quantized tensors helps nobody here
            value = torch.load(path, map_location="cpu", weights_only=True)
        check_repetition(value, path)
        return value
    except (RuntimeError, UnpicklingError, EOFError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()
        refusal = next((line.strip() for line in reason if "GLOBAL" in line), reason[0] if reason else repr(error))
        if "GLOBAL numpy" in refusal:  # arrays of NumPy, which torch.save pickles whole
            with zipfile.ZipFile(path) as archive:
                name = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
                with archive.open(name) as file:
                    return read_pickle(file, path)  # type: ignore[arg-type]
        raise ValueError(f"{path}: refused or broken, not plain tensors ({refusal})") from error


def _array_of(value: Any, path: Path, key: str | None) -> NDArray[Any]:
    """`value` as an array, or the array that the dict `value` holds under `key`."""
    if isinstance(value, Mapping):
        named = flat_names(value)
        value = named[choose_key(named, key, path, lambda name: axes_of(named[name]))]
    elif key is not None:
        raise ValueError(f"{path}: holds a {type(value).__name__} and no {key!r}")
    for tensor in value if isinstance(value, (list, tuple)) else [value]:
        if hasattr(tensor, "element_size"):  # a tensor: a view or a sparse one may be many times what the file holds
            check_unpacked(path, tensor.numel() * tensor.element_size(), path.stat().st_size)
    return as_numbers(value, str(path))


def choose_key(names: Iterable[str], key: str | None, path: Path, axes: Callable[[str], int] = lambda _: 0) -> str:
    """The name of the array to read: `key`; by default the only one, or the one with a usual name; else ValueError.

    Where `axes` tells how many axes an array has, and one alone has two or more, it is that one.
    """
    names = list(names)
    if key is not None:
        if key not in names:
            raise ValueError(f"{path}: holds no {key!r}, only {names}")
        return key
    usual = names if len(names) == 1 else [name for name in USUAL_KEYS if name in names][:1]
    if not usual:
        usual = [name for name in names if axes(name) >= 2]
    if len(usual) != 1:
        raise ValueError(
            f"{path}: holds {names or 'no array'}, expected one array or one of {list(USUAL_KEYS)}; give key"
        )
    return usual[0]


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write a .npy file of numbers or bytes, and make the folders above it.

    FileExistsError where a file of this name is there: two ids may differ in what the file system does not tell apart.
    """
    with _new_file(path) as file:
        np.save(file, array, allow_pickle=False)


def write_arrays(path: Path, **arrays: Any) -> None:
    """Write a .npz file of numbers, under the names given, as `write_array` writes one."""
    with _new_file(path) as file:
        np.savez(file, **arrays)


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with about(path), path.open("xb") as file:
        yield file


def write_list(path: Path, values: Sequence[Any]) -> None:
    """Write a list to a .npy file, as an object array with an element for each value.

    The array is pickled by the installed NumPy. NumPy before 1.26 cannot read what NumPy 2 pickles.
    """
    array = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):
        array[i] = value
    with about(path):
        np.save(path, array, allow_pickle=True)


def write_dict(path: Path, values: Mapping[str, Any]) -> None:
    """Write a dict to a .npy file, as an object array without an axis that is pickled as by `write_list`."""
    with about(path):
        np.save(path, np.array(values, dtype=object), allow_pickle=True)


def read_name_array(path: Path) -> list[str]:
    """The names in a .npy file, which are text or, as Python 2 wrote them, bytes; errors of both name the file."""
    return [decoded(name, str(path)) for name in load_npy(path).ravel().tolist()]


def decoded(value: Any, where: str) -> str:
    """A name that may be bytes as text; ValueError, which begins with `where`, for bytes that are not UTF-8."""
    if not isinstance(value, bytes):
        return str(value)
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return as_text(value, where)  # says where the first such byte is


def as_bytes(names: Iterable[str]) -> NDArray[np.bytes_]:
    """Names as an array of UTF-8 bytes, as Python 2 wrote text: the projects that read it decode every name."""
    return np.array([name.encode("utf-8") for name in names], dtype="S")
