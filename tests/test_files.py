"""Reading JSON strictly, and writing files whole or not at all."""

import pytest

from amsx.files import parse_json, read_json, write_json, write_text, written_whole


def test_a_key_that_occurs_twice_is_refused():
    assert parse_json('{"a": {"b": 1}, "b": 2}') == {"a": {"b": 1}, "b": 2}
    with pytest.raises(ValueError, match="'b' occurs twice in one object"):
        parse_json('{"a": {"b": 1, "b": 2}}')


def test_errors_of_reading_name_the_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.json"):
        read_json(tmp_path / "absent.json")
    (tmp_path / "cut.json").write_text('{"a": ')
    with pytest.raises(ValueError, match=r"cut\.json is not valid JSON"):
        read_json(tmp_path / "cut.json")


def test_what_is_written_is_read_again_and_folders_are_made(tmp_path):
    path = tmp_path / "new" / "folder" / "values.json"
    write_json(path, {"a": [1.5, None, "ä"]})
    assert read_json(path) == {"a": [1.5, None, "ä"]}
    write_text(path, "other\n")
    assert path.read_text() == "other\n"
    assert [p.name for p in path.parent.iterdir()] == ["values.json"]


def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "picture.png"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="disk"), written_whole(path) as temporary:
        temporary.write_text("half")
        assert temporary.suffix == ".png" and temporary.parent == tmp_path
        raise RuntimeError("disk")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["picture.png"]


def test_nan_is_refused_where_the_caller_says_so(tmp_path):
    with pytest.raises(ValueError):
        write_json(tmp_path / "values.json", {"a": float("nan")}, allow_nan=False)
    assert not (tmp_path / "values.json").exists()
