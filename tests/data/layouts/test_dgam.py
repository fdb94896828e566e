"""The DGAM layout: numbered features, label matrices, and names where they are there."""

import numpy as np
import pytest
from data.layouts import made_up

from amsx.data.layouts import read_dataset


@pytest.fixture
def root(tmp_path):
    made_up.dgam(tmp_path, made_up.make(width=2, train=12, test=2))
    return tmp_path


def test_without_names_and_annotation_there_are_labels_alone(root):
    named = read_dataset(root)
    for name in ("gt.json", "train_names.txt", "test_names.txt"):
        (root / name).unlink()
    data = read_dataset(root)
    assert [v.id for v in data.subset("train")] == [f"train_{i}" for i in range(1, 13)]
    assert [v.length for v in data.videos] == [v.length for v in named.videos]
    assert data.classes[0].startswith("class_") and all(not v.segments for v in data.videos)
    assert any("the classes are called class_" in note for note in data.notes)
    assert any("no segments" in note for note in data.notes)


def test_class_names_come_from_a_list(root):
    count = np.load(root / "train_data/train_labels.npy").shape[1]
    (root / "gt.json").unlink()
    np.save(root / "classlist.npy", np.array([f"k{c}" for c in range(count)], dtype="S"))
    assert all(name.startswith("k") for name in read_dataset(root).classes)
    (root / "classlist.npy").unlink()
    (root / "classlist.txt").write_text("one\n")
    with pytest.raises(ValueError, match=f"classlist has 1 names, the labels {count} columns"):
        read_dataset(root)


def test_labels_that_differ_from_the_annotation_are_counted(root):
    path = root / "train_data/train_labels.npy"
    labels = np.load(path)
    labels[0] = 1
    np.save(path, labels)
    data = read_dataset(root)
    assert any("labels differ from those of gt.json in 1 videos" in note for note in data.notes)


def test_the_order_of_the_classes_is_tested_by_the_labels_of_gt_json(root):
    note = (
        "no classlist: the labels' columns are the classes of gt.json in alphabetical order, as the labels of 14 of 14"
    )
    assert any(text.startswith(note) for text in read_dataset(root).notes)
    for path in root.glob("*_data/*_labels.npy"):
        np.save(path, np.load(path)[:, ::-1])
    with pytest.raises(
        ValueError, match=r"not the classes of gt\.json in order of the alphabet, .*; give classlist\.txt"
    ):
        read_dataset(root)


def test_why_there_are_no_segments_is_said_as_it_is(root):
    for subset in ("train", "test"):
        (root / f"{subset}_names.txt").unlink()
    assert "no segments: gt.json has none of these videos" in read_dataset(root).notes
    (root / "gt.json").unlink()
    assert "no segments: there is no gt.json" in read_dataset(root).notes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda labels: labels * 2, "expected zeros and ones"),
        (lambda labels: labels[0], "expected zeros and ones"),
        (lambda labels: labels[:-1], "lists 12 videos, the label file has 11 rows"),
        (lambda labels: labels[:, :-1], "columns, expected the same"),
    ],
)
def test_label_files_that_do_not_fit_are_refused(root, change, message):
    path = root / "train_data/train_labels.npy"
    np.save(path, change(np.load(path)))
    with pytest.raises(ValueError, match=message):
        read_dataset(root)


def test_no_labels_and_no_features_are_errors(root):
    (root / "test_data/rgb_features/2.npy").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 14 listed videos lack features: .*2\.npy"):
        read_dataset(root)
    (root / "test_data/test_labels.npy").unlink()
    with pytest.raises(FileNotFoundError, match=r"no label file .*test_labels\.npy"):
        read_dataset(root)
