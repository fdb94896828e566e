"""Ctrl-C and SIGTERM end a command at once; it says what stands and how to go on."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

LONG = ["--set", "phases.base_epochs=100000", "--set", "model.hidden=8", "--quiet"]
SMALL = ["synthetic", "--data-option", "train_videos=30", "--data-option", "test_videos=6"]


def interrupted(arguments: list[str], out: Path, begun: str, number: int) -> tuple[int, str, float]:
    """Status, errors and seconds to the end of a command that gets a signal as soon as a file of `out` is there."""
    process = subprocess.Popen(
        [sys.executable, "-m", "amsx", *arguments, "--out", str(out)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # background jobs of a shell ignore it
    )
    try:
        deadline = time.monotonic() + 120
        while not any(out.glob(begun)):
            assert process.poll() is None and time.monotonic() < deadline, process.communicate()[1]
            time.sleep(0.02)
        began = time.monotonic()
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
        return process.returncode, errors, time.monotonic() - began
    finally:
        process.kill()  # where it has not ended, it would train for days


@pytest.mark.parametrize(
    ("arguments", "begun", "number", "told"),
    [
        (["train", *SMALL, *LONG], "*/log.jsonl", signal.SIGINT, "trained epoch"),
        (
            ["reproduce", *SMALL, *LONG, "--table", "3", "--row", "A", "--jobs", "1", "--seeds", "1"],
            "cells/*/*/*/checkpoint.safetensors",
            signal.SIGTERM,
            "no finished training yet; the same command goes on",
        ),
    ],
    ids=["train", "reproduce"],
)
def test_a_signal_ends_a_command_at_once_and_it_says_what_stands(tmp_path, arguments, begun, number, told):
    out = tmp_path / "out"
    status, errors, seconds = interrupted(arguments, out, begun, number)
    assert status == 128 + number, errors
    assert errors.strip().splitlines()[-1].startswith(f"amsx: interrupted; {out} holds "), errors
    assert told in errors and "goes on" in errors and "Traceback" not in errors
    assert seconds < 30  # below 1 on a machine that is idle
    assert not any(path.name.endswith(".amsx.lock") for path in out.rglob(".*"))


def test_after_a_signal_the_process_ends_without_taking_apart_what_it_has_loaded():
    script = """
import atexit, os, sys
import amsx.cli
class Held:
    def __del__(self, write=os.write):
        write(1, b"taken apart")
held = Held()
atexit.register(print, "registered for the end")
amsx.cli.main = lambda: int(sys.argv[1])
amsx.cli.program()
"""
    for status, printed in ((0, ["registered for the end", "taken apart"]), (130, ["registered for the end"])):
        done = subprocess.run([sys.executable, "-c", script, str(status)], capture_output=True, text=True)
        assert (done.returncode, done.stdout.splitlines()) == (status, printed), done.stderr
