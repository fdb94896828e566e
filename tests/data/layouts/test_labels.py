"""Tables of labels in every form, beside features; what they do not say is asked for."""

import json

import numpy as np
import pytest

from amsx.data.extraction_record import ExtractionRecord, ExtractorIdentity
from amsx.data.layouts import matching_layouts, read_dataset

FIVE = ("a", "b", "c", "d", "e")


@pytest.fixture
def root(tmp_path):
    (tmp_path / "features").mkdir()
    for name in FIVE:
        np.save(tmp_path / "features" / f"{name}.npy", np.ones((20, 3), np.float32))
    return tmp_path


def read(root, **options):
    return read_dataset(root, **{"snippet_seconds": 0.5, **options})


def labels(dataset):
    return {video.id: video.labels for video in dataset.videos}


TABLE = {"a": ("jump", "run"), "b": ("run",), "c": (), "d": ("jump",)}  # e is not labelled
ROWS = ["a,run;jump", "b,run", "c,-", "d,jump", "e,"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels.csv", "video,labels\n" + "\n".join(ROWS)),
        ("labels.csv", "\ufeffVideo ID,Classes\r\n" + "\r\n".join(ROWS) + "\r\n"),
        ("labels.csv", "\n".join(ROWS)),
        ("labels.csv", "\n".join(ROWS).replace(";", "|").replace(",", ";")),
        (
            "labels.tsv",
            "labels\tfilename\tvideo\n"
            + "\n".join("\t".join([*r.split(",")[::-1][:1], "x", r.split(",")[0]]) for r in ROWS),
        ),
        ("labels.csv", 'video,labels\n"a.mp4"," run ; jump ;"\nb.MKV,run\nc,Background\nd,jump\ne,\n\n'),
        ("labels.csv", "video,label\na,run\na,jump\nb,run\nc,-\nd,jump\ne,"),
        ("labels.json", json.dumps({"a": ["run", "jump"], "b": "run", "c": ["-"], "d": ["jump"], "e": []})),
        ("labels.json", json.dumps({"a": {"labels": ["run", "jump"]}, "b": {"labels": "run"}, "c": "-", "d": "jump"})),
    ],
)
def test_every_form_says_the_same(root, name, text):
    (root / name).write_text(text, encoding="utf-8")
    assert [layout.name for layout in matching_layouts(root)] == ["labels"]
    dataset = read(root)
    assert labels(dataset) == TABLE
    assert dataset.classes == ("jump", "run")
    assert {video.subset for video in dataset.videos} == {"train"}
    notes = " ".join(dataset.notes)
    assert "1 training videos show no action, and train as negatives: c" in notes
    assert "no subset is named anywhere: all videos are for training" in notes
    assert ("1 training videos have no label: e" in notes) == (not text.startswith('{"a": {'))


def test_only_the_end_of_a_line_ends_a_row(root):
    """Unicode calls other characters line ends, too, and a name may hold them."""
    text = "\n".join(ROWS).replace("run", "high\u2028jump")
    (root / "labels.csv").write_text(text, encoding="utf-8")
    assert labels(read(root)) == {"a": ("high\u2028jump", "jump"), "b": ("high\u2028jump",), "c": (), "d": ("jump",)}


def test_subsets_come_from_the_column_or_from_split_files(root):
    (root / "labels.csv").write_text("video,labels,subset\na,x,training\nb,x,Test\nc,y,training\n")
    assert {v.id: v.subset for v in read(root).videos} == {"a": "train", "b": "test", "c": "train"}
    (root / "labels.csv").write_text("video,labels\na,x\nb,x\nc,y\n")
    (root / "split_train.txt").write_text("a\nc\n")
    (root / "split_test.txt").write_text("b\n")
    dataset = read(root)
    assert {v.id: v.subset for v in dataset.videos} == {"a": "train", "b": "test", "c": "train"}
    assert any(
        "when actions happen is not known of 1 test videos, which mAP of localization needs: b" in note
        for note in dataset.notes
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"labels\.csv is empty"),
        ("video,labels\n", r"labels\.csv lists no video"),
        ("a,b,c,d\n1,2,3,4\n", "its first row has 4 columns and is no header"),
        ("video,labels\na,run,jump\n", "row 2: 3 columns, and 2 above"),
        ("video,labels\na\n", "row 2: 1 columns, expected at least 2"),
        ("video,labels\n,run\n", "row 2: names no video"),
        ("video,labels\na,-;run\n", "row 2: '-' says that the video shows no action, beside the labels run"),
        ("video,labels,duration\na,run,long\n", "row 2: duration is 'long'; expected a positive number"),
        ("video,labels,fps\na,run,-25\n", "row 2: fps is '-25'; expected a positive number"),
        (
            "video,labels,subset\na,run,train\na,jump,test\n",
            "row 3: video 'a' is listed twice, with subset",
        ),
        ("video,labels,subset\na,run,train\nb,run,\n", "names no subset of 1 videos, 'b' first"),
        ("video,labels\na,run\na.mp4,run\n", "'a.mp4' and another row are both of the video 'a'"),
        ("video,labels\nz,run\n", "1 of 1 listed videos lack features"),
    ],
)
def test_what_is_wrong_is_named(root, text, message):
    (root / "labels.csv").write_text(text)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        read(root)


def test_time_is_said_and_never_guessed(root):
    (root / "labels.csv").write_text("video,labels\na,x\nb,y\n")
    with pytest.raises(ValueError, match="nothing says how long a snippet lasts; give fps and stride"):
        read_dataset(root)
    assert read_dataset(root, fps=15, stride=3).videos[0].timebase.snippet_seconds == 0.2
    (root / "labels.csv").write_text("video,labels,duration\na,x,10\nb,y,5\n")
    assert [v.timebase.snippet_seconds for v in read_dataset(root).videos] == [0.5, 0.25]
    (root / "labels.csv").write_text("video,labels,fps\na,x,10\nb,y,5\n")
    assert [v.timebase.snippet_seconds for v in read_dataset(root, stride=2).videos] == [0.2, 0.4]


def test_an_extraction_says_the_time_and_options_must_not_contradict_it(tmp_path):
    record = ExtractionRecord(25.0, 16, {"clip": ExtractorIdentity("module", 3, {}, None)})
    record.begin(tmp_path)
    for name in ("bend/a", "b"):
        path = tmp_path / "features" / "clip" / f"{name}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.ones((20, 3), np.float32))
    (tmp_path / "labels.csv").write_text("video,labels\nbend/a.avi,x\nb,y\n")
    dataset = read_dataset(tmp_path)
    assert dataset.dims == {"clip": 3}
    assert {video.timebase.snippet_seconds for video in dataset.videos} == {0.64}
    assert dataset.extraction is not None
    assert dataset.extraction.streams == record.streams
    with pytest.raises(ValueError, match=r"the options say 0\.5 s a snippet, and extraction\.json 0\.64 s"):
        read_dataset(tmp_path, snippet_seconds=0.5)


def test_videos_without_features_are_to_be_extracted_first(tmp_path):
    (tmp_path / "labels.csv").write_text("video,labels\na,x\n")
    (tmp_path / "a.mp4").touch()
    with pytest.raises(ValueError, match=r"holds labels and videos .* extract them first: amsx extract"):
        read_dataset(tmp_path)


def test_segments_are_beside_the_labels_and_do_not_change_them(root):
    (root / "labels.csv").write_text("video,labels,subset\na,x,train\nb,x;y,test\n")
    segments = [{"label": "x", "segment": [1, 2]}, {"label": "z", "segment": [2, 3]}]
    (root / "segments.json").write_text(
        json.dumps({"database": {n: {"annotations": segments} for n in ("a", "b", "q")}})
    )
    dataset = read(root)
    assert labels(dataset) == {"a": ("x",), "b": ("x", "y")}
    assert [len(video.segments) for video in dataset.videos] == [2, 2]
    notes = " ".join(dataset.notes)
    assert "left out: 1 videos of segments.json that no row lists: q" in notes
    assert "segments.json has segments of labels that the table lacks in 2 videos" in notes


def test_an_annotation_that_is_called_labels_is_still_one(root):
    database = {
        n: {"subset": "train", "duration": 10, "annotations": [{"label": "x", "segment": [0, 1]}]} for n in FIVE
    }
    (root / "labels.json").write_text(json.dumps({"database": database}))
    assert [layout.name for layout in matching_layouts(root)] == ["action_former"]


def test_an_id_that_resembles_a_heading_is_an_id(root):
    for name in ("video_1", "video_2"):
        np.save(root / "features" / f"{name}.npy", np.ones((20, 3), np.float32))
    (root / "labels.csv").write_text("video_1,action\nvideo_2,run\n")
    assert labels(read(root)) == {"video_1": ("action",), "video_2": ("run",)}
