"""Runs a command under a time limit, shows what it prints, and leaves none of its processes behind."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path


class FailedError(Exception):
    """A command, or what it left, is not as it should be. The message holds the end of its output."""


class TimedOutError(FailedError):
    """A command was stopped at its time limit."""


def environment_with(site: Path) -> dict[str, str]:
    """The environment variables with which `import amsx` finds the one in `site`."""
    inherited = os.environ.get("PYTHONPATH")
    return dict(os.environ) | {"PYTHONPATH": os.pathsep.join([str(site), *([inherited] if inherited else [])])}


def run(command: Sequence[str], folder: Path, environment: dict[str, str], limit: float) -> str:
    """Run a command in `folder`, show what it prints, and return that.

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
    lines: list[str] = []

    def show() -> None:
        for line in process.stdout or ():
            lines.append(line)
            print("  " + line, end="", flush=True)

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
        reader.join(10)  # no longer: a grandchild in a session of its own may still hold the pipe
    log = "".join(lines)
    if stopped:
        raise TimedOutError(f"stopped after {limit:.0f} s: {' '.join(command)}\n{log[-6000:]}")
    if process.returncode != 0:
        raise FailedError(f"exit status {process.returncode}: {' '.join(command)}\n{log[-6000:]}")
    return log
