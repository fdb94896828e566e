"""Two streams kept apart in every way that per-video layouts know, and other streams where an option says they are."""

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from data.layouts import made_up

from amsx.data.convert import convert
from amsx.data.layouts import read_dataset

STREAMS = ("rgb", "flow")


@pytest.fixture
def videos():
    return made_up.make(sliding=True, width=2, train=3, test=2)


def annotate(root, videos, counts="fps"):
    values = {"fps": lambda _: made_up.FPS, "frame": lambda v: v.frames}
    keys = {"duration": lambda v: v.duration, counts: values[counts]}
    made_up.write_json(root / "anno.json", made_up.database(videos, ("training", "validation"), **keys))


def in_files(root, videos, pattern, kind=".npy"):
    """A file for each stream of each video: {0} is the stream, {1} the id, {2} the subset."""
    for v in videos:
        for stream in STREAMS:
            path = root / (pattern.format(stream, v.id, v.subset) + kind)
            path.parent.mkdir(parents=True, exist_ok=True)
            write(path, getattr(v, stream))


def write(path, array):
    if path.suffix == ".npy":
        np.save(path, array)
    elif path.suffix == ".npz":
        np.savez(path, feats=array)
    elif path.suffix == ".pt":
        torch.save(torch.from_numpy(array), path)
    elif path.suffix == ".csv":
        np.savetxt(path, array, delimiter=",", fmt="%.9f")
    else:
        path.write_bytes(pickle.dumps(array))


def in_dicts(root, videos, kind, names=STREAMS):
    """A file for each video that holds both streams by name."""
    folder = root / "features"
    folder.mkdir()
    for v in videos:
        arrays = {name: getattr(v, stream) for name, stream in zip(names, STREAMS, strict=True)}
        path = folder / f"{v.id}{kind}"
        if kind == ".npz":
            np.savez(path, **arrays, fps=25.0)
        elif kind == ".pt":
            torch.save({name: torch.from_numpy(array) for name, array in arrays.items()}, path)
        elif kind == ".h5":
            in_h5(path, arrays)
        else:
            path.write_bytes(pickle.dumps(arrays))


def in_h5(path, arrays):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "a") as file:
        for name, array in arrays.items():
            file[name] = array


def in_one_h5(root, videos, file, name):
    """Files of many videos: {0} is the stream, {1} the id, {2} the subset."""
    for v in videos:
        for stream in STREAMS:
            (root / file.format(stream, v.id, v.subset)).parent.mkdir(parents=True, exist_ok=True)
            in_h5(root / file.format(stream, v.id, v.subset), {name.format(stream, v.id): getattr(v, stream)})


def in_one_dict(root, videos, kind):
    """Both streams of all videos in a dict of dicts."""
    arrays = {v.id: {"rgb": v.rgb, "flow": v.flow} for v in videos}
    if kind == ".npy":
        np.save(root / "features.npy", np.array(arrays, dtype=object), allow_pickle=True)
    elif kind == ".pkl":
        (root / "features.pkl").write_bytes(pickle.dumps(arrays))
    else:
        np.savez(root / "features.npz", **{f"{v.id}/{s}": getattr(v, s) for v in videos for s in STREAMS})


WAYS: dict[str, Any] = {
    "folders": (in_files, "{0}/{1}"),
    "folders with words around": (in_files, "i3d_{0}_features/{1}"),
    "folders in capitals": (in_files, "I3D-{0}/{1}", ".npz"),
    "folders in a folder": (in_files, "features/{0}/{1}"),
    "folders for each subset": (in_files, "{0}/{2}/{1}"),
    "folders of subset and stream": (in_files, "{2}_{0}/{1}"),
    "folders and suffixes": (in_files, "{0}/{1}_{0}"),
    "folders and v_": (in_files, "{0}/v_{1}"),
    "suffixes": (in_files, "features/{1}_{0}"),
    "suffixes after hyphens": (in_files, "features/{1}-{0}", ".pt"),
    "suffixes after v_": (in_files, "features/v_{1}_{0}", ".pkl"),
    "prefixes": (in_files, "{0}_{1}"),
    "files in folders": (in_one_h5, "{0}/{2}.h5", "{1}"),
    "tables": (in_files, "{0}/{1}", ".csv"),
    "npz": (in_dicts, ".npz"),
    "npz of other names": (in_dicts, ".npz", ("rgb_features", "flow_features")),
    "pt": (in_dicts, ".pt"),
    "pkl": (in_dicts, ".pkl"),
    "h5": (in_dicts, ".h5"),
    "files of all videos": (in_one_h5, "{0}.h5", "{1}"),
    "files of a subset": (in_one_h5, "{0}_{2}.h5", "v_{1}"),
    "a group for each video": (in_one_h5, "all.hdf5", "{1}/{0}"),
    "a group for each stream": (in_one_h5, "all.hdf5", "{0}/{1}"),
    "groups in groups": (in_one_h5, "all.hdf5", "data/{1}/{0}/feats"),
    "a pickled dict": (in_one_dict, ".pkl"),
    "a dict in npy": (in_one_dict, ".npy"),
    "npz of all videos": (in_one_dict, ".npz"),
}


def assert_apart(data, videos, streams=STREAMS):
    assert data.stream_names == streams
    assert [v.id for v in data.videos] == [v.id for v in videos]
    for made, video in zip(videos, data.videos, strict=True):
        for stream, original in zip(streams, STREAMS, strict=True):
            np.testing.assert_allclose(video.streams[stream].load(), getattr(made, original).astype("f4"), atol=1e-6)


@pytest.mark.parametrize("counts", ["fps", "frame"])
@pytest.mark.parametrize("way", WAYS)
def test_two_streams_are_found_in_every_way(videos, tmp_path, way, counts):
    make, *arguments = WAYS[way]
    (tmp_path / "theirs").mkdir()
    annotate(tmp_path / "theirs", videos, counts)
    make(tmp_path / "theirs", videos, *arguments)
    data = read_dataset(tmp_path / "theirs")
    assert data.layout in (("opentad",) if counts == "frame" else ("action_former", "activity_net"))
    assert_apart(data, videos)
    if counts == "fps" and way in ("suffixes", "a group for each stream"):
        ours = convert(data, tmp_path / "ours", data.layout)
        assert not ours.lost
        assert_apart(read_dataset(ours.out, **ours.options), videos)


def with_splits(root, videos):
    made_up.write_json(root / "gt.json", made_up.database(videos))
    made_up.write_splits(root, videos)


@pytest.mark.parametrize(
    ("layout", "way"),
    [
        ("acm_net", (in_files, "{2}/{0}/{1}")),
        ("acm_net", (in_files, "{2}/{1}_{0}")),
        ("acm_net", (in_files, "{2}/v_{1}-{0}", ".pt")),
        ("acm_net", (in_one_h5, "{2}/{0}.h5", "{1}")),
        ("bas_net", (in_files, "features/{0}/{1}")),
        ("bas_net", (in_files, "features/{0}/{2}/{1}")),
        ("bas_net", (in_files, "features/{2}/{1}_{0}")),
        ("bas_net", (in_one_h5, "features/{0}_{2}.h5", "{1}")),
        ("bas_net", (in_dicts, ".npz")),
    ],
)
def test_layouts_with_split_files_find_them_too(tmp_path, layout, way):
    videos = made_up.make(width=2, train=3, test=2)
    make, *arguments = way
    with_splits(tmp_path, videos)
    make(tmp_path, videos, *arguments)
    data = read_dataset(tmp_path)
    assert data.layout == layout
    assert_apart(data, videos)
    files = sorted(path for path in tmp_path.glob("**/*") if videos[1].id in path.name)
    if files:
        files[0].unlink()
        with pytest.raises(FileNotFoundError, match="1 of 5 listed videos lack features"):
            read_dataset(tmp_path)
        assert len(read_dataset(tmp_path, missing="skip").videos) == 4


def test_bas_net_reads_one_array_of_both(tmp_path):
    videos = made_up.make(width=1024, train=2, test=1)
    with_splits(tmp_path, videos)
    for v in videos:
        made_up.save(tmp_path / "features" / v.subset / f"{v.id}.npy", v.joint)
    data = read_dataset(tmp_path)
    assert data.layout == "bas_net"
    assert_apart(data, videos)
    assert read_dataset(tmp_path, split=False).dims == {"features": 2048}


def test_names_of_cmcs_without_its_count_of_frames_are_of_another_layout(videos, tmp_path):
    annotate(tmp_path, videos)
    in_files(tmp_path, videos, "features/{1}-{0}", ".npz")
    data = read_dataset(tmp_path)
    assert data.layout == "activity_net"
    assert_apart(data, videos)


@pytest.mark.parametrize("way", ["folders", "suffixes", "npz", "pkl", "a group for each video"])
def test_a_video_of_one_stream_lacks_features(videos, tmp_path, way):
    make, *arguments = WAYS[way]
    annotate(tmp_path, videos)
    make(tmp_path, videos, *arguments)
    name = videos[1].id
    paths = [path for path in tmp_path.glob("**/*") if path.is_file() and name in path.name]
    if way == "a group for each video":
        import h5py

        with h5py.File(tmp_path / "all.hdf5", "a") as file:
            del file[f"{name}/flow"]
    elif way == "npz":
        np.savez(paths[0], rgb=videos[1].rgb)
    elif way == "pkl":
        paths[0].write_bytes(pickle.dumps({"rgb": videos[1].rgb}))
    else:
        next(path for path in paths if "flow" in str(path.relative_to(tmp_path))).unlink()
    with pytest.raises(FileNotFoundError, match=rf"1 of 5 listed videos lack features: .*{name}"):
        read_dataset(tmp_path)
    assert_apart(read_dataset(tmp_path, missing="skip"), [v for v in videos if v.id != name])


def test_one_stream_alone_has_its_name(videos, tmp_path):
    videos = made_up.make(sliding=True, width=2048, train=1, test=1)
    annotate(tmp_path, videos)
    for v in videos:
        made_up.save(tmp_path / "i3d_rgb" / f"{v.id}.npy", v.rgb)
    assert read_dataset(tmp_path).dims == {"rgb": 2048}
    assert read_dataset(tmp_path, split=True).dims == {"rgb": 1024, "flow": 1024}
    for v in videos:
        made_up.save(tmp_path / "i3d_flow" / f"{v.id}.npy", v.flow)
    with pytest.raises(ValueError, match="the features are apart already, as flow and rgb"):
        read_dataset(tmp_path, split=True)


def test_optical_flow_is_flow(videos, tmp_path):
    annotate(tmp_path, videos)
    for v in videos:
        made_up.save(tmp_path / "features" / f"{v.id}_rgb.npy", v.rgb)
        made_up.save(tmp_path / "features" / f"{v.id}_optical_flow.npy", v.flow)
    assert_apart(read_dataset(tmp_path), videos)


def test_a_key_takes_one_array_alone(videos, tmp_path):
    annotate(tmp_path / "npz", videos)
    in_dicts(tmp_path / "npz", videos, ".npz")
    assert read_dataset(tmp_path / "npz", key="flow").dims == {"features": 2}
    annotate(tmp_path / "h5", videos)
    in_one_h5(tmp_path / "h5", videos, "all.h5", "{0}/{1}")
    assert read_dataset(tmp_path / "h5", key="flow").dims == {"features": 2}


def test_what_may_be_meant_is_asked(videos, tmp_path):
    for case in ("two kinds", "both"):
        annotate(tmp_path / case, videos)
    in_files(tmp_path / "two kinds", videos, "i3d_{0}/{1}")
    in_files(tmp_path / "two kinds", videos, "tsn_{0}/{1}")
    with pytest.raises(ValueError, match=r"one candidate for features, found .*i3d_.*; give features"):
        read_dataset(tmp_path / "two kinds")
    data = read_dataset(tmp_path / "two kinds", streams={"rgb": "i3d_rgb", "flow": "tsn_flow"})
    assert_apart(data, videos)
    in_files(tmp_path / "both", videos, "features/{1}_{0}")
    for v in videos:
        np.save(tmp_path / "both" / "features" / f"{v.id}.npy", v.joint)
    with pytest.raises(ValueError, match=r"with and without a stream in their names .*option streams"):
        read_dataset(tmp_path / "both")
    data = read_dataset(tmp_path / "both", streams={"features": "features/{id}"}, prefix="")
    assert data.dims == {"features": 4}


@pytest.mark.parametrize(
    ("way", "streams"),
    [
        ((in_files, "{0}/{1}"), {"clip": "rgb", "audio": "flow"}),
        ((in_files, "features/v_{1}_{0}"), {"clip": "features/{id}_rgb", "audio": "features/{id}_flow.npy"}),
        ((in_files, "{1}/{0}"), {"clip": "{id}/rgb", "audio": "{id}/flow"}),
        ((in_files, "{0}/{1}/{1}", ".pt"), {"clip": "rgb/{id}/{id}.pt", "audio": "flow/{id}/{id}.pt"}),
        ((in_dicts, ".npz", ("a", "b")), {"clip": "features/{id}.npz/a", "audio": "features/{id}.npz/b"}),
        ((in_one_h5, "{0}.h5", "{1}"), {"clip": "rgb.h5", "audio": "flow.h5"}),
        ((in_one_h5, "all.h5", "{1}/{0}"), {"clip": "all.h5/{id}/rgb", "audio": "all.h5/{id}/flow"}),
        ((in_one_h5, "all.h5", "x/{0}/{1}"), {"clip": "all.h5/x/rgb", "audio": "all.h5/x/flow/{id}"}),
    ],
)
def test_other_streams_are_where_the_option_says(videos, tmp_path, way, streams):
    make, *arguments = way
    annotate(tmp_path, videos)
    make(tmp_path, videos, *arguments)
    layout = "action_former" if list(tmp_path.glob("**/*.npy")) else "activity_net"
    data = read_dataset(tmp_path, layout, streams=streams)
    assert data.stream_names == ("audio", "clip")
    for made, video in zip(videos, data.videos, strict=True):
        np.testing.assert_array_equal(video.streams["clip"].load(), made.rgb.astype("f4"))
        np.testing.assert_array_equal(video.streams["audio"].load(), made.flow.astype("f4"))


@pytest.mark.parametrize("wrong", ["rgb", ["rgb"], {}, {"rgb": 1}])
def test_an_option_of_another_form_is_refused(videos, tmp_path, wrong):
    annotate(tmp_path, videos)
    in_files(tmp_path, videos, "{0}/{1}")
    with pytest.raises(ValueError, match=r"streams=.*: expected \{stream: place\}"):
        read_dataset(tmp_path, streams=wrong)
    with pytest.raises(FileNotFoundError, match="no features of the stream 'clip' at 'clip'"):
        read_dataset(tmp_path, streams={"rgb": "rgb", "clip": "clip"})


def test_files_of_rates_and_times_are_no_features(videos, tmp_path):
    """As v-iashin's video_features writes them."""
    keys = {"duration": lambda v: v.duration}
    made_up.write_json(tmp_path / "anno.json", made_up.database(videos, ("training", "validation"), **keys))
    in_files(tmp_path, videos, "i3d/{1}_{0}")
    for v in videos:
        np.save(tmp_path / "i3d" / f"{v.id}_fps.npy", np.array(made_up.FPS))
        np.save(tmp_path / "i3d" / f"{v.id}_timestamps_ms.npy", (16 + 4 * np.arange(len(v.rgb))) * 1000 / made_up.FPS)
    data = read_dataset(tmp_path)
    assert_apart(data, videos)
    timebase = data.videos[0].timebase
    assert (timebase.snippet_seconds, timebase.offset) == pytest.approx(
        (made_up.OVERLAPPING.snippet_seconds, made_up.OVERLAPPING.offset)
    )
    assert not any("not listed" in note for note in data.notes)
    assert any("frame rates of 5 videos from the files _fps.npy" in note for note in data.notes)
    np.save(tmp_path / "i3d" / f"{videos[0].id}_fps.npy", np.array([0.0]))
    with pytest.raises(ValueError, match=r"_fps\.npy: expected one positive number"):
        read_dataset(tmp_path)


def test_features_of_videos_that_nobody_lists_are_noted(videos, tmp_path):
    annotate(tmp_path, videos[1:])
    in_files(tmp_path, videos, "{0}/{1}")
    data = read_dataset(tmp_path)
    assert_apart(data, videos[1:])
    assert any("left out: 2 features of videos that are not listed" in note for note in data.notes)
