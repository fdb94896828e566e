"""Commands that write a folder refuse one that another process writes."""

import json
from pathlib import Path

import pytest

from amsx.cli import main
from amsx.files import LOCK
from amsx.locks import Owner

SMALL = ["synthetic", "--data-option", "train_videos=30", "--data-option", "test_videos=2"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A folder that a process of another machine holds, inside and beside itself."""
    owner = Owner("amsx train", 12, "far", "2026-01-01 12:00:00+00:00", "its start", "", "")
    (tmp_path / "run").mkdir()
    for lock in (tmp_path / "run" / LOCK, tmp_path / f".run{LOCK}"):
        lock.write_text(json.dumps(vars(owner)))
    return tmp_path / "run"


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", *SMALL, "--out", "RUN"],
        ["convert", *SMALL, "--to", "labels", "RUN"],
        ["reproduce", *SMALL, "--table", "3", "--out", "RUN"],
        ["tune", *SMALL, "--out", "RUN"],
        ["demo", "--out", "RUN"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_folder_that_another_process_writes_is_refused(run, capsys, arguments):
    before = sorted(run.parent.rglob("*"))
    assert main([argument.replace("RUN", str(run)) for argument in arguments]) == 1
    assert f"{run} is in use by `amsx train` (process 12 on far, since 2026-01-01" in capsys.readouterr().err
    assert sorted(run.parent.rglob("*")) == before
