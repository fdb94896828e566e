"""What becomes of data that is not as it should be: the table in `amsx.data.layouts`, in every layout."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from data.layouts import made_up

from amsx.data.layouts import layout_names, read_dataset
from amsx.data.value_check import broken_values
from amsx.data.videos import Segment

FILES = ("bas_net", "acm_net", "cmcs", "cmcs_in_text", "dgam", "action_former", "opentad", "activity_net")
BUNDLES = ("wtalc", "a2cl_pt", "activity_net_in_one_file")  # one file holds many videos
EVERY = (*FILES, *BUNDLES)
OPTIONS: dict[str, dict[str, Any]] = {"cmcs_in_text": {"fps": 30.0}}
SLIDING = ("cmcs", "cmcs_in_text", "action_former", "opentad", "activity_net", "activity_net_in_one_file")
SEPARATE = ("bas_net", "cmcs", "dgam")  # a file for each stream
COUNT = 5


def test_every_layout_is_among_these():
    names = set(layout_names())
    assert names <= {*EVERY, "ms_tcn", "labels"}  # whose faults are tested with them


@pytest.fixture
def made():
    """Videos for a writer: three to train with, then two to test with."""
    return lambda writer: made_up.make(writer in SLIDING, width=2, train=3, test=2)


def write(root, writer, videos):
    if writer == "activity_net_in_one_file":
        pytest.importorskip("h5py")
    getattr(made_up, writer)(root, videos)


def ids(videos):
    return {video.id for video in videos}


def read(root, writer, **options):
    return read_dataset(root, **OPTIONS.get(writer, {}), **options)


def feature_files(root, writer, videos, video):
    """The files that hold this video's features and no others'."""
    if writer == "dgam":
        number = [v.id for v in videos if v.subset == video.subset].index(video.id) + 1
        return sorted(root.glob(f"{video.subset}_data/*_features/{number}.npy"))
    return sorted(path for path in root.glob("**/*") if path.is_file() and video.id in path.name)


def take_away(root, writer, videos, video):
    """Remove the features of one video."""
    if writer == "a2cl_pt":
        path = root / f"feature_{'train' if video.subset == 'train' else 'val'}.npy"
        features = np.load(path, allow_pickle=True).item()
        del features[video.id]
        np.save(path, np.array(features, dtype=object), allow_pickle=True)
    elif writer == "activity_net_in_one_file":
        import h5py

        with h5py.File(next(root.glob("*.hdf5")), "a") as file:
            del file[f"v_{video.id}"]
    else:
        for path in feature_files(root, writer, videos, video):
            path.unlink()


@pytest.mark.parametrize("writer", [name for name in EVERY if name != "wtalc"])
def test_missing_features(made, tmp_path, writer):
    videos = made(writer)
    write(tmp_path, writer, videos)
    take_away(tmp_path, writer, videos, videos[1])
    with pytest.raises(FileNotFoundError, match=f"1 of {COUNT} listed videos lack features"):
        read(tmp_path, writer)
    data = read(tmp_path, writer, missing="skip")
    assert ids(data.videos) == ids(videos) - {videos[1].id}
    assert any(f"left out: 1 of {COUNT} listed videos lack features" in note for note in data.notes)


def test_features_missing_from_a_wtalc_bundle(made, tmp_path):
    videos = made("wtalc")
    write(tmp_path, "wtalc", videos)
    arrays = [v.joint for v in videos]
    np.save(tmp_path / "Thumos14reduced-I3D-JOINTFeatures.npy", made_up.objects(arrays[:4]), allow_pickle=True)
    with pytest.raises(ValueError, match=f"expected one array for each of {COUNT} videos"):
        read_dataset(tmp_path, broken="skip")
    arrays[1] = None
    np.save(tmp_path / "Thumos14reduced-I3D-JOINTFeatures.npy", made_up.objects(arrays), allow_pickle=True)
    with pytest.raises(
        ValueError, match=rf"1 of {COUNT} videos have broken features: video '{videos[1].id}': a NoneType"
    ):
        read_dataset(tmp_path)
    assert len(read_dataset(tmp_path, broken="skip").videos) == COUNT - 1


@pytest.mark.parametrize("writer", FILES)
def test_a_truncated_file(made, tmp_path, writer):
    videos = made(writer)
    write(tmp_path, writer, videos)
    path = feature_files(tmp_path, writer, videos, videos[1])[0]
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match=rf"1 of {COUNT} videos have broken features: .*{re.escape(path.name)}"):
        read(tmp_path, writer)
    data = read(tmp_path, writer, broken="skip")
    assert ids(data.videos) == ids(videos) - {videos[1].id}
    assert any(f"left out: 1 of {COUNT} videos have broken features" in note for note in data.notes)


@pytest.mark.parametrize("writer", BUNDLES)
def test_a_truncated_bundle_is_an_error_whatever_was_asked(made, tmp_path, writer):
    write(tmp_path, writer, made(writer))
    path = max(tmp_path.glob("*"), key=lambda path: path.stat().st_size if path.suffix in (".npy", ".hdf5") else 0)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=re.escape(path.name)):
        read(tmp_path, writer, broken="skip")


@pytest.mark.parametrize("writer", SEPARATE)
def test_streams_of_different_lengths(made, tmp_path, writer):
    videos = made(writer)
    videos[1] = replace(videos[1], flow=videos[1].flow[:-2])
    videos[2] = replace(videos[2], rgb=videos[2].rgb[:-3])
    write(tmp_path, writer, videos)
    with pytest.raises(
        ValueError, match=rf"1 of {COUNT} videos have broken features: video '{videos[2].id}': streams of"
    ):
        read(tmp_path, writer)
    data = read(tmp_path, writer, broken="skip")
    assert {v.id: v.length for v in data.videos}[videos[1].id] == len(videos[1].flow)
    assert any(f"cut to the shortest in 1 videos: {videos[1].id}" in note for note in data.notes)


@pytest.mark.parametrize("writer", EVERY)
def test_nan_values(made, tmp_path, writer):
    videos = made(writer)
    rgb = videos[1].rgb.copy()
    rgb[5, 1] = np.nan
    videos[1] = replace(videos[1], rgb=rgb)
    write(tmp_path, writer, videos)
    data = read(tmp_path, writer)
    stream = next(iter(data.dims))
    video = next(v for v in data.videos if v.id == videos[1].id)
    with pytest.raises(ValueError, match=r"NaN or infinite values in 1 of \d+ rows, first in row 5"):
        video.streams[stream].load()
    assert list(broken_values(data)) == [f"{videos[1].id}, {stream}"]


@pytest.mark.parametrize("writer", EVERY)
def test_segments_beyond_the_video(made, tmp_path, writer):
    videos = made(writer)
    videos[3] = replace(videos[3], segments=(*videos[3].segments, Segment(1.0, 9999.0, videos[3].labels[0])))
    write(tmp_path, writer, videos)
    data = read(tmp_path, writer)
    assert any(f"segments pass the ends of 1 videos (kept as annotated): {videos[3].id}" in n for n in data.notes)
    video = next(v for v in data.videos if v.id == videos[3].id)
    assert sorted(video.segments, key=str) == sorted(videos[3].segments, key=str)


@pytest.mark.parametrize("writer", EVERY)
def test_classes_that_training_does_not_know(made, tmp_path, writer):
    videos = [
        replace(v, segments=(Segment(1.0, 2.0, "Diving" if v.subset == "train" else "Juggling"),)) for v in made(writer)
    ]
    write(tmp_path, writer, videos)
    data = read(tmp_path, writer)
    assert data.classes == ("Diving",) and all(v.labels == ("Juggling",) for v in data.subset("test"))
    assert any("1 labels occur in no training video and cannot be predicted: Juggling" in n for n in data.notes)


@pytest.mark.parametrize("writer", [name for name in EVERY if name != "cmcs_in_text"])
def test_training_videos_without_a_label(made, tmp_path, writer):
    videos = made(writer)
    videos[1] = replace(videos[1], segments=())
    write(tmp_path, writer, videos)
    with pytest.raises(ValueError, match=f"1 training videos have no label: {videos[1].id}"):
        read(tmp_path, writer)
    data = read(tmp_path, writer, unlabelled="skip")
    assert len(data.videos) == COUNT - 1
    assert any(f"left out: 1 training videos have no label: {videos[1].id}" in note for note in data.notes)


@pytest.mark.parametrize("writer", EVERY)
def test_test_videos_without_a_label(made, tmp_path, writer):
    videos = made(writer)
    videos[4] = replace(videos[4], segments=())
    write(tmp_path, writer, videos)
    data = read(tmp_path, writer)
    said = {
        "a2cl_pt": f"left out: 1 videos without an annotated action: {videos[4].id}",
        "cmcs_in_text": "left out: 2 features of videos that are not listed",  # a video without instances has no line
    }.get(writer, f"1 test videos have no annotated action: {videos[4].id}")
    assert any(said in note for note in data.notes)
    assert len(data.videos) == (COUNT - 1 if writer in ("a2cl_pt", "cmcs_in_text") else COUNT)


@pytest.mark.parametrize("writer", [name for name in EVERY if name not in ("wtalc", "cmcs_in_text")])
def test_an_id_twice_in_the_annotation(made, tmp_path, writer):
    videos = made(writer)
    write(tmp_path, writer, videos)
    path = next(path for path in sorted(tmp_path.glob("**/*.json")))
    text = path.read_text()
    path.write_text(text.replace(f'"{videos[1].id}"', f'"{videos[0].id}"'))
    with pytest.raises(ValueError, match=rf"{re.escape(path.name)}.*'{videos[0].id}' occurs twice"):
        read(tmp_path, writer)


def test_an_id_twice_in_the_lists_of_other_layouts(made, tmp_path):
    videos = made("dgam")
    (tmp_path / "dgam").mkdir()
    write(tmp_path / "dgam", "dgam", videos)
    (tmp_path / "dgam/train_names.txt").write_text("".join(f"{videos[0].id}\n" for _ in range(3)))
    with pytest.raises(ValueError, match=rf"train_names.txt: the video id '{videos[0].id}' occurs twice"):
        read_dataset(tmp_path / "dgam")
    (tmp_path / "wtalc").mkdir()
    write(tmp_path / "wtalc", "wtalc", [videos[0], *videos[:4]])
    with pytest.raises(ValueError, match=f"1 video ids occur twice: {videos[0].id}"):
        read_dataset(tmp_path / "wtalc")


@pytest.mark.parametrize("writer", [name for name in EVERY if name != "wtalc"])
def test_features_that_nobody_lists(made, tmp_path, writer):
    """Features of six videos, and what is said of them from a folder of five."""
    videos = made(writer)
    more = [*videos[:3], replace(videos[1], id="video_validation_0009999"), *videos[3:]]
    for folder, own in (("five", videos), ("six", more)):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder, writer, own)
    for path in (tmp_path / "five").glob("**/*"):
        if path.suffix in (".json", ".txt") or path.name.endswith("_labels.npy"):
            (tmp_path / "six" / path.relative_to(tmp_path / "five")).write_bytes(path.read_bytes())
    data = read(tmp_path / "six", writer)
    assert ids(data.videos) == ids(videos)
    assert any("features of videos that are not listed" in note for note in data.notes)
