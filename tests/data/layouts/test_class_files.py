"""THUMOS14's own annotation, a text file per class, with CMCS's features."""

import numpy as np
import pytest
from data.layouts import made_up

from amsx.data.layouts import read_dataset
from amsx.data.layouts.shared.class_files import class_files, read_class_files
from amsx.data.videos import Segment


@pytest.fixture
def root(tmp_path):
    made_up.cmcs_in_text(tmp_path, made_up.make(sliding=True, width=2, train=3, test=2))
    return tmp_path


def write(folder, **files):
    for name, text in files.items():
        (folder / f"{name}.txt").write_text(text)
    return class_files(folder)


def test_by_hand(tmp_path):
    files = write(
        tmp_path,
        LongJump_val="b  1.5 2.0\na  0.0 9.5\n\n",
        Diving_val="b  3 4\nb  7 7\n",
        Diving_test="c  1 2\n",
        Ambiguous_test="c  5 6\nd  1 2\n",
        detclasslist="22 CliffDiving\n",
    )
    entries, notes = read_class_files(files)
    assert list(entries) == ["a", "b", "c"] and notes == ["left out: 2 segments labelled Ambiguous"]
    assert [entries[name].subset for name in "abc"] == ["val", "val", "test"]
    assert entries["b"].labels == ("Diving", "LongJump") and entries["b"].empty_segments == 1
    assert entries["b"].segments == (Segment(3, 4, "Diving"), Segment(1.5, 2, "LongJump"))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"Diving_val": "a  1 2\nb  3\n"}, r"Diving_val.txt, line 2: 'b  3'; expected a video id, a start and an end"),
        ({"Diving_val": "a  one 2\n"}, "line 1: .*; expected a video id"),
        ({"Diving_val": "a  1 2 3\n"}, "line 1: .*; expected a video id"),
        ({"Diving_val": "a  1 nan\n"}, "line 1: .*; expected a video id"),
        ({"Diving_val": "a  2 1\n"}, "line 1: .* does not start before it ends"),
        ({"Diving_test": "a  1 2\n", "Diving_val": "a  1 2\n"}, "'a' is also annotated in test"),
    ],
)
def test_what_is_no_annotation_is_refused_by_file_and_line(tmp_path, files, message):
    with pytest.raises(ValueError, match=message):
        read_class_files(write(tmp_path, **files))


def test_a_file_that_is_no_text_is_refused_by_its_line(tmp_path):
    (tmp_path / "Diving_val.txt").write_bytes(b"a  1 2\n\xff\xfe\x00\n")
    with pytest.raises(ValueError, match=r"Diving_val.txt, line 2, column 1: the byte 0xff is not UTF-8"):
        read_class_files(class_files(tmp_path))


def test_a_class_that_occurs_twice_is_refused(root):
    copy = root / "copy"
    copy.mkdir()
    path = next(iter(sorted(root.glob("labels/annotations/*_val.txt"))))
    (copy / path.name).write_bytes(path.read_bytes())
    with pytest.raises(ValueError, match=f"the instances of {path.stem} are also in"):
        read_dataset(root, fps=30.0)
    assert len(read_dataset(root, fps=30.0, annotation=root / "labels").videos) == 5
    with pytest.raises(ValueError, match=r"expected one candidate for annotation, found .*train; give annotation"):
        read_dataset(root, fps=30.0, annotation=root / "train")


def test_frame_rates_must_be_said(root):
    with pytest.raises(ValueError, match="no fps in the annotation of 5 videos; give fps"):
        read_dataset(root)


def test_frame_rates_come_from_the_meta_files(root):
    pytest.importorskip("scipy")
    from scipy.io import savemat

    rows = [(v.id, 100.0, 25.0 if v.subset == "test" else 30.0, v.subset) for v in read_dataset(root, fps=30.0).videos]
    kinds = [("video_name", object), ("video_duration_seconds", object), ("frame_rate_FPS", object)]
    for subset, name in (("train", "validation"), ("test", "test")):
        struct = np.array([[row[:3] for row in rows if row[3] == subset]], dtype=object)[0]
        made = np.empty((1, len(struct)), dtype=kinds)
        for i, row in enumerate(struct):
            made[0, i] = tuple(row)
        savemat(root / f"thumos14-{name[:4]}-meta.mat", {f"{name}_videos": made})
    data = read_dataset(root)
    rates = {v.subset: 4 / v.timebase.snippet_seconds for v in data.videos}
    assert rates == pytest.approx({"train": 30.0, "test": 25.0})
    assert data.videos[0].duration == 100.0
    (root / "thumos14-test-meta.mat").unlink()
    with pytest.raises(ValueError, match="no fps in the annotation of 2 videos"):
        read_dataset(root)
    (root / "thumos14-test-meta.mat").write_bytes(b"<html>")
    with pytest.raises(ValueError, match=r"thumos14-test-meta.mat: no readable list of videos"):
        read_dataset(root)


def test_meta_files_without_their_package_say_which(root, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "scipy.io", None)
    (root / "thumos14-val-meta.mat").write_bytes(b"MATLAB 5.0")
    with pytest.raises(ValueError, match=r"needs the package scipy \(pip install scipy\); or give fps"):
        read_dataset(root)
    assert len(read_dataset(root, fps=30.0).videos) == 5
