"""Runs a command under a time limit, shows what it prints, and leaves none of its processes behind."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class FailedError(Exception):
    """A command, or what it left, is not as it should be. The message holds the end of its output."""

    def __init__(self, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.details = details or {}  # for a record: what is as it should be
        self.log = ""  # all that a command printed


class TimedOutError(FailedError):
    """A command was stopped at its time limit."""


_running: set[subprocess.Popen[str]] = set()


def stop() -> None:
    """End all commands that run, in whatever thread."""
    for process in list(_running):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def environment_with(site: Path) -> dict[str, str]:
    """The environment variables with which `import amsx` finds the one in `site`."""
    inherited = os.environ.get("PYTHONPATH")
    return dict(os.environ) | {"PYTHONPATH": os.pathsep.join([str(site), *([inherited] if inherited else [])])}


def run(command: Sequence[str], folder: Path, environment: dict[str, str], limit: float, label: str = "") -> str:
    """Run a command in `folder`, show what it prints, each line after the label, and return that.

    FailedError where its exit status is not 0, TimedOutError where it takes more than `limit` seconds.
    """
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment | {"PYTHONUNBUFFERED": "1"},  # so that nothing is held back when it is stopped
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,  # so that its children are in a group that can be ended
    )
    _running.add(process)
    lines: list[str] = []

    def show() -> None:
        for line in process.stdout or ():
            lines.append(line)
            print(f"  {label}{line}", end="", flush=True)

    reader = threading.Thread(target=show, daemon=True)
    reader.start()
    stopped = False
    try:
        process.wait(limit)
    except subprocess.TimeoutExpired:
        stopped = True
    finally:
        with contextlib.suppress(ProcessLookupError):  # ends workers that outlive it, too
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        _running.discard(process)
        reader.join(10)  # no longer: a grandchild in a session of its own may still hold the pipe
    log = "".join(lines)
    if not stopped and process.returncode == 0:
        return log
    why = f"stopped after {limit:.0f} s" if stopped else f"exit status {process.returncode}"
    error = (TimedOutError if stopped else FailedError)(f"{why}: {' '.join(command)}\n{log[-6000:]}")
    error.log = log
    raise error
