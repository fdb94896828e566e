"""Consoles that cannot show every character, and values that begin with a dash."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from amsx.cli import main

NAME = "日本 \u2026 \ud800"  # the last is half of a surrogate pair, which no console can show


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Predictions and ground truth whose names and ids are no ASCII, and a video whose id begins with dashes."""
    truth = {v: {"annotations": [{"label": NAME, "segment": [0, 10]}]} for v in (NAME, "--0ed", "-x")}
    found = {v: [{"label": NAME, "score": 0.5, "segment": [0, 10]}] for v in truth}
    contents: dict[str, Any] = {"預測.json": {"results": found}, "真値.json": {"database": truth}}
    for name, content in contents.items():
        (tmp_path / name).write_text(json.dumps(content))
    return [str(tmp_path / name) for name in contents]


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8"])
def test_every_encoding_of_a_console_shows_the_score(
    files: list[str], monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    assert main(["evaluate", *files, "--per-class", "--tiou", "0.5"]) == 0
    assert main(["evaluate", files[0] + "無", files[1]]) == 1
    shown = out.buffer.getvalue().decode(encoding)
    assert "mAP (%)   100.0" in shown and "\\ud800" in shown
    assert ("\\u65e5\\u672c" if encoding != "utf-8" else "日本") in shown
    err.flush()
    assert b"does not exist" in err.buffer.getvalue()


def test_a_process_with_another_encoding_and_the_locale_c(files: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "amsx", "evaluate", *files, "--per-class"],
        env={**os.environ, "PYTHONIOENCODING": "cp1252", "LANG": "C", "LC_ALL": "C"},
        capture_output=True,
        check=True,
    )
    assert b"\\u65e5\\u672c" in done.stdout and b"100.0" in done.stdout and not done.stderr


def test_ids_may_begin_with_a_dash(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", *files, "--exclude", "--0ed", "--exclude", "-x", "--tiou", "0.5"]) == 0
    assert "2 videos excluded" in capsys.readouterr().out
    assert main(["evaluate", *files, "--exclude=-x", "--tiou", "0.5"]) == 0
    assert "1 videos excluded" in capsys.readouterr().out
    assert main(["evaluate", *files, "--exclude", "--json"]) == 1
    assert "no video '--json' to exclude" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["evaluate", *files, "--subset", "-x"])
    assert "a value that begins with a dash is given as --subset=VALUE" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["evaluate", *files, "--exclude"])
    assert "expected one argument" in capsys.readouterr().err
