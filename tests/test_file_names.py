"""Ids as the names of files: readable where they are ordinary, never two alike, never out of the folder."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amsx.file_names import LONGEST, picture_names, video_file, video_file_fault


def test_ordinary_ids_and_classes_make_plain_names():
    things = [("video_test_0000004", "HighJump"), ("v_--0edUL8zmA", "Applying sunscreen"), ("篮球.1", "Würfe")]
    assert list(picture_names(things).values()) == [
        "video_test_0000004-HighJump",
        "v_--0edUL8zmA-Applying_sunscreen",
        "篮球.1-Würfe",
    ]


@pytest.mark.parametrize(
    "ids", [("a/b", "a_b", "a b"), ("ABC", "abc"), ("é", "e\u0301"), ("x" * 300, "x" * 300 + "y"), ("..", "/", "", ".")]
)
def test_ids_that_would_share_a_name_get_names_of_their_own(ids):
    names = picture_names((name,) for name in ids)
    assert len({name.casefold() for name in names.values()}) == len(ids)


def test_of_equals_the_plain_one_keeps_its_name():
    assert picture_names([("a b",), ("a_b",)])["a_b",] == "a_b"
    assert len(set(picture_names([("a-b", "c"), ("a", "b-c")]).values())) == 2


@given(st.sets(st.tuples(st.text(max_size=5), st.sampled_from(["A", "a", "b-c", "b c"])), max_size=12))
def test_no_two_names_are_alike_and_none_leads_out_of_its_folder(things):
    names = picture_names(things)
    assert len({name.casefold() for name in names.values()}) == len(things)
    for name in names.values():
        path = Path("folder") / f"{name}.png"
        assert path.parent == Path("folder") and len(path.name.encode()) <= LONGEST and "\0" not in name
    assert picture_names(sorted(things)) == names


def test_the_file_of_a_video_is_called_by_its_id_and_a_slash_is_a_folder(tmp_path):
    for name in ("v_1", "a/b", "-abc", "a b, 'c' #1 50%", "...", "new\nline"):
        path = video_file(tmp_path, name, ".npy")
        path.parent.mkdir(exist_ok=True)
        path.touch()
        assert path.relative_to(tmp_path).as_posix() == f"{name}.npy"


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("", "it is empty"),
        ("/etc/passwd", "it begins with a slash"),
        ("..", "a part of it is"),
        ("a/../../b", "a part of it is"),
        ("./a", "a part of it is"),
        ("a//b", "two in a row"),
        ("a/", "a slash at its end"),
        ("a\0b", "it holds a NUL"),
        ("\ud800", "half of a surrogate pair"),
        ("é" * 130, "it takes 264 bytes, more than 255"),
    ],
)
def test_an_id_that_can_be_no_file_of_the_folder_is_refused(tmp_path, name, fault):
    with pytest.raises(ValueError, match=f"cannot be the name of a file in .*: .*{fault}"):
        video_file(tmp_path, name, ".npy")
    assert video_file_fault("é" * 125, ".npy") is None
