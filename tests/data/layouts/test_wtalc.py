"""The W-TALC bundle: the real annotation, where its parts may lie, str and bytes, and what can be amiss."""

import os
import shutil

import numpy as np
import pytest
from data.layouts import made_up

from amsx.data.layouts import named_layout, read_dataset
from amsx.data.layouts.shared.annotation_json import read_database

FOLDER = "Thumos14reduced-Annotations"
FEATURES = "Thumos14reduced-I3D-JOINTFeatures.npy"


@pytest.fixture
def videos():
    return made_up.make(width=2, train=4, test=2)


def test_thumos14_as_published(shared_data, tmp_path):
    source = shared_data("thumos14-wtalc") / FOLDER
    shutil.copytree(source, tmp_path / FOLDER)
    rows = (np.load(source / "duration.npy")[:, 0] * 25 / 16).astype(int)
    arrays = made_up.objects([np.full((n, 4), i, "f2") for i, n in enumerate(rows.tolist())])
    np.save(tmp_path / FEATURES, arrays, allow_pickle=True)
    data = read_dataset(tmp_path, split=True)
    assert (len(data.subset("train")), len(data.subset("test")), len(data.classes)) == (200, 212, 20)
    assert data.videos[7].duration == np.load(source / "duration.npy")[7, 0]
    assert (data.videos[7].streams["flow"].load() == 7).all()
    assert any("labels and labels_all disagree in 8 validation videos" in note for note in data.notes)
    others = read_database(shared_data("thumos14-basnet") / "gt.json").entries
    for video in data.videos:
        if video.id in others:
            assert video.labels == others[video.id].labels
            assert sorted(video.segments, key=str) == sorted(others[video.id].segments, key=str)
    metadata = read_dataset(tmp_path, labels="all")
    differ = [a.subset for a, b in zip(data.videos, metadata.videos, strict=True) if a.labels != b.labels]
    assert (differ.count("train"), differ.count("test")) == (8, 20)


@pytest.mark.parametrize("text", ["S", "U"])
@pytest.mark.parametrize("place", ["below", "among", "beside", "above"])
def test_the_annotation_may_lie_anywhere_near(videos, tmp_path, text, place):
    folder = {"below": FOLDER, "among": ".", "beside": f"../{FOLDER}", "above": ".."}[place]
    root = tmp_path / "data"
    root.mkdir()
    made_up.wtalc(root, videos, folder=folder, text=text)
    data = read_dataset(root, split=True)
    assert [(v.id, v.labels, v.segments) for v in data.videos] == [(v.id, v.labels, v.segments) for v in videos]


def test_features_may_lie_in_a_folder_of_their_own(videos, tmp_path):
    made_up.wtalc(tmp_path, videos)
    (tmp_path / "features").mkdir()
    (tmp_path / FEATURES).rename(tmp_path / "features" / FEATURES)
    assert len(read_dataset(tmp_path).videos) == 6
    shutil.copy(tmp_path / "features" / FEATURES, tmp_path / "UNT-JOINTFeatures.npy")
    with pytest.raises(ValueError, match=r"one candidate for features, found .*; give features"):
        read_dataset(tmp_path)
    assert len(read_dataset(tmp_path, features=tmp_path / "features" / FEATURES).videos) == 6


def test_anonymous_names_are_told_by_url(videos, tmp_path):
    made_up.wtalc(tmp_path, videos, subsets=("training", "validation"))
    np.save(tmp_path / FOLDER / "videoname.npy", np.array([f"video_{i}" for i in range(6)], dtype="S"))
    data = read_dataset(tmp_path)
    assert [v.id for v in data.videos][:2] == ["video_0", "video_1"]
    assert any("anonymous video names" in note and "no url.npy" in note for note in data.notes)
    urls = [f"https://www.youtube.com/watch?v=---9CpRcK{i:02d}" for i in range(6)]
    np.save(tmp_path / FOLDER / "url.npy", np.array(urls, dtype="S"))
    np.save(tmp_path / FOLDER / "duration.npy", np.array([v.duration for v in videos]))  # ActivityNet's is 1-D
    data = read_dataset(tmp_path)
    assert [v.id for v in data.videos][:2] == ["---9CpRcK00", "---9CpRcK01"]
    assert (len(data.subset("train")), len(data.subset("test"))) == (4, 2)
    assert data.videos[3].duration == videos[3].duration
    np.save(tmp_path / FOLDER / "url.npy", np.array(urls[:5], dtype="S"))
    with pytest.raises(ValueError, match="5 addresses for 6 videos"):
        read_dataset(tmp_path)


class Bad:
    def __reduce__(self):
        return os.system, ("touch amsx_was_here",)


@pytest.mark.parametrize("name", [FEATURES, f"{FOLDER}/segments.npy", f"{FOLDER}/labels.npy"])
def test_a_malicious_bundle_is_refused_and_runs_nothing(videos, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    made_up.wtalc(tmp_path, videos)
    np.save(tmp_path / name, made_up.objects([Bad()] * 6), allow_pickle=True)
    with pytest.raises(ValueError, match=r"refused, it asks for (posix|nt)\.system"):
        read_dataset(tmp_path)
    assert not (tmp_path / "amsx_was_here").exists()


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("segments", [[[1, 2]]] * 5, "expected one entry for each of 6 videos"),
        ("segments", [[[1, 2]]] * 6, "1 segments and .* labels, expected a label for each"),
        ("segments", None, "ends before it starts"),
        ("labels", [["Juggling"]] * 6, "segments and|are not in classlist"),
        ("duration", np.zeros(6), "duration must be a positive number"),
        ("videoname", np.array(["v"] * 6), "1 video ids occur twice: v"),
        ("duration", np.full(6, 1e5), "durations suggest .* give snippet_seconds"),
        ("subset", np.array(["fold1"] * 6), "unknown subsets"),
    ],
)
def test_annotation_that_does_not_fit_is_refused(videos, tmp_path, name, values, message):
    made_up.wtalc(tmp_path, videos)
    if values is None:
        values = [[[s.end, s.start] for s in v.segments] for v in videos]
    array = values if isinstance(values, np.ndarray) else made_up.objects(values)
    np.save(tmp_path / FOLDER / f"{name}.npy", array, allow_pickle=True)
    with pytest.raises(ValueError, match=message):
        read_dataset(tmp_path)


def test_unknown_classes_are_refused(videos, tmp_path):
    made_up.wtalc(tmp_path, videos)
    np.save(tmp_path / FOLDER / "classlist.npy", np.array(["Juggling"]))
    with pytest.raises(ValueError, match=r"are not in classlist\.npy"):
        read_dataset(tmp_path)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones((0, 4)), r"shape \(0, 4\)"),
        (np.ones(4), r"shape \(4,\)"),
        (np.array([["a"]]), "<U1 values, expected an array of real numbers"),
        ("text", "a str, expected an array"),
    ],
)
def test_features_that_are_none_are_counted_and_named(videos, tmp_path, array, message):
    made_up.wtalc(tmp_path, videos)
    arrays = [v.joint for v in videos]
    arrays[2] = array
    np.save(tmp_path / FEATURES, made_up.objects(arrays), allow_pickle=True)
    with pytest.raises(ValueError, match=rf"1 of 6 videos have broken features: video '{videos[2].id}': .*{message}"):
        read_dataset(tmp_path)
    data = read_dataset(tmp_path, broken="skip")
    assert len(data.videos) == 5 and any("left out: 1 of 6 videos have broken features" in n for n in data.notes)
    np.save(tmp_path / FEATURES, made_up.objects(arrays[:5]), allow_pickle=True)
    with pytest.raises(ValueError, match="expected one array for each of 6 videos"):
        read_dataset(tmp_path)


def test_missing_parts_and_unknown_choices_are_errors(videos, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder with videoname\.npy"):
        read_dataset(tmp_path, "wtalc")
    made_up.wtalc(tmp_path, videos)
    (tmp_path / FEATURES).rename(tmp_path / "elsewhere")
    with pytest.raises(FileNotFoundError, match=r"JOINTFeatures\.npy; or give features"):
        read_dataset(tmp_path)
    (tmp_path / "elsewhere").rename(tmp_path / FEATURES)
    with pytest.raises(ValueError, match="labels must be 'segments' or 'all', got 'both'"):
        read_dataset(tmp_path, labels="both")
    (tmp_path / FOLDER / "labels_all.npy").unlink()
    assert len(read_dataset(tmp_path).videos) == 6
    with pytest.raises(FileNotFoundError, match="which labels='all' needs"):
        read_dataset(tmp_path, labels="all")
    assert not named_layout("bas_net").detect(tmp_path)
