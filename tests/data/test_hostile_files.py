"""Small files that ask for much, point outside, or would end Python, are refused by a sentence that names them."""

import gzip
import io
import json
import zipfile

import h5py
import numpy as np
import pytest
import torch

from amsx.data.arrays import inspect_array, read_array
from amsx.data.features import FeatureFile
from amsx.data.layouts.shared.feature_places import _spans
from amsx.evaluation.ground_truth import read_ground_truth
from amsx.evaluation.predictions import read_predictions
from amsx.files import parse_json
from amsx.packing import FREE, check_unpacked
from amsx.training import checkpoint
from amsx.training.activations import load_activations
from amsx.unpickling import load_pickle

ROWS = np.arange(20, dtype=np.float32).reshape(5, 4)


def test_the_bound():
    check_unpacked("x", FREE, 0)
    check_unpacked("x", 200 * FREE, FREE)
    with pytest.raises(ValueError, match=r"^x: 10 bytes that would become \d+ in memory, more than 200 times as many"):
        check_unpacked("x", FREE + 1, 10)


def test_an_npz_that_unpacks_to_much(tmp_path):
    path = tmp_path / "bomb.npz"
    header = io.BytesIO()
    described = {"descr": "<f4", "fortran_order": False, "shape": (1 << 20, 20)}
    np.lib.format.write_array_header_1_0(header, described)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("feats.npy", header.getvalue() + bytes(80 << 20))
    for read in (inspect_array, read_array):
        with pytest.raises(ValueError, match=r"bomb\.npz, feats\.npy: \d+ bytes that would become"):
            read(path)


@pytest.mark.parametrize("shape", [(2**32, 2**32), (-5, -4), (10**30,)])
def test_shapes_that_overflow(tmp_path, shape):
    path = tmp_path / "a.npy"
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
        file.write(ROWS.tobytes())
    with pytest.raises(ValueError, match=r"a\.npy: (truncated|its header promises|not a readable)"):
        inspect_array(path)


def test_hdf5_that_points_outside_or_promises_much(tmp_path):
    np.save(tmp_path / "secret.npy", ROWS)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["feats"] = ROWS
    inside = tmp_path / "data"
    inside.mkdir()
    layout = h5py.VirtualLayout((5, 4), "f4")
    layout[:] = h5py.VirtualSource("../other.h5", "feats", (5, 4))
    with h5py.File(inside / "a.h5", "w") as file:
        file["link"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "feats")
        file.create_dataset("raw", (5, 4), "f4", external=[(str(tmp_path / "secret.npy"), 128, 80)])
        file.create_virtual_dataset("virtual", layout)
        file.create_dataset("much", (1 << 40, 64), "f4", chunks=(1024, 64), compression="gzip")
        file["own"] = ROWS
    for key in ("link", "raw", "virtual"):
        with pytest.raises(ValueError, match=r"a\.h5: .* refers to another file|holds no 'link'"):
            read_array(inside / "a.h5", key)
    with pytest.raises(ValueError, match=r"a\.h5, /much: 0 bytes that would become"):
        inspect_array(inside / "a.h5", "much")
    assert np.array_equal(read_array(inside / "a.h5", "own"), ROWS)


def test_sparse_tensors_that_point_outside_of_themselves(tmp_path):
    path = tmp_path / "a.pt"
    with torch.sparse.check_sparse_tensor_invariants(False):
        bad = torch.sparse_coo_tensor(torch.tensor([[0, 10**6], [0, 1]]), torch.ones(2), (3, 4), check_invariants=False)
        torch.save(bad, path)
        with pytest.raises(ValueError, match=r"a\.pt: "):
            read_array(path)
        torch.save(torch.eye(3).to_sparse(), path)
        assert np.array_equal(read_array(path), np.eye(3))


def test_views_of_one_number_are_no_features_of_terabytes(tmp_path):
    torch.save(torch.zeros(1, 1).expand(1 << 40, 64), tmp_path / "a.pt")
    with pytest.raises(ValueError, match=r"a\.pt: \d+ bytes that would become"):
        read_array(tmp_path / "a.pt")


def pickles() -> dict[str, bytes]:
    doubled = b"\x80\x02]q\x00" + b"".join(b"](h%ch%ceq%c" % (i, i, i + 1) for i in range(40)) + b"."
    return {
        "nested": b"\x80\x02}" + b")" + b"\x85" * 100_000 + b"Ns.",  # hashing its key would end Python
        "repeat": doubled,
    }


@pytest.mark.parametrize("kind", ["nested", "repeat"])
def test_pickles_that_grow(tmp_path, kind):
    path = tmp_path / "a.pkl"
    path.write_bytes(pickles()[kind])
    with pytest.raises(ValueError, match=rf"a\.pkl: refused, its (tuples|lists) (are )?{kind}"):
        load_pickle(path)
    if kind == "nested":
        with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
            archive.writestr("a/data.pkl", pickles()[kind])
            archive.writestr("a/version", "3\n")
        with pytest.raises(ValueError, match=r"a\.pt: refused, its tuples"):
            read_array(tmp_path / "a.pt")


def test_what_repeats_itself_as_pickles_do_is_read(tmp_path):
    import pickle

    row = tuple(range(1000))
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps([row] * 50))
    assert FeatureFile.inspect(path).load().shape == (50, 1000)
    path.write_bytes(pickle.dumps([(i, (i, (i,))) for i in range(3000)]))  # many tuples, none deep
    assert len(load_pickle(path)) == 3000


def test_json_that_is_nested_or_packed(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"results": ' + "[" * 100_000)
    for read in (read_predictions, read_ground_truth):
        with pytest.raises(ValueError, match=r"a\.json.* nested too deeply"):
            read(path)
    path.write_bytes(gzip.compress(bytes(80 << 20), 1))
    for read in (read_predictions, read_ground_truth):
        with pytest.raises(ValueError, match=r"a\.json: \d+ bytes that would become"):
            read(path)


def test_a_key_that_occurs_twice_among_many_is_found_at_once():
    text = json.dumps({str(i): 0 for i in range(100_000)})[:-1] + ', "99999": 1}'
    with pytest.raises(ValueError, match="'99999' occurs twice"):
        parse_json(text)


def test_names_of_arrays_with_very_many_parts_are_refused():
    assert _spans("a/b") == ["a/b", "a", "b"]
    with pytest.raises(ValueError, match="has 2000 parts; expected 32 at most"):
        _spans("/".join("a" * 2000))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ids": ["a"]}, "lengths or times are not those of 1 videos"),
        ({"ids": 3}, "expected a list of names"),
        ({"timebases": [[0.64, 0.0], ["x", 0.0]]}, "lacks what activations need"),
        ({"timebases": [[0.64, 0.0], [-1.0, 0.0]]}, "snippet_seconds must be a positive number"),
        ({"classes": ["run", "jump"]}, "has a CAS .* expected \\(7, 2\\)"),
    ],
)
def test_activations_that_do_not_fit_themselves(tmp_path, change, message):
    path = tmp_path / "activations.safetensors"
    tensors = {"lengths": torch.tensor([3, 4]), "base.cas": torch.zeros(7, 1), "base.probs": torch.zeros(2, 1)}
    header = {"stream": "rgb", "ids": ["a", "b"], "classes": ["run"], "timebases": [[0.64, 0.0]] * 2}
    checkpoint.save(path, tensors, header, kind="activations")
    assert load_activations(path).ids == ("a", "b")
    checkpoint.save(path, tensors, {**header, **change}, kind="activations")
    with pytest.raises(ValueError, match=rf"activations\.safetensors.*{message}"):
        load_activations(path)
