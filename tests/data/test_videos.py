"""Timebases, feature files, videos and data sets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from amsx.data.features import FeatureArray, FeatureFile
from amsx.data.videos import Dataset, Segment, Timebase, Video

timebases = st.builds(Timebase, st.floats(1e-3, 1e3, allow_nan=False), st.floats(-1e3, 1e3, allow_nan=False))


def video(name="v", n=4, width=3, subset="train", labels=("a",)) -> Video:
    return Video(name, subset, {"rgb": FeatureArray(np.ones((n, width), "f4"))}, labels, (), Timebase(0.5))


@given(timebases, hnp.arrays(np.float64, hnp.array_shapes(min_dims=0, max_dims=2), elements=st.floats(0, 1e4)))
def test_seconds_and_snippets_are_inverse(timebase, edges):
    seconds = timebase.to_seconds(edges)
    assert seconds.shape == edges.shape
    slack = 1e-9 * (1 + abs(timebase.offset)) / timebase.snippet_seconds
    np.testing.assert_allclose(timebase.to_snippets(seconds), edges, rtol=1e-9, atol=slack)


@given(timebases, st.integers(0, 10_000))
def test_snippets_tile_time(timebase, i):
    start, centre, end = timebase.to_seconds([i, i + 0.5, i + 1])
    assert start == pytest.approx(timebase.offset + i * timebase.snippet_seconds)
    assert end - start == pytest.approx(timebase.snippet_seconds, rel=1e-6, abs=1e-9)
    assert centre == pytest.approx((start + end) / 2)


def test_a_scalar_becomes_a_number():
    assert float(Timebase(0.64, 1.0).to_seconds(2)) == pytest.approx(2.28)
    assert float(Timebase(0.64, 1.0).to_snippets(2.28)) == pytest.approx(2.0)


@pytest.mark.parametrize(("d", "offset"), [(0, 0), (-1, 0), (float("nan"), 0), (float("inf"), 0), (1, float("nan"))])
def test_a_timebase_refuses_nonsense(d, offset):
    with pytest.raises(ValueError, match="seconds"):
        Timebase(d, offset)


@pytest.mark.parametrize(("start", "end"), [(1, 1), (2, 1), (float("nan"), 1), (0, float("inf"))])
def test_a_segment_must_start_before_it_ends(start, end):
    with pytest.raises(ValueError, match="before it ends"):
        Segment(start, end, "a")


def test_a_video_knows_its_length_and_end():
    v = video(n=7)
    assert (v.length, v.end) == (7, 3.5)


def test_a_video_refuses_streams_of_unequal_length():
    streams = {name: FeatureArray(np.ones((n, 2), "f4")) for name, n in (("rgb", 3), ("flow", 4))}
    with pytest.raises(ValueError, match=r"'v'.*'rgb': 3, 'flow': 4"):
        Video("v", "train", streams, (), (), Timebase(1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"subset": "validation"}, "validation"),
        ({"labels": ("b", "a")}, "sorted"),
        ({"labels": ("a", "a")}, "unique"),
    ],
)
def test_a_video_refuses_what_is_not_normalised(change, message):
    with pytest.raises(ValueError, match=message):
        video(**change)


def test_a_data_set_refuses_duplicate_ids_and_odd_widths():
    with pytest.raises(ValueError, match="'v' occurs twice"):
        Dataset(None, "x", ("a",), (video(), video()))
    with pytest.raises(ValueError, match=r"'w' has streams of widths \{'rgb': 5\}.*'v' has \{'rgb': 3\}"):
        Dataset(None, "x", ("a",), (video(), video("w", width=5)))
    with pytest.raises(ValueError, match="no videos"):
        Dataset(None, "x", (), ())


def test_a_data_set_tells_its_subsets_and_streams():
    streams = {name: FeatureArray(np.ones((2, d), "f4")) for name, d in (("flow", 1), ("audio", 2), ("rgb", 3))}
    test = Video("t", "test", streams, (), (), Timebase(1))
    data = Dataset(None, "x", (), (test,))
    assert data.subset("test") == (test,) and data.subset("train") == ()
    assert data.stream_names == ("rgb", "flow", "audio")
    assert data.dims == {"rgb": 3, "flow": 1, "audio": 2}
    with pytest.raises(ValueError, match="validation"):
        data.subset("validation")  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", "i4", "u1"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_feature_file_gives_its_shape_and_its_values(tmp_path, dtype, order):
    array = np.asarray(np.arange(12).reshape(4, 3), dtype=dtype, order=order)
    np.save(tmp_path / "v.npy", array)
    stream = FeatureFile.inspect(tmp_path / "v.npy")
    loaded = stream.load()
    assert stream.shape == (4, 3) and loaded.dtype == np.float32
    assert loaded.flags.c_contiguous and loaded.flags.writeable
    np.testing.assert_array_equal(loaded, array)


def test_a_feature_file_can_be_rows_and_columns_of_it(tmp_path):
    array = np.arange(20, dtype="f4").reshape(4, 5)
    np.save(tmp_path / "v.npy", array)
    loaded = FeatureFile(tmp_path / "v.npy", (3, 2), columns=(1, 3)).load()
    np.testing.assert_array_equal(loaded, array[:3, 1:3])


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones(4, "f4"), r"shape \(4,\), expected \(snippets, channels\)"),
        (np.ones((3, 4, 2), "f4"), r"shape \(3, 4, 2\), .*; where an axis counts crops"),
        (np.ones((0, 4), "f4"), r"empty, shape \(0, 4\)"),
        (np.ones((4, 0), "f4"), r"empty, shape \(4, 0\)"),
        (np.array([["a"]]), "real numbers"),
        (np.ones((2, 2), "c8"), "real numbers"),
        (np.ones((2, 2), bool), "real numbers"),
        (np.array([[None]]), "real numbers"),
    ],
)
def test_a_feature_file_of_the_wrong_kind_is_refused(tmp_path, array, message):
    np.save(tmp_path / "v.npy", array)
    with pytest.raises(ValueError, match=message) as error:
        FeatureFile.inspect(tmp_path / "v.npy")
    assert str(tmp_path / "v.npy") in str(error.value)


@pytest.mark.parametrize("keep", [0, 5, 9, 40, -1])
def test_a_truncated_feature_file_is_refused(tmp_path, keep):
    path = tmp_path / "v.npy"
    np.save(path, np.ones((10, 3), "f4"))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"v\.npy: (truncated|not a readable)"):
        FeatureFile.inspect(path)


def test_text_is_no_feature_file(tmp_path):
    (tmp_path / "v.npy").write_text("<html>404 not found</html>")
    with pytest.raises(ValueError, match=r"not a readable \.npy file"):
        FeatureFile.inspect(tmp_path / "v.npy")
    with pytest.raises(FileNotFoundError, match=r"w\.npy"):
        FeatureFile.inspect(tmp_path / "w.npy")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_values_that_are_no_float32_numbers_are_refused_with_their_place(tmp_path, value):
    array = np.ones((5, 3))
    array[2:4, 1] = value
    np.save(tmp_path / "v.npy", array)
    with pytest.raises(ValueError, match=r"v\.npy: NaN or infinite values in 2 of 5 rows, first in row 2"):
        FeatureFile.inspect(tmp_path / "v.npy").load()
    with pytest.raises(ValueError, match="in memory: NaN"):
        FeatureArray(array).load()


def test_a_file_that_changed_since_it_was_inspected_is_refused(tmp_path):
    path = tmp_path / "v.npy"
    np.save(path, np.ones((5, 3), "f4"))
    stream = FeatureFile.inspect(path)
    np.save(path, np.ones((4, 3), "f4"))
    with pytest.raises(ValueError, match="is not what it was"):
        stream.load()
    np.save(path, np.ones((5, 4), "f4"))
    with pytest.raises(ValueError, match="is not what it was"):
        stream.load()
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="not a readable"):
        stream.load()
