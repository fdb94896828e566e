"""Feature files of every kind: the shape and the values they were written with, and every way to be broken."""

import builtins
import pickle
import sys

import numpy as np
import pytest
import torch

from amsx.data.arrays import SUFFIXES, csv_form, inspect_array, read_array
from amsx.data.features import FeatureFile

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
    assert inspect_array(path) == ((4, 3), np.dtype("f4"))
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


HEADER, INDEX = "a first line of column names", "a first column that counts the rows"
ROWS = "0.5,1.5\n2.5,3\n4,5.5\n"
VALUES = [[0.5, 1.5], [2.5, 3], [4, 5.5]]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (ROWS, ""),
        ("\ufeff" + ROWS.replace("\n", "\r\n"), ""),
        ("0,1\n" + ROWS, HEADER),
        ("a,b\n" + ROWS, HEADER),
        ('\ufeff"a","b"\n' + ROWS, HEADER),
        (",0,1\n0,0.5,1.5\n1,2.5,3\n2,4,5.5\n", f"{HEADER} and {INDEX}"),
        (
            "index,a,b\n0,0.5,1.5\n1,2.5,3\n2,4,5.5",
            f"{HEADER} and {INDEX}",
        ),
        ("0,0.5,1.5\n1,2.5,3\n2,4,5.5\n", INDEX),
    ],
)
def test_the_whole_csv_file_says_what_is_header_index_and_value(tmp_path, text, form):
    path = tmp_path / "v.csv"
    path.write_bytes(text.encode())
    assert read_array(path).tolist() == VALUES
    assert csv_form(path) == form


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.5,,1\n1,2,3\n", "row 1, column 2 is empty"),
        ("1.5,2\n3,\n", "row 2, column 2 is empty"),
        ("a,b\n1.5,2\n3,x\n", "row 3, column 2 holds 'x'"),
        ("a,2\n3,4.5\n", "row 1, column 1 holds 'a'"),
        ("1.5,2\n\n3,4\n", "row 2 is empty"),
        ("1.5,2\n3\n", "row 2 has 1 columns; expected 2"),
        ("a,b\n", "a header and no row"),
        ("", "line 1 is empty"),
        ("0,1\n2,3\n", "row 1 reads 0 to 1, which may be a header or values"),
        (",a\n0.5,1\n0.7,2\n", "first column has no name"),
    ],
)
def test_a_csv_file_that_leaves_a_doubt_is_an_error_that_names_file_and_row(tmp_path, text, message):
    (tmp_path / "v.csv").write_text(text)
    with pytest.raises(ValueError, match=rf"v\.csv: .*{message}"):
        FeatureFile.inspect(tmp_path / "v.csv")


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


@pytest.mark.parametrize("value", [{"feats": "text"}, [1, 2], "text"])
def test_a_pickle_of_something_else_is_refused(tmp_path, value):
    (tmp_path / "v.pkl").write_bytes(pickle.dumps(value))
    with pytest.raises(ValueError, match="expected an array of real numbers"):
        inspect_array(tmp_path / "v.pkl")


def test_of_several_views_the_first_is_taken(tmp_path):
    np.savez(tmp_path / "v.npz", feature=np.arange(2 * 7 * 3).reshape(2, 7, 3), frame_cnt=28)
    stream = FeatureFile.inspect(tmp_path / "v.npz", key="feature", variants=True)
    assert stream.shape == (7, 3)
    np.testing.assert_array_equal(stream.load(), np.arange(21).reshape(7, 3))
    with pytest.raises(ValueError, match=r"expected \(views, snippets, channels\)"):
        FeatureFile.inspect(write(tmp_path / "w.npy"), variants=True)
