"""Text in every form that systems write it in, JSON read strictly, hidden files, and files written whole or not."""

import codecs
import os
import stat

import pytest

from amsx.files import (
    as_text,
    is_hidden,
    parse_json,
    read_json,
    read_names,
    read_text,
    remove_unfinished,
    visible,
    write_json,
    write_text,
    written_whole,
)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_text_is_the_same_whatever_its_line_ends_and_its_byte_order_mark(tmp_path, encoding, end):
    path = tmp_path / "names.txt"
    path.write_bytes(end.join(["Große Würfe", "", " 篮球, a # b ", "c\u2028d", ""]).encode(encoding))
    assert read_text(path) == "Große Würfe\n\n 篮球, a # b \nc\u2028d\n"
    assert read_names(path) == ["Große Würfe", "篮球, a # b", "c\u2028d"]


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_bytes_of_another_encoding_are_an_error_that_says_where_and_what_to_do(tmp_path, mark):
    path = tmp_path / "names.txt"
    path.write_bytes(mark + "ä\r\n".encode() + "Jeté\n".encode("latin-1"))
    with pytest.raises(
        ValueError, match=r"names\.txt, line 2, column 4: the byte 0xe9 is not UTF-8; .*iconv -f latin1"
    ):
        read_text(path)
    path.with_suffix(".json").write_bytes('{"é": 1}'.encode("latin-1"))
    with pytest.raises(ValueError, match=r"names\.json, line 1, column 3: the byte 0xe9"):
        read_json(path.with_suffix(".json"))
    with pytest.raises(ValueError, match="names: holds NUL bytes"):
        as_text("abc".encode("utf-16-le"), "names")
    with pytest.raises(FileNotFoundError, match="it is a folder"):
        read_text(tmp_path)


def test_what_systems_and_editors_leave_behind_is_hidden(tmp_path):
    mine = [".dotted.npy", "a~b.npy", "#1.npy", "folder/x.npy"]
    others = ["._a.npy", "__MACOSX/a.npy", ".ipynb_checkpoints/a.npy", "~$a.npy", "folder~/x.npy", ".a.12.partial.npy"]
    for name in (*mine, *others):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [p.relative_to(tmp_path).as_posix() for p in visible(tmp_path, "**/*.npy")] == sorted(mine)
    assert all(map(is_hidden, [".DS_Store", "Thumbs.db", "thumbs.db", "gt.json~", "#gt.json#", ".gt.json.swp"]))
    with written_whole(tmp_path / "gt.json") as unfinished:
        unfinished.touch()
        assert is_hidden(unfinished.name)


def test_a_key_that_occurs_twice_is_refused():
    assert parse_json('{"a": {"b": 1}, "b": 2}') == {"a": {"b": 1}, "b": 2}
    with pytest.raises(ValueError, match="'b' occurs twice in one object"):
        parse_json('{"a": {"b": 1, "b": 2}}')


def test_errors_of_reading_name_the_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.json"):
        read_json(tmp_path / "absent.json")
    for text, fault in (
        ('{"a": ', " is not valid JSON: Expecting value"),
        ('{"a": 1, "a": 2}', ": 'a' occurs twice in one object"),
        ("[" * 100_000, ": its lists and objects are nested too deeply"),
    ):
        (tmp_path / "faulty.json").write_text(text)
        with pytest.raises(ValueError, match=rf"faulty\.json{fault}"):
            read_json(tmp_path / "faulty.json")


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


def test_what_a_killed_writer_had_begun_can_be_removed(tmp_path):
    own = [".hidden", "a.partial.npy", ".a.partial", ".b.x.partial.npy", "c.npy"]
    begun = [".a.12.partial.npy", ".config.4711.partial.json", ".a.b.3.partial"]
    for name in (*own, *begun, "rgb/" + begun[0]):
        write_text(tmp_path / name, "")
    remove_unfinished(tmp_path)
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == sorted(own)


def test_nan_is_refused_where_the_caller_says_so(tmp_path):
    with pytest.raises(ValueError):
        write_json(tmp_path / "values.json", {"a": float("nan")}, allow_nan=False)
    assert not (tmp_path / "values.json").exists()


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o007, 0o660), (0o077, 0o600)])
def test_files_are_as_readable_as_the_umask_says(tmp_path, umask, mode):
    path = tmp_path / "model.safetensors"
    before = os.umask(umask)
    try:
        with written_whole(path) as temporary:
            temporary.touch(mode=0o600)  # as safetensors makes its files
        assert os.umask(umask) == umask  # reading it has left it as it was
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == mode
