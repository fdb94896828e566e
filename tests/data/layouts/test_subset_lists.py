"""Subsets that the annotation does not say, from tables and split files beside it."""

import json
import re

import numpy as np
import pytest

from amsx.data.layouts import read_dataset

IDS = ("a", "b", "c")


def make(root, prefix="", **files):
    """Three videos whose annotation names no subset; `files`: name, with two underscores for a dot -> text."""
    entries = {
        f"{prefix}{name}": {"duration": 10.0, "annotations": [{"label": "run", "segment": [1, 2]}]} for name in IDS
    }
    (root / "features").mkdir(parents=True)
    (root / "anno.json").write_text(json.dumps(entries))
    for name in entries:
        np.save(root / "features" / f"{name}.npy", np.ones((20, 3), dtype="f4"))
    for name, text in files.items():
        (root / name.replace("__", ".")).write_text(text)
    return root


def subsets(data):
    return {video.id.removeprefix("v_"): video.subset for video in data.videos}


TABLE = "video,numFrame,seconds,fps,rfps,subset,featureFrame\n{0}a,1,1,1,1,training,1\n{0}b,1,1,1,1,validation,1\n"


@pytest.mark.parametrize(("ours", "theirs"), [("", ""), ("v_", "v_"), ("v_", ""), ("", "v_")])
def test_a_table_of_videos_says_their_subsets(tmp_path, ours, theirs):
    table = TABLE.format(theirs) + f"{theirs}c,1,1,1,1,training,1\n"
    data = read_dataset(make(tmp_path, ours, video_info__csv=table))
    assert subsets(data) == {"a": "train", "b": "test", "c": "train"}
    note = next(
        note for note in data.notes if note.startswith("subsets of 3 videos, which the annotation does not say")
    )
    assert ("v_" in note) == (ours != theirs)


@pytest.mark.parametrize("names", [("split_train", "split_test"), ("train", "test"), ("training", "validation")])
def test_split_files_say_subsets(tmp_path, names):
    files = {f"{names[0]}__txt": "a\r\nc\r\n", f"{names[1]}__txt": "b\n"}
    assert subsets(read_dataset(make(tmp_path, **files))) == {"a": "train", "b": "test", "c": "train"}


def test_what_no_list_says_is_asked_about(tmp_path):
    asked = "names no subset of {} videos, '{}' first; list them in files split_train.txt .* or say with subsets="
    with pytest.raises(ValueError, match=asked.format(3, "a")):
        read_dataset(make(tmp_path / "none"))
    assert subsets(read_dataset(tmp_path / "none", subsets={"": "train"})) == dict.fromkeys(IDS, "train")
    root = make(tmp_path / "some", video_info__csv=TABLE.format(""))
    with pytest.raises(ValueError, match=asked.format(1, "c")):
        read_dataset(root)
    data = read_dataset(root, subsets={"training": "train", "validation": "test"})
    assert subsets(data) == {"a": "train", "b": "test"}


def test_tables_of_other_things_are_passed_over(tmp_path):
    root = make(tmp_path, classes__csv="id,name,subset\n1,2,3\n", numbers__csv="1,2,3\n")
    with pytest.raises(ValueError, match="names no subset of 3 videos"):
        read_dataset(root, "action_former")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"video_info__csv": TABLE.format(""), "other__csv": TABLE.format("")},
            "more than one list may: .*other.csv or ",
        ),
        ({"video_info__csv": TABLE.format(""), "train__txt": "a\n"}, "more than one list may"),
        ({"train__txt": "a\nb\n", "test__txt": "b\nc\n"}, "video 'b' is in the subsets 'train' and 'test'"),
        ({"x__csv": "id,subset\na\n"}, "x.csv, row 2: has no subset"),
    ],
)
def test_lists_that_disagree_are_errors(tmp_path, files, message):
    with pytest.raises(ValueError, match=message):
        read_dataset(make(tmp_path, **files))


def test_bas_net_s_split_files_may_lack_the_prefix_and_gt_json_the_subsets(tmp_path):
    def write(folder, ids, split_ids, subset):
        for name, kind in zip(ids, ("train", "train", "test"), strict=True):
            place = folder / "features" / kind / "rgb"
            place.mkdir(parents=True, exist_ok=True)
            np.save(place / f"{name}.npy", np.ones((20, 3), dtype="f4"))
        entry = {"annotations": [{"label": "run", "segment": [1, 2]}]}
        stated = dict(zip(ids, subset, strict=True))
        database = {name: {**entry, **({"subset": stated[name]} if stated[name] else {})} for name in ids}
        (folder / "gt.json").write_text(json.dumps({"database": database}))
        if split_ids:
            (folder / "split_train.txt").write_text("".join(f"{name}\n" for name in split_ids[:2]))
            (folder / "split_test.txt").write_text(f"{split_ids[2]}\n")
        return folder

    data = read_dataset(write(tmp_path / "v", ["v_a", "v_b", "v_c"], IDS, ("", "", "")))
    assert subsets(data) == {"a": "train", "b": "train", "c": "test"}
    assert "ids begin with 'v_' in gt.json alone" in data.notes
    data = read_dataset(write(tmp_path / "named", IDS, IDS, ("training", "Train", "testing")))
    assert not any("another subset" in note for note in data.notes)
    data = read_dataset(write(tmp_path / "alone", IDS, None, ("training", "training", "testing")))
    assert subsets(data) == {"a": "train", "b": "train", "c": "test"}
    root = write(tmp_path / "nothing", IDS, None, ("", "", ""))
    with pytest.raises(
        ValueError, match=re.escape("no split_train.txt or split_test.txt, and subsets in gt.json that are none of ")
    ):
        read_dataset(root)
