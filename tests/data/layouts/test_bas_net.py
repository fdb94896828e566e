"""The BaS-Net layout: whole, broken in every way, and written back."""

import json
import shutil

import numpy as np
import pytest

from amsx.data.layouts import read_dataset
from amsx.data.videos import Segment, Timebase

LENGTHS = {"t1": 30, "t2": 40, "t3": 25, "e1": 20, "e2": 50}


@pytest.fixture
def root(tmp_path):
    """Three training and two test videos, rgb (n, 4) and flow (n, 3)."""
    for split, names in (("train", ("t1", "t2", "t3")), ("test", ("e1", "e2"))):
        (tmp_path / f"split_{split}.txt").write_text("".join(f"{name}\n" for name in names))
        for name in names:
            put(tmp_path, split, "rgb", name, np.full((LENGTHS[name], 4), 1.0, "f4"))
            put(tmp_path, split, "flow", name, np.full((LENGTHS[name], 3), 2.0, "f4"))
    annotate(
        tmp_path,
        t1=("train", [("jump", "1.0", "4.5"), ("run", "6", "8")]),
        t2=("train", [("run", "0", "20.5")]),
        t3=("train", [("jump", "2", "3")]),
        e1=("test", [("run", "5", "12.8")]),
        e2=("test", [("jump", "5", "12")]),
    )
    return tmp_path


def put(root, split, stream, name, array):
    path = root / "features" / split / stream / f"{name}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)
    return path


def annotate(root, **entries):
    path = root / "gt.json"
    database = json.loads(path.read_text())["database"] if path.exists() else {}
    for name, (subset, actions) in entries.items():
        annotations = [{"label": label, "segment": [start, end]} for label, start, end in actions]
        database[name] = {"subset": subset, "annotations": annotations}
    path.write_text(json.dumps({"database": database}))


def test_a_whole_data_set(root):
    data = read_dataset(root)
    assert (data.layout, data.classes, data.dims) == ("bas_net", ("jump", "run"), {"rgb": 4, "flow": 3})
    assert [v.id for v in data.subset("train")] == ["t1", "t2", "t3"]
    assert [v.id for v in data.subset("test")] == ["e1", "e2"]
    assert {v.id: v.length for v in data.videos} == LENGTHS
    first = data.videos[0]
    assert first.labels == ("jump", "run") and first.duration is None
    assert first.segments == (Segment(1.0, 4.5, "jump"), Segment(6.0, 8.0, "run"))
    assert {v.timebase for v in data.videos} == {Timebase(0.64)}
    assert (first.streams["flow"].load() == 2).all()
    assert data.notes == ()


def test_streams_and_snippets_can_be_chosen(root):
    data = read_dataset(root, streams=["flow"], snippet_seconds=1.5)
    assert data.dims == {"flow": 3} and data.videos[0].timebase == Timebase(1.5)
    for wrong in (["depth"], [], ["rgb", "rgb"]):
        with pytest.raises(ValueError, match=r"expected one or more of \['rgb', 'flow'\]"):
            read_dataset(root, streams=wrong)
    with pytest.raises(ValueError, match="snippet_seconds must be a positive number"):
        read_dataset(root, snippet_seconds=0)


def test_without_split_files_the_annotation_says_the_subsets(root):
    for split in ("train", "test"):
        (root / f"split_{split}.txt").unlink()
    data = read_dataset(root)
    assert [v.id for v in data.subset("test")] == ["e1", "e2"]
    assert any("no split_train.txt" in note for note in data.notes)
    annotate(root, t1=("holdout", [("run", 1, 2)]))
    with pytest.raises(ValueError, match=r"t1 \(holdout\)"):
        read_dataset(root)


def test_one_split_alone_is_read_and_said(root):
    (root / "split_train.txt").unlink()
    data = read_dataset(root)
    assert [v.id for v in data.videos] == ["e1", "e2"] and data.classes == ("jump", "run")
    assert any("no split_train.txt: no train videos" in note for note in data.notes)
    assert any("there are no training videos" in note for note in data.notes)


@pytest.mark.parametrize(
    ("split", "line", "message"),
    [
        ("train", "t1", "'t1' is listed twice"),
        ("test", "t2", "'t2' is listed twice"),
        ("test", "new", "'new' is not in"),
    ],
)
def test_split_files_that_contradict_are_refused(root, split, line, message):
    path = root / f"split_{split}.txt"
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(ValueError, match=message) as error:
        read_dataset(root)
    assert "split_" in str(error.value)


def test_split_files_decide_and_differences_are_said(root):
    annotate(root, t3=("test", [("jump", 2, 3)]), extra=("test", [("jump", 2, 3)]))
    data = read_dataset(root)
    assert "t3" in [v.id for v in data.subset("train")] and "extra" not in [v.id for v in data.videos]
    assert any("1 videos are in another subset in gt.json" in note and "t3" in note for note in data.notes)
    assert any(note.startswith("left out: 1 videos of gt.json") and "extra" in note for note in data.notes)


def test_missing_features_are_an_error_or_a_counted_skip(root):
    (root / "features/train/flow/t2.npy").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 5 listed videos lack features: .*flow/t2\.npy .*missing=skip"):
        read_dataset(root)
    data = read_dataset(root, missing="skip")
    assert [v.id for v in data.subset("train")] == ["t1", "t3"]
    assert any(note.startswith("left out: 1 of 5 listed videos lack features") for note in data.notes)
    with pytest.raises(ValueError, match="missing must be 'error' or 'skip', got 'ignore'"):
        read_dataset(root, missing="ignore")


def test_features_that_are_all_missing_are_an_error_whatever_was_asked(root):
    for path in root.glob("features/*/*/*.npy"):
        path.unlink()
    with pytest.raises(FileNotFoundError, match="5 of 5 listed videos lack features"):
        read_dataset(root, missing="skip")
    shutil.rmtree(root / "features")
    with pytest.raises(FileNotFoundError, match=f"no features under {root / 'features'}"):
        read_dataset(root, missing="skip")


def test_broken_files_are_counted_and_named(root):
    put(root, "train", "rgb", "t1", np.ones((30, 4, 2), "f4"))
    truncated = root / "features/test/flow/e2.npy"
    truncated.write_bytes(truncated.read_bytes()[:-8])
    for policy in ("error", "skip"):
        with pytest.raises(ValueError, match="2 of 5 videos have broken features") as error:
            read_dataset(root, missing=policy)
        assert "t1.npy: shape (30, 4, 2)" in str(error.value) and "e2.npy: truncated" in str(error.value)


def test_broken_files_can_be_a_counted_skip(root):
    put(root, "train", "rgb", "t1", np.ones((30, 4, 2), "f4"))
    put(root, "train", "flow", "t2", np.ones((9, 3), "f4"))
    data = read_dataset(root, broken="skip")
    assert [v.id for v in data.videos] == ["t3", "e1", "e2"]
    assert any("left out: 2 of 5 videos have broken features" in note and "'t2'" in note for note in data.notes)
    with pytest.raises(ValueError, match="broken must be 'error' or 'skip', got 'ignore'"):
        read_dataset(root, broken="ignore")


@pytest.mark.parametrize("fewer", [1, 2])
def test_streams_of_almost_equal_length_are_cut_and_said(root, fewer):
    put(root, "train", "flow", "t2", np.ones((40 - fewer, 3), "f4"))
    data = read_dataset(root)
    video = next(v for v in data.videos if v.id == "t2")
    assert video.length == 40 - fewer
    assert {s.load().shape[0] for s in video.streams.values()} == {40 - fewer}
    assert any("cut to the shortest in 1 videos: t2" in note for note in data.notes)


def test_streams_of_unequal_length_are_refused(root):
    put(root, "train", "flow", "t2", np.ones((37, 3), "f4"))
    with pytest.raises(ValueError, match=r"'t2': streams of \{'rgb': 40, 'flow': 37\} snippets"):
        read_dataset(root)


def test_an_odd_width_is_refused(root):
    put(root, "test", "flow", "e1", np.ones((20, 7), "f4"))
    with pytest.raises(ValueError, match="'e1' has streams of widths"):
        read_dataset(root)


def test_training_videos_without_labels_are_an_error_or_a_counted_skip(root):
    annotate(root, t2=("train", []))
    with pytest.raises(ValueError, match=r"1 training videos have no label: t2 \(the option unlabelled=skip"):
        read_dataset(root)
    data = read_dataset(root, unlabelled="skip")
    assert [v.id for v in data.subset("train")] == ["t1", "t3"]
    assert any("left out: 1 training videos have no label: t2" in note for note in data.notes)


def test_test_videos_without_labels_are_kept_and_said(root):
    annotate(root, e1=("test", []))
    data = read_dataset(root)
    assert data.subset("test")[0].labels == ()
    assert any("1 test videos have no annotated action: e1" in note for note in data.notes)


def test_labels_that_no_training_video_has_are_ground_truth_but_no_class(root):
    annotate(root, e1=("test", [("swim", 1, 2)]))
    data = read_dataset(root)
    assert data.classes == ("jump", "run") and data.subset("test")[0].labels == ("swim",)
    assert any("1 labels occur in no training video" in note and "swim" in note for note in data.notes)


def test_segments_outside_their_video_are_kept_and_said(root):
    annotate(root, e1=("test", [("run", 10, 14.0)]), e2=("test", [("jump", 30, 33.2)]))
    data = read_dataset(root)  # e1 has 12.8 s and two snippets of grace, e2 32 s
    assert data.subset("test")[1].segments == (Segment(30, 33.2, "jump"),)
    assert not any("segments pass" in note for note in data.notes)
    annotate(root, e1=("test", [("run", 10, 14.2)]), e2=("test", [("jump", -1, 4)]))
    assert any("segments pass the ends of 2 videos" in note and "e1, e2" in note for note in read_dataset(root).notes)


def test_segments_without_length_are_left_out_and_said(root):
    annotate(root, t3=("train", [("jump", 2, 2)]))
    data = read_dataset(root)
    assert data.subset("train")[2].labels == ("jump",) and data.subset("train")[2].segments == ()
    assert any("1 segments end where they start" in note for note in data.notes)


def test_salads_windows_tells_its_own_rate(shared_data):
    data = read_dataset(shared_data("salads-windows"))
    assert (data.layout, data.dims, len(data.classes)) == ("bas_net", {"rgb": 128, "flow": 30}, 17)
    assert (len(data.subset("train")), len(data.subset("test"))) == (406, 105)
    assert {v.timebase for v in data.videos} == {Timebase(0.4)}
    assert len(data.notes) == 1 and "snippet_seconds = 0.4, derived" in data.notes[0]
    assert sum(s.end > v.end + 1e-6 for v in data.videos for s in v.segments) == 0


def test_a_rate_that_contradicts_can_be_insisted_upon(shared_data):
    data = read_dataset(shared_data("salads-windows"), snippet_seconds=0.64)
    assert {v.timebase for v in data.videos} == {Timebase(0.64)} and data.notes == ()


def thumos_with_features(shared_data, folder, fps):
    """THUMOS14's annotation with features of one channel, as many as its videos' durations give at `fps`."""
    source = shared_data("thumos14-basnet")
    for name in ("gt.json", "split_train.txt", "split_test.txt"):
        (folder / name).write_bytes((source / name).read_bytes())
    durations = shared_data("thumos14-wtalc") / "Thumos14reduced-Annotations"
    names = np.load(durations / "videoname.npy", allow_pickle=False).astype(str)
    seconds = np.load(durations / "duration.npy", allow_pickle=False)[:, 0]
    rows = {name: int(s * fps / 16) for name, s in zip(names.tolist(), seconds.tolist(), strict=True)}
    for split in ("train", "test"):
        for name in (source / f"split_{split}.txt").read_text().split():
            put(folder, split, "rgb", name, np.ones((rows[name], 1), "f2"))
    return folder


def test_thumos14_has_the_usual_rate(shared_data, tmp_path):
    data = read_dataset(thumos_with_features(shared_data, tmp_path, fps=25))
    assert (len(data.subset("train")), len(data.subset("test")), len(data.classes)) == (200, 210, 20)
    assert {v.timebase for v in data.videos} == {Timebase(0.64)}
    assert len(data.notes) == 1 and "segments pass the ends of 4 videos" in data.notes[0]


def test_thumos14_at_ten_frames_a_second_must_be_said(shared_data, tmp_path):
    folder = thumos_with_features(shared_data, tmp_path, fps=10)
    with pytest.raises(ValueError, match="give snippet_seconds") as error:
        read_dataset(folder)
    assert str(folder) in str(error.value)
    assert read_dataset(folder, snippet_seconds=1.6).videos[0].timebase == Timebase(1.6)


def test_files_with_a_byte_order_mark(root):
    expected = read_dataset(root).videos
    for path in (root / "gt.json", root / "split_train.txt"):
        path.write_text(path.read_text(), encoding="utf-8-sig")
    assert [video.id for video in read_dataset(root).videos] == [video.id for video in expected]


@pytest.mark.parametrize("value", ["abc", True, [1]])
def test_options_that_are_no_numbers_are_refused_by_name(root, value):
    with pytest.raises(TypeError, match="option snippet_seconds of layout bas_net must be a number, got"):
        read_dataset(root, snippet_seconds=value)


def test_why_no_video_is_left_is_said(root):
    for path in root.glob("features/*/rgb/*.npy"):
        path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"no video is left to read; left out: 5 of 5 videos have broken features"):
        read_dataset(root, broken="skip")


def test_a_file_is_no_folder(root):
    with pytest.raises(FileNotFoundError, match=r"gt.json: it is a file; expected the folder"):
        read_dataset(root / "gt.json")
