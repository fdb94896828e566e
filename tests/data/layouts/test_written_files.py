"""What lies in the folders, opened as the layouts' own projects open it."""

import json

import numpy as np
import pytest
from data.layouts import made_up

from amsx.data.convert import convert
from amsx.data.layouts import read_dataset
from amsx.data.videos import Segment, Timebase

TWO = {"rgb": 2, "flow": 3}


@pytest.fixture
def data():
    return made_up.usual(TWO)


def features(video):
    return np.concatenate([video.streams["rgb"].load(), video.streams["flow"].load()], axis=1)


def test_wtalc_decodes_names_compares_labels_and_finds_every_file(data, tmp_path):
    convert(data, tmp_path / "to", "wtalc")
    folder = tmp_path / "to" / "amsx-Annotations"
    column = {path.stem: np.load(path, allow_pickle=True) for path in folder.glob("*.npy")}
    assert [name.decode("utf-8") for name in column["videoname"]] == [v.id for v in data.videos]
    spelled = {"train": "validation", "test": "test"}
    assert [name.decode("utf-8") for name in column["subset"]] == [spelled[v.subset] for v in data.videos]
    classes = [name.decode("utf-8") for name in column["classlist"]]
    assert classes == ["a", "b é", "c"]  # c is in a test video alone
    joint = np.load(tmp_path / "to" / "amsx-I3D-JOINTFeatures.npy", allow_pickle=True)
    assert joint.shape == column["segments"].shape == (5,) and column["duration"].shape == (5, 1)
    for i, video in enumerate(data.videos):
        assert {classes.index(label) for label in column["labels_all"][i]} == {classes.index(x) for x in video.labels}
        assert len(column["labels"][i]) == len(column["segments"][i]) == len(video.segments)
        assert column["duration"][i, 0] == video.duration
        np.testing.assert_array_equal(joint[i], features(video))
        assert joint[i].dtype == np.float32
    assert (folder / "Ambiguous_test.txt").read_text() == ""


def test_a_bundle_of_videos_of_one_length_and_shape_is_still_a_list_of_them(tmp_path):
    same = [made_up.video(f"v{i}", dims=TWO, duration=19.2) for i in range(3)]
    convert(made_up.dataset(*same), tmp_path / "to", "wtalc")
    joint = np.load(tmp_path / "to" / "amsx-I3D-JOINTFeatures.npy", allow_pickle=True)
    segments = np.load(tmp_path / "to" / "amsx-Annotations" / "segments.npy", allow_pickle=True)
    assert joint.shape == segments.shape == (3,) and segments[0] == [[0.1, 1.3]]


def test_a2cl_pt_finds_a_dict_a_subset_and_all_keys_of_its_annotation(data, tmp_path):
    convert(data, tmp_path / "to", "a2cl_pt")
    content = json.loads((tmp_path / "to" / "annotation.json").read_text())
    assert content["miscellany"] == {"fps_extracted": 25.0, "len_feature_chunk": 16} and content["set_ambiguous"] == {}
    for subset, name in (("train", "train"), ("test", "val")):
        found = np.load(tmp_path / "to" / f"feature_{name}.npy", allow_pickle=True)[()]
        assert set(found) == {v.id for v in data.subset(subset)}
        for video in data.subset(subset):
            np.testing.assert_array_equal(found[video.id], features(video))
            entry = content["database"][video.id]
            assert entry["subset"] == name
            assert {content["list_classes"].index(x["label"]) for x in entry["annotations"]}
            assert [x["segment"] for x in entry["annotations"]] == [[s.start, s.end] for s in video.segments]


def test_cmcs_finds_one_view_the_frames_and_activitynet_s_json(tmp_path):
    data = made_up.dataset(made_up.video("x", dims=TWO), made_up.video("y", "test", dims=TWO, n=7))
    convert(data, tmp_path / "to", "cmcs")
    content = json.loads((tmp_path / "to" / "annotation.json").read_text())
    assert content["taxonomy"] == [] and content["database"]["y"]["subset"] == "validation"
    assert (content["database"]["y"]["fps"], content["database"]["y"]["duration"]) == (25.0, 7 * 0.64)
    with np.load(tmp_path / "to" / "test" / "v_y-flow.npz") as file:
        assert file["frame_cnt"].item() == 7 * 16
        np.testing.assert_array_equal(file["feature"], data.videos[1].streams["flow"].load()[np.newaxis])


def test_cmcs_gets_names_without_a_prefix_where_an_id_has_it(data, tmp_path):
    made = convert(data, tmp_path / "to", "cmcs")
    assert made.lost == () and (tmp_path / "to" / "train" / "2-rgb.npz").is_file()
    assert (tmp_path / "to" / "train" / "v_2-rgb.npz").is_file()


def test_dgam_finds_numbers_from_one_and_a_row_of_labels_each(data, tmp_path):
    convert(data, tmp_path / "to", "dgam")
    for subset in ("train", "test"):
        videos, folder = data.subset(subset), tmp_path / "to" / f"{subset}_data"
        labels = np.load(folder / f"{subset}_labels.npy")
        assert labels.shape == (len(videos), 3)
        for i, video in enumerate(videos):
            assert [x for x, has in zip(["a", "b é", "c"], labels[i], strict=True) if has] == list(video.labels)
            for stream in TWO:
                found = np.load(folder / f"{stream}_features" / f"{i + 1}.npy")
                np.testing.assert_array_equal(found, video.streams[stream].load())


@pytest.mark.parametrize("timebase", [made_up.SIDE_BY_SIDE, made_up.OVERLAPPING])
def test_opentad_places_snippets_by_whole_frames_where_the_video_does(tmp_path, timebase):
    data = made_up.usual(TWO, timebase)
    made = convert(data, tmp_path / "to", "opentad")
    stride, offset = {made_up.SIDE_BY_SIDE: (16, 8), made_up.OVERLAPPING: (4, 8)}[timebase]
    assert made.options in ({}, {"stride": stride, "offset": offset})
    content = json.loads((tmp_path / "to" / "annotation.json").read_text())
    for video in data.videos:
        entry = content["database"][video.id]
        i = np.arange(video.length)
        seconds = (i * stride + offset) / (entry["frame"] / entry["duration"])
        np.testing.assert_allclose(seconds, video.timebase.to_seconds(i + 0.5), rtol=1e-9)
        np.testing.assert_array_equal(np.load(tmp_path / "to" / "features" / f"{video.id}.npy"), features(video))


def test_opentad_s_frames_are_whole_where_the_duration_was_one_of_frames(tmp_path):
    data = made_up.dataset(made_up.video("v", dims=TWO, timebase=Timebase(16 / 29.97), duration=2017 / 29.97))
    convert(data, tmp_path / "to", "opentad")
    frame = json.loads((tmp_path / "to" / "annotation.json").read_text())["database"]["v"]["frame"]
    assert (frame, type(frame)) == (2017, int)


def test_opentad_skips_what_is_ambiguous_and_that_is_said(tmp_path):
    spans = (Segment(0.1, 1.3, "a"), Segment(3.0, 4.0, "Ambiguous"))
    data = made_up.dataset(made_up.video("v", dims=TWO, labels=("Ambiguous", "a"), segments=spans, duration=19.2))
    lost = convert(data, tmp_path / "to", "opentad").lost
    assert {"the video-level labels of 1 videos", "the segments of 1 videos"} <= set(lost)


def test_activity_net_says_fps_only_where_snippets_do_not_share_the_duration(tmp_path):
    def rescaled(name, duration):
        return made_up.video(name, dims={"features": 3}, n=100, timebase=Timebase(duration / 100), duration=duration)

    data = made_up.dataset(rescaled("v_1", 82.75), rescaled("v_2", 204.1))
    made = convert(data, tmp_path / "shared", "activity_net")
    assert made.lost == () and made.options == {}
    entry = json.loads((tmp_path / "shared" / "annotation.json").read_text())["database"]["v_1"]
    assert set(entry) == {"subset", "duration", "annotations"} and entry["subset"] == "training"
    with np.load(tmp_path / "shared" / "features" / "v_1.npz") as file:
        np.testing.assert_array_equal(file["feats"], data.videos[0].streams["features"].load())
    again = read_dataset(tmp_path / "shared")
    assert [v.timebase.snippet_seconds for v in again.videos] == [0.8275, 2.041]
    convert(made_up.usual({"features": 3}), tmp_path / "other", "activity_net")
    entry = json.loads((tmp_path / "other" / "annotation.json").read_text())["database"]["v_2"]
    assert (entry["fps"], entry["frames"]) == (25.0, 30 * 16)


def test_a_row_for_every_frame_is_one_frame_and_not_sixteen(tmp_path):
    data = made_up.usual({"features": 3}, Timebase(1 / 15))
    convert(data, tmp_path / "to", "action_former")
    entry = json.loads((tmp_path / "to" / "annotation.json").read_text())["database"]["v_2"]
    assert (entry["fps"], entry["frames"]) == (15.0, 30)
