"""The MS-TCN layout: a label a frame, bundles of folds, arrays of (channels, frames)."""

import numpy as np
import pytest
from data.layouts import made_up

from amsx.data.convert import convert
from amsx.data.layouts import matching_layouts, read_dataset
from amsx.data.videos import Segment, Timebase

VIDEOS = {  # id -> runs of (label, frames)
    "S1_Cheese": [("background", 30), ("take", 45), ("open", 15), ("background", 60)],
    "S2_Coffee": [("take", 20), ("background", 90), ("take", 31)],
    "S3_Tea": [("background", 10), ("pour", 50), ("take", 40)],
}


def make(root, videos=VIDEOS, folds=(1,), channels=4, rename=None, channels_first=True):
    for folder in ("groundTruth", "features", "splits"):
        (root / folder).mkdir(parents=True)
    names = rename or {}
    labels = sorted({names.get(label, label) for runs in videos.values() for label, _ in runs})
    (root / "mapping.txt").write_text("".join(f"{i} {label}\n" for i, label in enumerate(labels)))
    for i, (name, runs) in enumerate(videos.items()):
        lines = [names.get(label, label) for label, count in runs for _ in range(count)]
        (root / "groundTruth" / f"{name}.txt").write_text("\n".join(lines) + "\n")
        array = np.random.default_rng(i).random((channels, len(lines)), dtype="f4")
        np.save(root / "features" / f"{name}.npy", array if channels_first else array.T)
    for fold in folds:
        *train, test = [f"{name}.txt\n" for name in videos]
        (root / f"splits/train.split{fold}.bundle").write_text("".join(train))
        (root / f"splits/test.split{fold}.bundle").write_text(test)
    return root


def test_runs_of_frames_are_segments(tmp_path):
    root = make(tmp_path)
    assert [layout.name for layout in matching_layouts(root)] == ["ms_tcn"]
    data = read_dataset(root, fps=15)
    assert data.classes == ("open", "take") and data.dims == {"features": 4}
    assert [(v.id, v.subset, v.duration) for v in data.videos] == [
        ("S1_Cheese", "train", 10),
        ("S2_Coffee", "train", 141 / 15),
        ("S3_Tea", "test", 100 / 15),
    ]
    assert data.videos[0].segments == (Segment(2, 5, "take"), Segment(5, 6, "open"))
    assert {video.timebase for video in data.videos} == {Timebase(1 / 15)}
    array = np.load(root / "features/S3_Tea.npy")
    np.testing.assert_array_equal(data.videos[2].streams["features"].load(), array.T)
    assert "frames labelled 'background' are taken for background" in data.notes
    assert "features are (channels, snippets), as they are in this layout" in data.notes
    assert any("stride = 1, num_frames = 1, derived from frames and rows" in note for note in data.notes)


def test_durations_that_are_rounded_in_binary_state_no_other_fps(tmp_path):
    assert 103 / (103 / 15) != 15
    videos = {name: [("background", 30), ("take", count - 30)] for name, count in (("a", 103), ("b", 100), ("c", 99))}
    data = read_dataset(make(tmp_path, videos), fps=15)
    assert not any("says otherwise" in note for note in data.notes)


def test_frames_have_no_times_of_their_own(tmp_path):
    with pytest.raises(ValueError, match=r"no file says how long a frame is; give fps"):
        read_dataset(make(tmp_path))


@pytest.mark.parametrize(("name", "known"), [("SIL", True), ("Background", True), ("walk", False)])
def test_background_is_known_by_its_name_or_asked_about(tmp_path, name, known):
    root = make(tmp_path, rename={"background": name})
    if known:
        assert read_dataset(root, fps=15).classes == ("open", "take")
    else:
        with pytest.raises(ValueError, match=r"none of the labels open, pour, take, walk is known .*; give background"):
            read_dataset(root, fps=15)
    assert read_dataset(root, fps=15, background=name).classes == ("open", "take")
    assert read_dataset(root, fps=15, background=[name, "open"]).classes == ("take",)
    assert read_dataset(root, fps=15, background=[]).classes == tuple(sorted([name, "open", "take"]))
    with pytest.raises(ValueError, match="background 'x' is no label; expected some of"):
        read_dataset(root, fps=15, background="x")


def test_one_of_several_folds_must_be_named(tmp_path):
    root = make(tmp_path, folds=(1, 2))
    (root / "splits/train.split2.bundle").write_text("S3_Tea.txt\n")
    with pytest.raises(ValueError, match="folds 1, 2; give fold"):
        read_dataset(root, fps=15)
    with pytest.raises(ValueError, match="folds 1, 2; give fold"):
        read_dataset(root, fps=15, fold=3)
    (root / "splits/test.split2.bundle").write_text("S1_Cheese.txt\r\n")
    data = read_dataset(root, fps=15, fold=2)
    assert [(v.id, v.subset) for v in data.videos] == [("S3_Tea", "train"), ("S1_Cheese", "test")]
    assert "left out: 1 videos that no bundle lists: S2_Coffee" in data.notes


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("groundTruth/S1_Cheese.txt", "take\n\ntake\n", r"S1_Cheese\.txt, line 2: no label"),
        ("groundTruth/S1_Cheese.txt", "take\ntkae\n", r"lacks the label 'tkae' of video 'S1_Cheese'"),
        ("mapping.txt", "background\n", r"mapping\.txt, entry 1: 'background'; expected a number and a label"),
        ("splits/test.split1.bundle", "S1_Cheese.txt\n", r"video 'S1_Cheese' is listed twice"),
        ("splits/test.split1.bundle", "S9.txt\n", r"video 'S9' has no groundTruth/S9\.txt"),
    ],
)
def test_faults_are_errors_that_name_the_file(tmp_path, file, text, message):
    root = make(tmp_path)
    (root / file).write_text(text)
    with pytest.raises(ValueError, match=message):
        read_dataset(root, fps=15)


def test_missing_bundles_and_features(tmp_path):
    root = make(tmp_path)
    (root / "features/S2_Coffee.npy").unlink()
    with pytest.raises(FileNotFoundError, match="1 of 3 listed videos lack features"):
        read_dataset(root, fps=15)
    assert len(read_dataset(root, fps=15, missing="skip").videos) == 2
    for path in (root / "splits").iterdir():
        path.unlink()
    with pytest.raises(ValueError, match=r"no splits/\*\.split<k>\.bundle"):
        read_dataset(root, fps=15)


def test_arrays_that_lie_the_other_way_are_seen_by_their_shapes(tmp_path):
    data = read_dataset(make(tmp_path, channels_first=False), fps=15)
    assert [v.length for v in data.videos] == [150, 141, 100]
    assert any(note.startswith("features are (snippets, channels), as their shapes show") for note in data.notes)


def test_rows_of_several_frames_are_tested_and_asked_about(tmp_path):
    root = make(tmp_path)
    for path in (root / "features").iterdir():
        np.save(path, np.load(path)[:, ::2])
    assert read_dataset(root, fps=30).videos[0].timebase == Timebase(2 / 30)
    for path, n in zip(sorted((root / "features").iterdir()), (20, 50, 31), strict=True):
        np.save(path, np.zeros((4, n), dtype="f4"))
    with pytest.raises(ValueError, match="give stride and num_frames"):
        read_dataset(root, fps=15)


def test_convert_and_back_keeps_the_data(tmp_path):
    data = read_dataset(make(tmp_path / "theirs"), fps=15)
    ours = convert(data, tmp_path / "ours", "ms_tcn")
    assert ours.lost == ()
    assert (tmp_path / "ours/groundTruth/S1_Cheese.txt").read_text() == (
        tmp_path / "theirs/groundTruth/S1_Cheese.txt"
    ).read_text()
    there = convert(data, tmp_path / "there", "action_former")
    back = convert(read_dataset(there.out, **there.options), tmp_path / "back", "ms_tcn")
    for folder in (ours, back):
        again = read_dataset(folder.out, **folder.options)
        assert again.classes == data.classes
        for video, other in zip(data.videos, again.videos, strict=True):
            assert (video.id, video.subset, video.labels) == (other.id, other.subset, other.labels)
            assert [(s.label, pytest.approx(s.start), pytest.approx(s.end)) for s in other.segments] == [
                (s.label, s.start, s.end) for s in video.segments
            ]
            assert other.timebase.snippet_seconds == pytest.approx(video.timebase.snippet_seconds)
            np.testing.assert_array_equal(other.streams["features"].load(), video.streams["features"].load())


def test_segments_between_snippets_come_back_by_finer_frames(tmp_path):
    video = made_up.video("v", dims={"rgb": 2, "flow": 2}, labels=("a",), duration=19.2)
    made = convert(made_up.dataset(video), tmp_path / "to", "ms_tcn")
    assert made.lost == () and made.options["fps"] == 32 / 0.64
    assert read_dataset(made.out, **made.options).videos[0].segments == (Segment(0.1, 1.3, "a"),)


def test_two_labels_at_once_are_refused(tmp_path):
    segments = (Segment(0.64, 6.4, "a"), Segment(3.2, 9.6, "b"))
    video = made_up.video("v", dims={"rgb": 2}, labels=("a", "b"), segments=segments)
    with pytest.raises(ValueError, match=r"ms_tcn has one label a frame, .* video 'v' has 'a' and 'b' at 3\.2 s"):
        convert(made_up.dataset(video), tmp_path / "to", "ms_tcn")


def test_what_frames_cannot_say_is_said_to_be_lost(tmp_path):
    segments = (Segment(0.64, 6.4, "a"), Segment(6.4, 9.6, "a"))
    video = made_up.video("v", dims={"rgb": 2}, labels=("a", "b"), segments=segments, duration=19.2)
    made = convert(made_up.dataset(video), tmp_path / "to", "ms_tcn")
    assert set(made.lost) == {
        "the streams {'rgb': 2}: they are {'features': 2}",
        "the video-level labels of 1 videos",
        "the segments of 1 videos",
    }
