"""Feature files of every kind: the shape and the values they were written with, and every way to be broken."""

import builtins
import gzip
import pickle
import sys

import numpy as np
import pytest
import torch

from amsx.data.arrays import SUFFIXES, inspect_array, read_array
from amsx.data.features import Crops, FeatureFile

ARRAY = np.arange(12, dtype="f4").reshape(4, 3) / 7
KINDS = ["npy", "npz", "h5", "pt", "csv", "pkl"]


def write(path, array=ARRAY, key="feats"):
    kind = path.suffix[1:]
    if kind == "npy":
        np.save(path, array)
    elif kind == "npz":
        np.savez(path, **{key: array})
    elif kind in ("h5", "hdf5"):
        h5py = pytest.importorskip("h5py")
        with h5py.File(path, "w") as file:
            file[key] = array
    elif kind in ("pt", "pth"):
        torch.save(torch.from_numpy(array), path)
    elif kind == "csv":
        np.savetxt(path, array, delimiter=",", fmt="%.9g", header=",".join(f"f{i}" for i in range(3)), comments="")
    else:
        path.write_bytes(pickle.dumps(array))
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_its_shape_and_its_values(tmp_path, kind):
    path = write(tmp_path / f"v.{kind}")
    assert inspect_array(path)[:2] == ((4, 3), np.dtype("f4"))
    np.testing.assert_array_equal(read_array(path), ARRAY)
    stream = FeatureFile.inspect(path)
    assert stream.shape == (4, 3)
    np.testing.assert_array_equal(stream.load(), ARRAY)


@pytest.mark.parametrize("kind", KINDS)
def test_a_truncated_file_of_any_kind_is_refused(tmp_path, kind):
    path = write(tmp_path / f"v.{kind}", np.random.default_rng(0).random((50, 3)).astype("f4"))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2 - 1])
    if kind == "csv":  # half a table is a table, unless its last row is cut
        path.write_bytes(whole[: whole.rindex(b",")])
    with pytest.raises(ValueError, match=rf"v\.{kind}: "):
        FeatureFile.inspect(path)


@pytest.mark.parametrize("kind", KINDS)
def test_no_file_and_no_numbers_are_errors(tmp_path, kind):
    with pytest.raises(FileNotFoundError, match=rf"v\.{kind}"):
        FeatureFile.inspect(tmp_path / f"v.{kind}")
    (tmp_path / f"v.{kind}").write_text("<html>, not found</html>\n<p>x</p>")
    if kind in ("h5", "hdf5"):
        pytest.importorskip("h5py")
    with pytest.raises(ValueError, match=rf"v\.{kind}: "):
        FeatureFile.inspect(tmp_path / f"v.{kind}")


def test_an_unknown_kind_is_an_error_that_says_the_known(tmp_path):
    (tmp_path / "v.mat").write_text("x")
    with pytest.raises(ValueError, match=r"v\.mat: unknown kind of file, expected one of " + ", ".join(SUFFIXES)):
        inspect_array(tmp_path / "v.mat")


def test_a_file_of_several_arrays_needs_a_key_unless_one_has_the_usual_name(tmp_path):
    path = tmp_path / "v.npz"
    np.savez(path, feature=ARRAY, frame_cnt=9)
    assert inspect_array(path)[0] == (4, 3)
    np.savez(path, i3d=ARRAY, times=ARRAY[:, 0], fps=25.0)  # one alone can be (snippets, channels)
    np.testing.assert_array_equal(read_array(path), ARRAY)
    np.savez(path, a=ARRAY, b=ARRAY[:2])
    with pytest.raises(ValueError, match=r"holds \['a', 'b'\], expected one array or one of .*; give key"):
        inspect_array(path)
    assert inspect_array(path, "b")[0] == (2, 3)
    with pytest.raises(ValueError, match=r"holds no 'c', only \['a', 'b'\]"):
        inspect_array(path, "c")
    for path in (tmp_path / "v.pt", tmp_path / "v.pkl"):
        value = {"x": ARRAY, "y": ARRAY[:1]}
        if path.suffix == ".pt":
            torch.save({name: torch.from_numpy(array) for name, array in value.items()}, path)
        else:
            path.write_bytes(pickle.dumps(value))
        assert inspect_array(path, "y")[0] == (1, 3)
        with pytest.raises(ValueError, match="give key"):
            inspect_array(path)


def test_compressed_and_bfloat16_and_headless_files(tmp_path):
    np.savez_compressed(tmp_path / "v.npz", feats=ARRAY)
    np.testing.assert_array_equal(read_array(tmp_path / "v.npz"), ARRAY)
    torch.save(torch.ones(2, 3, dtype=torch.bfloat16), tmp_path / "v.pt")
    np.testing.assert_array_equal(read_array(tmp_path / "v.pt"), np.ones((2, 3)))
    (tmp_path / "v.csv").write_text("1,2\n3,4\n")
    assert read_array(tmp_path / "v.csv").tolist() == [[1, 2], [3, 4]]


def test_a_broken_checksum_is_found_when_the_values_are_read(tmp_path):
    path = write(tmp_path / "v.npz")
    content = bytearray(path.read_bytes())
    content[content.index(ARRAY.tobytes()) + 5] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"v\.npz: not a readable \.npz file \(Bad CRC"):
        FeatureFile.inspect(path).load()


class Bad:
    def __reduce__(self):
        return builtins.eval, ("open('amsx_was_here', 'w')",)


def test_pickles_and_torch_files_run_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "v.pkl").write_bytes(pickle.dumps(Bad()))
    torch.save({"feats": Bad()}, tmp_path / "v.pt")
    for name in ("v.pkl", "v.pt"):
        with pytest.raises(ValueError, match=rf"{name}: refused.*eval"):
            inspect_array(tmp_path / name)
    torch.save(torch.ones(2, 2), tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(ValueError, match=r"old\.pt: truncated, or not a file that torch\.save writes since"):
        inspect_array(tmp_path / "old.pt")
    assert not (tmp_path / "amsx_was_here").exists()


def test_h5_without_its_package_says_which(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    (tmp_path / "v.h5").write_bytes(b"\x89HDF")
    with pytest.raises(ValueError, match=r"v\.h5: reading HDF5 files needs the package h5py \(pip install h5py\)"):
        inspect_array(tmp_path / "v.h5")


@pytest.mark.parametrize("value", [{"feats": "text"}, ["a", "b"], "text", None, {}, {1: 2}])
def test_a_pickle_of_something_else_is_refused(tmp_path, value):
    (tmp_path / "v.pkl").write_bytes(pickle.dumps(value))
    with pytest.raises(ValueError, match=r"v\.pkl: .*expected (an array of real numbers|one array)"):
        inspect_array(tmp_path / "v.pkl")


def test_of_several_views_the_first_is_taken(tmp_path):
    np.savez(tmp_path / "v.npz", feature=np.arange(2 * 7 * 3).reshape(2, 7, 3), frame_cnt=28)
    stream = FeatureFile.inspect(tmp_path / "v.npz", key="feature", crops=Crops(0, axis=0))
    assert stream.shape == (7, 3)
    np.testing.assert_array_equal(stream.load(), np.arange(21).reshape(7, 3))
    alone = FeatureFile.inspect(write(tmp_path / "w.npy"), crops=Crops(0, axis=0))  # one view has only one reading
    np.testing.assert_array_equal(alone.load(), ARRAY)
    with pytest.raises(ValueError, match=r"shape \(4, 5, 3\), expected"):
        FeatureFile.inspect(write(tmp_path / "w.npy", np.ones((2, 4, 5, 3))), crops=Crops(0, axis=0))


def tensor(value):
    return lambda path: torch.save(value, path)


def pickled(value):
    return lambda path: path.write_bytes(pickle.dumps(value))


def saved(value):
    return lambda path: np.save(path, value, allow_pickle=True)


def archive(**values):
    return lambda path: np.savez(path, **values)


def in_h5(value):
    def make(path):
        h5py = pytest.importorskip("h5py")
        with h5py.File(path, "w") as file:
            file["feats"] = h5py.Empty("f4") if value is None else value

    return make


def objects(values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


X = torch.from_numpy(ARRAY.copy())
COMPLEX = torch.complex(X, -X)
STRUCTURED = np.zeros(4, dtype=[("a", "f4"), ("b", "f4")])
READ = {
    "requires a gradient": ("v.pt", tensor(X.clone().requires_grad_())),
    "a parameter": ("v.pt", tensor(torch.nn.Parameter(X.clone()))),
    "sparse COO": ("v.pt", tensor(X.to_sparse())),
    "sparse CSR": ("v.pt", lambda path: torch.save(X.to_sparse_csr(), path)),
    "a negative view": ("v.pt", tensor(COMPLEX.conj().imag)),
    "a transposed view": ("v.pth", tensor(X.T.contiguous().T)),
    "doubles": ("v.pt", tensor(X.double())),
    "numpy by torch": ("v.pt", tensor(ARRAY)),
    "numpy in a dict by torch": ("v.pt", tensor({"x": ARRAY, "fps": 25.0})),
    "a list of tensors": ("v.pt", tensor(list(X))),
    "a list of lists by torch": ("v.pt", tensor(X.tolist())),
    "a dict with one array": ("v.pt", tensor({"x": X, "fps": 25.0, "name": "v"})),
    "a dict in a dict": ("v.pt", tensor({"v": {"i3d": X, "times": X[:, 0]}})),
    "a list of lists": ("v.pkl", pickled(ARRAY.tolist())),
    "a list of arrays": ("v.pickle", pickled(list(ARRAY))),
    "an array of objects": ("v.pkl", pickled(ARRAY.astype(object))),
    "an object array of rows": ("v.pkl", pickled(objects(list(ARRAY)))),
    "an object array in npy": ("v.npy", saved(ARRAY.astype(object))),
    "a dict in npy": ("v.npy", saved({"feats": ARRAY})),
    "big-endian": ("v.npy", saved(ARRAY.astype(">f4"))),
    "Fortran order": ("v.npy", saved(np.asfortranarray(ARRAY))),
    "an object array in npz": ("v.npz", archive(feats=ARRAY.astype(object))),
    "big-endian in npz": ("v.npz", archive(x=ARRAY.astype(">f8"))),
    "big-endian in HDF5": ("v.h5", in_h5(ARRAY.astype(">f8"))),
    "two axes of length 1": ("v.npy", saved(ARRAY[:, None, None])),
    "an axis before": ("v.pt", tensor(X[None])),
    "axes behind": ("v.npz", archive(x=ARRAY[:, :, None, None])),
    "an axis between": ("v.h5", in_h5(ARRAY[:, None])),
}
REFUSED = {
    "complex": ("v.pt", tensor(COMPLEX)),
    "conjugate": ("v.pt", tensor(COMPLEX.conj())),
    "booleans": ("v.pt", tensor(X > 0)),
    "without values": ("v.pt", tensor(torch.empty(4, 3, device="meta"))),
    "empty tensor": ("v.pt", tensor(torch.empty(0, 3))),
    "a number": ("v.pt", tensor(X[0, 0])),
    "a Python number": ("v.pt", tensor(3.0)),
    "nothing": ("v.pt", tensor(None)),
    "rows of several lengths": ("v.pt", tensor([X[0], X[1, :2]])),
    "tensors beside arrays": ("v.pt", tensor({"feats": X, "times": ARRAY})),
    "a state dict of two": ("v.pt", tensor({"weight": X, "other": X})),
    "a list of tensors that are sparse and not alike": ("v.pt", tensor([X.to_sparse(), X[0]])),
    "ragged lists": ("v.pkl", pickled([[1.0, 2.0], [3.0]])),
    "an empty list": ("v.pkl", pickled([])),
    "text": ("v.pkl", pickled([["a"]])),
    "huge integers": ("v.pkl", pickled([[2**70]])),
    "object array of other things": ("v.npy", saved(np.array([[None, {}]], dtype=object))),
    "object array of ragged rows": ("v.npy", saved(objects([ARRAY[0], ARRAY[1, :2]]))),
    "a table": ("v.npy", saved(STRUCTURED)),
    "dates": ("v.npy", saved(np.zeros((2, 2), dtype="M8[s]"))),
    "no axis": ("v.npy", saved(np.float32(1))),
    "no row": ("v.npy", saved(ARRAY[:0])),
    "a table in npz": ("v.npz", archive(x=STRUCTURED)),
    "no array": ("v.npz", archive()),
    "several arrays": ("v.npz", archive(a=ARRAY, b=ARRAY)),
    "an empty value": ("v.h5", in_h5(None)),
    "text in HDF5": ("v.h5", in_h5("text")),
    "rows of crops": ("v.npy", saved(np.ones((4, 10, 3)))),
    "one or many snippets": ("v.npy", saved(np.ones((4, 1, 1)))),
    "compressed": ("v.npy", lambda path: path.write_bytes(gzip.compress(b"x"))),
    "a folder": ("v.npy/x", lambda path: None),
}


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support")
@pytest.mark.parametrize("what", READ)
def test_values_of_every_kind_are_read(tmp_path, what):
    name, make = READ[what]
    make(tmp_path / name)
    stream = FeatureFile.inspect(tmp_path / name)
    assert stream.shape == ARRAY.shape
    np.testing.assert_array_equal(stream.load(), ARRAY)


@pytest.mark.filterwarnings("ignore:.*deprecated")
def test_quantized_tensors_and_short_floats_have_their_values(tmp_path):
    quantized = torch.quantize_per_tensor(X, 0.125, 0, torch.qint8)
    for value in (quantized, X.half(), X.bfloat16(), X.to(torch.float8_e4m3fn)):
        torch.save(value, tmp_path / "v.pt")
        expected = (value.dequantize() if value.is_quantized else value.float()).numpy()
        np.testing.assert_array_equal(FeatureFile.inspect(tmp_path / "v.pt").load(), expected)


@pytest.mark.parametrize("what", REFUSED)
def test_values_of_no_use_are_refused_by_the_name_of_the_file(tmp_path, what):
    name, make = REFUSED[what]
    if "/" in name:
        (tmp_path / name).parent.mkdir()
    make(tmp_path / name)
    error = FileNotFoundError if what == "a folder" else ValueError
    with pytest.raises(error) as caught:
        FeatureFile.inspect(tmp_path / name)
    assert str(caught.value).startswith(f"no feature file {tmp_path}" if what == "a folder" else f"{tmp_path / name}: ")
