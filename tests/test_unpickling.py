"""The restricted unpickler: plain values come through, everything else is refused and nothing runs."""

import builtins
import collections
import copyreg
import functools
import io
import operator
import os
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from amsx.unpickling import load_npy, load_pickle


def same(a, b):
    if isinstance(a, np.ndarray):
        return (
            type(b) is np.ndarray
            and (a.dtype.newbyteorder("="), a.shape) == (b.dtype.newbyteorder("="), b.shape)  # NumPy swaps some
            and all(same(x, y) for x, y in zip(a.ravel().tolist(), b.ravel().tolist(), strict=True))
        )
    if type(a) is not type(b):
        return False
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    return a == b or (a != a and b != b)


numbers = st.integers() | st.floats() | st.booleans() | st.none() | st.complex_numbers()
scalars = hnp.from_dtype(np.dtype("f4")) | hnp.from_dtype(np.dtype(">i2"))
arrays = hnp.arrays(st.sampled_from(["f2", "f4", ">f8", "i8", "u1", "?", "S3", "U2"]), hnp.array_shapes(min_side=0))
leaves = numbers | st.text() | st.binary() | scalars | arrays
values = st.recursive(
    leaves, lambda x: st.lists(x) | st.tuples(x, x) | st.dictionaries(st.text() | st.integers(), x), max_leaves=20
)


@given(values, st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_plain_values_come_through_every_protocol(tmp_path_factory, value, protocol):
    path = tmp_path_factory.mktemp("pickles") / "v.pkl"
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    assert same(load_pickle(path), pickle.loads(path.read_bytes()))


@given(st.lists(values, max_size=5))
def test_arrays_of_objects_come_through(tmp_path_factory, content):
    array = np.empty(len(content), dtype=object)
    array[:] = [None] * len(content)
    for i, value in enumerate(content):
        array[i] = value
    path = tmp_path_factory.mktemp("arrays") / "v.npy"
    np.save(path, array, allow_pickle=True)
    assert same(load_npy(path), np.load(path, allow_pickle=True))


def test_shared_and_nested_arrays_and_orders_stay(tmp_path):
    inner = np.array([np.arange(3), ["a", {"b": np.asfortranarray(np.ones((2, 3)))}]], dtype=object)
    value = {"x": inner, "y": [inner, collections.OrderedDict(z=1)]}
    (tmp_path / "v.pkl").write_bytes(pickle.dumps(value))
    found = load_pickle(tmp_path / "v.pkl")
    assert found["x"] is found["y"][0] and found["y"][1] == {"z": 1} and type(found["y"][1]) is dict
    np.testing.assert_array_equal(found["x"][1][1]["b"], np.ones((2, 3)))


def test_ordinary_arrays_are_read_as_ever(tmp_path):
    np.save(tmp_path / "v.npy", np.arange(6).reshape(2, 3))
    np.testing.assert_array_equal(load_npy(tmp_path / "v.npy"), [[0, 1, 2], [3, 4, 5]])


# What Python 2 wrote: protocol 2, str as BINSTRING, an array's bytes as such a str
PYTHON2 = (
    b"\x80\x02}q\x00(U\x04nameq\x01U\x03v\xe91q\x02U\x01aq\x03cnumpy.core.multiarray\n_reconstruct\nq\x04cnumpy\n"
    b"ndarray\nq\x05K\x00\x85U\x01b\x87Rq\x06(K\x01K\x02\x85cnumpy\ndtype\nq\x07U\x02f4K\x00K\x01\x87Rq\x08(K\x03U"
    b"\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x08\x00\x00\x80?\x00\x00\x80\xc0tbu."
)


def test_files_of_python_2(tmp_path):
    path = tmp_path / "v.pkl"
    path.write_bytes(PYTHON2)
    found = load_pickle(path)
    assert found["name"] == "v\xe91" and found["a"].tolist() == [1.0, -4.0] and found["a"].dtype == "<f4"
    raw = load_pickle(path, encoding="bytes")
    assert raw[b"name"] == b"v\xe91" and raw[b"a"].tolist() == [1.0, -4.0]
    with pytest.raises(ValueError, match=r"v\.pkl: holds text of Python 2 that is not ASCII"):
        load_pickle(path, encoding="ASCII")


class Gadget:
    """Pickles as a call of `call` with `arguments`."""

    def __init__(self, call, *arguments, state=None):
        self.made = (call, arguments) if state is None else (call, arguments, state)

    def __reduce__(self):
        return self.made


MARK = "amsx_was_here"
OBJECT = np.dtype("O")
STRUCTURE = np.dtype([("a", "O"), ("b", "f4")])
multiarray = sys.modules[type(np.ones(1)).__reduce__(np.ones(1))[0].__module__]
GADGETS = {
    "os.system": (Gadget(os.system, f"echo > {MARK}"), r"posix\.system|nt\.system"),
    "eval": (Gadget(eval, f"open('{MARK}', 'w')"), r"(builtins|__builtin__)\.eval"),
    "exec": (Gadget(exec, f"open('{MARK}', 'w')"), r"(builtins|__builtin__)\.exec"),
    "open": (Gadget(builtins.open, MARK, "w"), r"io\.open"),
    "getattr": (Gadget(getattr, "x", "join"), r"\.getattr"),
    "subprocess": (Gadget(subprocess.Popen, ["touch", MARK]), r"(subprocess|commands)\.Popen"),
    "partial": (Gadget(functools.partial, print), r"functools\.partial"),
    "attrgetter": (Gadget(operator.attrgetter, "system"), r"operator\.attrgetter"),
    "np.load": (Gadget(np.load, "x.npy"), r"numpy.*\.load"),
    "np.fromfile": (Gadget(np.fromfile, "x"), r"numpy.*fromfile"),
    "np.memmap": (Gadget(np.memmap, MARK, "u1", "w+", 0, (3,)), r"numpy.*memmap"),
    "numpy runstring": (b"cnumpy.testing._private.utils\nrunstring\n(S'1'\n}tR.", r"runstring"),
    "set": ({1, 2}, r"set"),
    "bytearray": (bytearray(b"x"), r"bytearray"),
    "class": (Gadget, r"Gadget"),
    "copyreg": (
        Gadget(
            copyreg._reconstructor,  # type: ignore[attr-defined]
            Gadget,
            object,
            None,
        ),
        r"copyreg|copy_reg",
    ),
    "scalar of objects": (Gadget(multiarray.scalar, OBJECT, b"\1" * 8), "a scalar of objects"),
    "scalar of a structure": (Gadget(multiarray.scalar, STRUCTURE, b"\1" * 12), "dtype 'V12'"),
    "array of a structure": (np.zeros(2, STRUCTURE), "dtype 'V12'"),
    "array of dates": (np.zeros(2, "M8[s]"), "dtype 'M8'"),
    "ndarray called": (Gadget(np.ndarray, (1,), OBJECT), r"it calls numpy\.ndarray"),
    "subclass": (Gadget(multiarray._reconstruct, np.matrix, (0,), b"b"), r"numpy.*matrix"),
    "array without content": (Gadget(multiarray._reconstruct, np.ndarray, (0,), b"b"), "without content"),
    "too large": (
        Gadget(multiarray._reconstruct, np.ndarray, (0,), b"b", state=(1, (1 << 60,), np.dtype("f8"), False, b"")),
        "other than its bytes",
    ),
    "a lot of nothing": (
        Gadget(multiarray._reconstruct, np.ndarray, (0,), b"b", state=(1, (1 << 40,), np.dtype("S0"), False, b"")),
        "other than its bytes",
    ),
    "an array for a key": (b"\x80\x02}" + pickle.dumps(np.ones(2), 2)[2:-1] + b"K\x01s.", "unhashable"),
    "objects from bytes": (
        Gadget(multiarray._reconstruct, np.ndarray, (0,), b"b", state=(1, (1,), OBJECT, False, b"\1" * 8)),
        "1 objects and gives others",
    ),
    "negative shape": (
        Gadget(multiarray._reconstruct, np.ndarray, (0,), b"b", state=(1, (-1,), np.dtype("f8"), False, b"")),
        r"shape \(-1,\)",
    ),
    "a dtype alone": (np.dtype("f4"), "a dtype"),
    "a function alone": (b"cnumpy\nndarray\n.", "a function"),
    "changed function": (b"cnumpy\ndtype\n}S'_call'\nS'x'\nsb.", r"it changes numpy\.dtype"),
    "changed by slots": (b"cnumpy\ndtype\n(N}S'_call'\nS'x'\nstb.", r"it changes numpy\.dtype"),
    "persistent": (b"Pos.system\n.", r"'os\.system' outside of itself"),
    "dotted": (b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tolist\x93.", r"numpy\.ndarray\.tolist"),
    "contains itself": (b"\x80\x02]q\x00h\x00a.", "contains itself"),
    "deep": (b"]" * 100_000 + b"a" * 99_999 + b".", "nested too deeply"),
}


def write(path, content, protocol=2):
    path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, protocol=protocol))
    return path


@pytest.mark.parametrize("name", GADGETS)
def test_a_malicious_pickle_is_refused_by_name_and_runs_nothing(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    content, wanted = GADGETS[name]
    for protocol in (2, 4):
        if name == "bytearray" and protocol != 2:
            continue
        path = write(tmp_path / "v.pkl", content, protocol)
        with pytest.raises(ValueError, match=rf"v\.pkl: (refused|not a readable).*{wanted}"):
            load_pickle(path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["v.pkl"]


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_malicious_array_is_refused_however_deep_it_hides(tmp_path, monkeypatch, depth):
    monkeypatch.chdir(tmp_path)
    value: Any = Gadget(os.system, f"echo > {MARK}")
    for _ in range(depth):
        inner = np.empty(1, dtype=object)
        inner[0] = value
        value = inner
    array = np.empty(2, dtype=object)
    array[0] = value
    np.save(tmp_path / "v.npy", array, allow_pickle=True)
    with pytest.raises(ValueError, match=r"v\.npy: refused, it asks for (posix|nt)\.system"):
        load_npy(tmp_path / "v.npy")
    assert not (tmp_path / MARK).exists()


def test_the_gadgets_do_harm_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pickle.loads(pickle.dumps(GADGETS["eval"][0]))
    assert (tmp_path / MARK).exists()


@pytest.mark.parametrize("protocol", [2, 5])
def test_what_is_cut_off_or_no_pickle_is_an_error_that_names_the_file(tmp_path, protocol):
    whole = pickle.dumps([np.arange(50.0), {"a": "text"}], protocol=protocol)
    for keep in (0, 1, 2, 20, len(whole) // 2, len(whole) - 1):
        path = write(tmp_path / "v.pkl", whole[:keep])
        with pytest.raises(ValueError, match=r"v\.pkl: (not a readable pickle|refused)"):
            load_pickle(path)
    with pytest.raises(ValueError, match=r"v\.pkl: not a readable pickle"):
        load_pickle(write(tmp_path / "v.pkl", b"<html>404</html>"))
    with pytest.raises(FileNotFoundError, match=r"none\.pkl"):
        load_pickle(tmp_path / "none.pkl")


def test_a_header_that_lies_is_refused(tmp_path):
    out = io.BytesIO()
    np.save(out, np.array([[1], [2]], dtype=object), allow_pickle=True)
    (tmp_path / "v.npy").write_bytes(out.getvalue().replace(b"(2, 1)", b"(3, 1)"))
    with pytest.raises(ValueError, match=r"promises object of shape \(3, 1\), but it holds object of shape \(2, 1\)"):
        load_npy(tmp_path / "v.npy")
    deep = out.getvalue().replace(b"'fortran_order': False", b"(" * 22)  # which NumPy's parser takes for unfinished
    for content in (b"no array", deep, deep.replace(b"(", b"[")):
        (tmp_path / "v.npy").write_bytes(content)
        with pytest.raises(ValueError, match=r"v\.npy: not a readable \.npy file"):
            load_npy(tmp_path / "v.npy")
    with pytest.raises(FileNotFoundError, match=r"none\.npy"):
        load_npy(tmp_path / "none.npy")


@pytest.mark.parametrize("name", ["segments", "labels", "labels_all", "videoname", "duration", "classlist"])
@pytest.mark.parametrize("encoding", ["latin1", "bytes"])
def test_the_w_talc_annotation_reads_as_numpy_reads_it(shared_data, name, encoding):
    path = shared_data("thumos14-wtalc") / "Thumos14reduced-Annotations" / f"{name}.npy"
    assert same(load_npy(path, encoding=encoding), np.load(path, allow_pickle=True, encoding=encoding))
