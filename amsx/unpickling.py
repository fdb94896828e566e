"""Pickles of other people, read without running what they say.

A pickle is a program; `pickle.load` and `np.load(allow_pickle=True)` run it. Here a pickle can build arrays,
lists, tuples, dicts, text, bytes, numbers, booleans and None, and nothing else: it is handed none of NumPy's
or Python's own functions, only stand-ins that check and keep what they are given, from which the arrays are
made afterwards. Whatever else a file asks for is refused by name.
"""

import pickle
import pickletools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Literal, NoReturn, get_args

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

Encoding = Literal["latin1", "bytes", "ASCII"]  # what becomes of Python 2's str; "bytes" leaves it bytes
Order = Literal["<", ">", "=", "|"]
NUMBERS_OR_TEXT = re.compile(r"[biufc]\d{1,2}|[SU]\d{1,9}|[?bBhHiIlLqQefd]")
MODULES = {"numpy", "numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric"}
DEEPENING = (b"t", b"\x85", b"\x86", b"\x87", b"\x91")  # operations of pickles that make tuples and frozen sets
DEEPEST = 5000  # tuples in each other; the stack of a thread has room for some ten thousand
MOST_VALUES = 1_000_000  # that lists in each other may hold however often they repeat
PLAIN = (str, bytes, int, float, complex, bool, type(None), np.generic)


def load_pickle(path: Path, *, encoding: Encoding = "latin1") -> Any:
    """What the pickle file `path` holds.

    Files of Python 2 need `encoding`: "latin1" (text) or "bytes". FileNotFoundError where there is no file;
    ValueError, naming the file, where it is no pickle, is cut off, or asks for anything but plain values.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    with path.open("rb") as file:
        return read_pickle(file, path, encoding)


def load_npy(path: Path, *, encoding: Encoding = "latin1") -> NDArray[Any]:
    """The array in a .npy file, also one of objects (lists, other arrays), which are pickled; see `load_pickle`."""
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    with path.open("rb") as file:
        try:
            version = npy.read_magic(file)
            read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
            if read_header is None:
                raise ValueError(f"version {version} of the format")
            shape, _, dtype = read_header(file)
            if not dtype.hasobject:
                file.seek(0)
                return np.asarray(npy.read_array(file, allow_pickle=False))
        except OSError:
            raise
        except Exception as error:  # NumPy's parser of headers raises nearly anything
            raise ValueError(f"{path}: not a readable .npy file ({error})") from error
        array = read_pickle(file, path, encoding)
    objects = dtype.kind == "O" and isinstance(array, np.ndarray) and array.dtype.kind == "O"
    if not objects or array.shape != shape:
        found = f"{array.dtype} of shape {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise ValueError(f"{path}: its header promises {dtype} of shape {shape}, but it holds {found}")
    checked: NDArray[Any] = array
    return checked


def read_pickle(file: BinaryIO, path: Path, encoding: Encoding = "latin1") -> Any:
    """What the pickle in the open `file` holds; `path` is its name in errors, which are those of `load_pickle`."""
    check_keys(file, path)
    try:
        value = _finished(_Restricted(file, encoding=encoding).load(), {}, [])
        check_repetition(value, path)
        return value
    except _Refused as error:
        raise ValueError(f"{path}: refused, {error}") from error
    except RecursionError as error:
        raise ValueError(f"{path}: refused, its values are nested too deeply") from error
    except UnicodeDecodeError as error:
        if error.encoding.lower() == encoding.lower():
            raise ValueError(f"{path}: holds text of Python 2 that is not {encoding} ({error})") from error
        raise ValueError(f"{path}: not a readable pickle ({error})") from error
    except MemoryError as error:
        raise ValueError(f"{path}: refused, it asks for more memory than there is") from error
    except Exception as error:  # the unpickler raises nearly anything at bytes that are no pickle
        raise ValueError(f"{path}: not a readable pickle ({type(error).__name__}: {error})") from error


def check_keys(file: BinaryIO, path: Path) -> None:
    """ValueError where the pickle in the open `file` nests tuples so deeply that hashing one could end Python.

    The hash of a tuple, which a key of a dict needs, goes down into it without a limit. The file stays where it is.
    """
    start = file.tell()
    content = file.read()
    file.seek(start)
    if sum(content.count(operation) for operation in DEEPENING) > DEEPEST and _depth_of_tuples(content) > DEEPEST:
        raise ValueError(f"{path}: refused, its tuples are nested too deeply")


def _depth_of_tuples(content: bytes) -> int:
    """How deeply a pickle nests tuples, by its operations, up to the first that is deeper than `DEEPEST`.

    What is no pickle is as deep as its readable beginning.
    """
    stack: list[int | None] = []  # the depth of every value, None for a mark
    memo: dict[int, int] = {}
    deepest = 0
    try:
        for operation, argument, _ in pickletools.genops(content):
            name, before = operation.name, operation.stack_before
            taken: list[int | None] = []
            if pickletools.markobject in before or name == "POP_MARK":
                while stack and (depth := stack.pop()) is not None:
                    taken.append(depth)
                before = before[: before.index(pickletools.markobject)] if pickletools.markobject in before else []
            taken += [stack.pop() for _ in before if stack]
            depth = 0
            if name.startswith("TUPLE") or name == "FROZENSET":
                depth = 1 + max((each or 0 for each in taken), default=0)
                deepest = max(deepest, depth)
                if deepest > DEEPEST:
                    break
            elif name in ("GET", "BINGET", "LONG_BINGET"):
                depth = memo.get(int(argument or 0), 0)
            elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE", "DUP", "BUILD"):
                depth = next((each for each in reversed(taken) if each is not None), (stack[-1] or 0) if stack else 0)
            if name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
                memo[len(memo) if name == "MEMOIZE" else int(argument or 0)] = depth
                stack += [depth] if taken else []
                continue
            stack += [None if each is pickletools.markobject else depth for each in operation.stack_after]
    except ValueError:  # it ends in the middle, or is no pickle
        pass
    return deepest


def check_repetition(value: Any, path: Path) -> None:
    """ValueError where lists, tuples and dicts hold each other so often that, written out, they would be immense."""
    sizes: dict[int, int] = {}  # id of a list, tuple or dict -> values in it, those in what it holds included

    def size(part: Any) -> int:
        if not isinstance(part, (list, tuple, dict)):
            return 1
        if id(part) not in sizes:
            inner = part.values() if isinstance(part, dict) else part
            sizes[id(part)] = 1 + sum(size(each) for each in inner)
        return sizes[id(part)]

    whole = size(value)
    if whole > MOST_VALUES and whole > 100 * sum(len(each) for each in _containers(value)):
        raise ValueError(f"{path}: refused, its lists repeat each other to {whole} values")


def _containers(value: Any) -> list[Any]:
    """Every list, tuple and dict in `value`, each once."""
    found: dict[int, Any] = {}
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, (list, tuple, dict)) and id(part) not in found:
            found[id(part)] = part
            waiting += part.values() if isinstance(part, dict) else part
    return list(found.values())


class _Refused(pickle.UnpicklingError):
    """The pickle asks for something that plain values do not need."""


class _Restricted(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module in MODULES and name in _FROM_NUMPY:
            return _FROM_NUMPY[name]
        if (module, name) in _FROM_PYTHON:
            return _FROM_PYTHON[module, name]
        raise _Refused(f"it asks for {module}.{name}; only arrays, lists, dicts, text and numbers are read")

    def persistent_load(self, pid: Any) -> NoReturn:
        raise _Refused(f"it asks for the object {str(pid)[:80]!r} outside of itself")


class _Named:
    """What a pickle gets for a name: it can be called, and neither read nor changed."""

    __slots__ = ("_call", "_name")
    _call: Callable[..., Any]
    _name: str

    def __init__(self, name: str, call: Callable[..., Any]) -> None:
        object.__setattr__(self, "_name", name)
        object.__setattr__(self, "_call", call)

    def __call__(self, *arguments: Any) -> Any:
        return self._call(*arguments)

    def __setattr__(self, key: str, value: Any) -> NoReturn:
        raise _Refused(f"it changes {self._name}")

    def __setstate__(self, state: Any) -> NoReturn:
        raise _Refused(f"it changes {self._name}")


class _Dtype:
    """A NumPy dtype to be: numbers, text, bytes or objects; no structures, no sub-arrays."""

    __slots__ = ("_order", "_text")

    def __init__(self, text: Any, align: Any = False, copy: Any = True) -> None:
        self._text = text.decode("latin1") if isinstance(text, bytes) else text
        self._order: Order = "="
        if not isinstance(self._text, str) or not (
            NUMBERS_OR_TEXT.fullmatch(self._text) or re.fullmatch(r"O\d{0,2}", self._text)
        ):
            raise _Refused(f"it asks for an array of dtype {self._text!r}")

    def __setstate__(self, state: Any) -> None:
        order: Any = state[1].decode("latin1") if isinstance(state[1], bytes) else state[1]
        if order not in get_args(Order) or any(part is not None for part in state[2:5]):
            raise _Refused(f"it asks for a structured dtype, {str(state)[:80]}")
        self._order = order

    @property
    def made(self) -> np.dtype:
        """The dtype itself."""
        if self._text.startswith("O"):
            return np.dtype(object)
        dtype = np.dtype(self._text)
        return dtype if self._order == "|" else dtype.newbyteorder(self._order)


class _Array:
    """A NumPy array to be, or a scalar."""

    __slots__ = ("_content", "_dtype", "_fortran", "_scalar", "_shape")

    def __init__(self, scalar: bool = False) -> None:
        self._scalar = scalar
        self._shape: tuple[int, ...] | None = None

    def __setstate__(self, state: Any) -> None:
        shape, dtype, fortran, content = state[-4:]  # a version number comes first, except in the oldest
        if not (isinstance(shape, tuple) and all(type(n) is int and n >= 0 for n in shape)):
            raise _Refused(f"it asks for an array of shape {str(shape)[:80]}")
        if not isinstance(dtype, _Dtype):
            raise _Refused(f"it asks for an array of dtype {str(dtype)[:80]}")
        self._shape, self._dtype, self._fortran, self._content = shape, dtype.made, bool(fortran), content
        size = int(np.prod(np.array(shape, dtype=object)))
        if self._dtype.kind == "O":
            if not isinstance(content, list) or len(content) != size:
                raise _Refused(f"it asks for {size} objects and gives others")
            return
        if isinstance(content, str):  # Python 2's str
            self._content = content.encode("latin1")
        needed = size * self._dtype.itemsize
        if not isinstance(self._content, (bytes, bytearray)) or len(self._content) != needed or (size and not needed):
            raise _Refused(f"it asks for an array of shape {shape} of {self._dtype} and gives other than its bytes")

    def make(self, finish: Callable[[Any], Any]) -> Any:
        """The array, a view of the bytes that were read, so that nothing is copied; or the scalar."""
        if self._shape is None:
            raise _Refused("it leaves an array without content")
        order: Literal["F", "C"] = "F" if self._fortran else "C"
        if self._dtype.kind != "O":
            if not self._content:
                return np.zeros(self._shape, self._dtype)
            array = np.frombuffer(self._content, self._dtype).reshape(self._shape, order=order)
            return array[()] if self._scalar else array
        flat = np.empty(len(self._content), dtype=object)
        for i, value in enumerate(self._content):
            flat[i] = finish(value)
        return flat.reshape(self._shape, order=order)


def _reconstruct(kind: Any, shape: Any, letter: Any) -> _Array:
    if kind is not _NDARRAY:
        raise _Refused("it asks for an array of another type than numpy.ndarray")
    return _Array()


def _from_buffer(content: Any, dtype: Any, shape: Any, order: Any) -> _Array:
    array = _Array()
    array.__setstate__((shape, dtype, order == "F", content))
    return array


def _scalar(dtype: Any, content: Any) -> _Array:
    if isinstance(dtype, _Dtype) and dtype.made.kind == "O":
        raise _Refused("it asks for a scalar of objects")
    scalar = _Array(scalar=True)
    scalar.__setstate__(((), dtype, False, content))
    return scalar


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    """How Python 3 writes bytes for Python 2."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise _Refused(f"it asks for an encoding {str(encoding)[:80]!r}")
    return text.encode("latin1")


def _no_bytes(*arguments: Any) -> bytes:
    if arguments:
        raise _Refused("it asks for bytes of its own making")
    return b""


def _complex(real: Any, imaginary: Any) -> complex:
    if type(real) is not float or type(imaginary) is not float:
        raise _Refused("it asks for a complex number of other than two numbers")
    return complex(real, imaginary)


def _dict(*arguments: Any) -> dict[Any, Any]:
    return dict(*arguments)


def _no_array(*_: Any) -> NoReturn:
    raise _Refused("it calls numpy.ndarray")


_NDARRAY = _Named("numpy.ndarray", _no_array)
_FROM_NUMPY = {
    "ndarray": _NDARRAY,
    "dtype": _Named("numpy.dtype", _Dtype),
    "_reconstruct": _Named("numpy's _reconstruct", _reconstruct),
    "scalar": _Named("numpy's scalar", _scalar),
    "_frombuffer": _Named("numpy's _frombuffer", _from_buffer),
}
_FROM_PYTHON = {
    ("_codecs", "encode"): _Named("codecs.encode", _encode),
    ("__builtin__", "bytes"): _Named("bytes", _no_bytes),
    ("builtins", "bytes"): _Named("bytes", _no_bytes),
    ("__builtin__", "complex"): _Named("complex", _complex),
    ("builtins", "complex"): _Named("complex", _complex),
    ("collections", "OrderedDict"): _Named("OrderedDict", _dict),
}


def _finished(value: Any, done: dict[int, Any], within: list[int]) -> Any:
    """`value` with its arrays made, having checked that it holds plain values alone and not itself.

    `done` has what was finished before by its old identity: what occurs twice stays one object. The old
    objects live as long as `value` does, so no identity is used again.
    """
    if type(value) in PLAIN or isinstance(value, np.generic):
        return value
    if id(value) in done:
        return done[id(value)]
    if id(value) in within:
        raise _Refused("it holds a value that contains itself")
    within.append(id(value))

    def finish(part: Any) -> Any:
        return _finished(part, done, within)

    result: Any
    if type(value) is list:
        result = [finish(part) for part in value]
    elif type(value) is tuple:
        result = tuple(finish(part) for part in value)
    elif type(value) is dict:
        result = {finish(key): finish(part) for key, part in value.items()}
    elif isinstance(value, _Array):
        result = value.make(finish)
    else:
        name = {_Named: "a function", _Dtype: "a dtype"}.get(type(value), type(value).__name__)
        raise _Refused(f"it holds {name}; only arrays, lists, dicts, text and numbers are read")
    within.pop()
    done[id(value)] = result
    return result
