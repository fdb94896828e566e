"""What the system refuses is told in sentences that name the file."""

import errno
import os
import resource
import subprocess
import sys

import numpy as np
import pytest

from amsx.files import write_text, written_whole
from amsx.system_errors import about, in_words

PATH = "/nowhere/a.npy"


@pytest.mark.parametrize(
    ("number", "told"),
    [
        ("ENOENT", "/nowhere/a.npy: no such file or folder"),
        ("EEXIST", "/nowhere/a.npy exists already"),
        ("EISDIR", "is a folder; expected a file"),
        ("ENOTEMPTY", "is not empty; expected an empty folder or a new one"),
        ("EACCES", "permission denied"),
        ("EROFS", "lies on a read-only file system"),
        ("ENOSPC", "no space is left on its file system"),
        ("EDQUOT", "your quota of space is used up"),
        ("EFBIG", "it would be larger than files may be here"),
        ("ENAMETOOLONG", "the name is too long"),
        ("EMFILE", "too many files are open at once"),
        ("ELOOP", "links lead in a circle"),
        ("EIO", "the device failed"),
    ],
)
def test_every_error_of_the_system_is_a_sentence(number, told):
    value = getattr(errno, number)
    sentence = in_words(OSError(value, os.strerror(value), PATH))
    assert told in sentence and PATH in sentence
    assert "Errno" not in sentence
    assert in_words(OSError(value, os.strerror(value))).startswith("the output")


def test_other_numbers_and_own_sentences():
    assert in_words(OSError(errno.EXDEV, "Invalid cross-device link", "a", None, "b")) == (
        "a and b: the system says 'Invalid cross-device link'"
    )
    assert in_words(FileExistsError("runs/a already holds a run")) == "runs/a already holds a run"


def test_the_file_that_stands_where_a_folder_is_expected_is_named(tmp_path):
    (tmp_path / "file").touch()
    for inner in ("", "/a", "/a/b"):
        with pytest.raises(OSError) as raised:
            write_text(f"{tmp_path}/file{inner}/text.txt", "")
        assert in_words(raised.value).startswith(f"{tmp_path}/file is a file; expected a folder")


def test_errors_of_a_file_that_is_written_whole_name_it_and_those_of_other_files_name_those(tmp_path):
    with pytest.raises(OSError) as raised, written_whole(tmp_path / "a.npy") as temporary:
        temporary.open("x").close()
        temporary.open("x")
    assert raised.value.filename == str(tmp_path / "a.npy")
    with pytest.raises(FileNotFoundError) as raised, written_whole(tmp_path / "a.npy"):
        (tmp_path / "source").open()
    assert raised.value.filename == str(tmp_path / "source")
    assert not any(tmp_path.iterdir())
    with pytest.raises(ZeroDivisionError), about("a"):
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("message", "number"),
    [
        ("12800 requested and 992 written", errno.ENOSPC),
        ("Error while serializing: I/O error: File too large (os error 27)", errno.EFBIG),
        ("something else", None),
    ],
)
def test_what_libraries_say_of_a_full_disk_is_understood(message, number):
    with pytest.raises(OSError) as raised, about("a.npy"):
        raise OSError(message)
    assert raised.value.errno == number


def test_a_command_whose_disk_is_full_names_the_file_and_leaves_nothing(tmp_path):
    data = tmp_path / "data"
    (data / "features" / "rgb").mkdir(parents=True)
    (data / "labels.csv").write_text("video,labels,subset\na,x,train\nb,x,test\n")
    for name in "ab":
        np.save(data / "features" / "rgb" / f"{name}.npy", np.ones((400, 100), dtype=np.float32))
    arguments = ["convert", data, tmp_path / "out", "--to", "bas_net", "--data-option", "snippet_seconds=1"]
    done = subprocess.run(
        [sys.executable, "-m", "amsx", *map(str, arguments)],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )
    assert done.returncode == 1
    assert "a.npy could not be written: it would be larger than files may be here" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
