"""Completion in the shell, as the README has it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_commands_options_and_choices(tmp_path: Path) -> None:
    made = subprocess.run(
        [sys.executable, "-m", "shtab", "--shell=bash", "-u", "amsx.cli.parser"],
        capture_output=True,
        text=True,
        check=True,
    )
    script = tmp_path / "amsx"
    script.write_text(made.stdout)

    def completed(*words: str) -> list[str]:
        line = f"source {script}; COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; _shtab_amsx"
        shown = subprocess.run(
            ["bash", "-c", f'{line}; echo "${{COMPREPLY[@]}}"'], capture_output=True, text=True, check=True
        )
        return shown.stdout.split()

    assert completed("amsx", "tr") == ["train"]
    assert completed("amsx", "convert", "--t") == ["--to"]
    assert completed("amsx", "convert", "--to", "c") == ["cmcs"]
