"""How a command ends that is interrupted: at once, by Ctrl-C and by the signals that end a process alike.

What was written is whole, so nothing needs to be saved. The person is told what stands and how to go on.
"""

import argparse
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


class Interrupted(KeyboardInterrupt):
    """A signal ends the command."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.status = 128 + number  # the exit status, as shells have it


@contextmanager
def signals_interrupt() -> Iterator[None]:
    """Within the block, SIGTERM and SIGHUP raise `Interrupted` as Ctrl-C does; those that are ignored stay so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = {}
    for name in NAMES:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            former[number] = signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _interrupt(number: int, _: FrameType | None) -> NoReturn:
    signal.signal(number, signal.SIG_DFL)  # a second one ends the process on the spot
    raise Interrupted(number)


def what_stands(options: argparse.Namespace | None) -> str:
    """What an interrupted command leaves, and how to go on."""
    command = getattr(options, "command", None)
    out: Path | None = getattr(options, "out", None)
    if command == "convert":
        return "nothing was written: a converted folder appears when it is complete; give the same command again"
    if out is None or command not in _LEFT or not out.is_dir():
        return "nothing was written"
    return f"{out} holds {_counted(out, *_LEFT[command])}; {_GO_ON[command]}"


_CELLS = ("cells/*/*/*/finished.json", "finished training")
_LEFT = {  # command -> the files that tell what is done, and what each or each of their lines is called
    "train": ("*/log.jsonl", "trained epoch"),
    "demo": ("**/log.jsonl", "trained epoch"),
    "reproduce": _CELLS,
    "tune": _CELLS,
    "validate": ("fold*/cells/*/*/*/finished.json", "finished training"),
    "extract": ("extraction/**/*.json", "extracted video"),
    "localize": ("localized.jsonl", "localized video"),
}
_GO_ON = {
    "train": "the same command with --resume goes on",
    **dict.fromkeys(("demo", "reproduce", "tune", "validate", "extract", "localize"), "the same command goes on"),
}


def _counted(out: Path, pattern: str, what: str) -> str:
    files = [path for path in out.glob(pattern) if not path.name.startswith(".")]
    lines = pattern.endswith(".jsonl")
    count = sum(path.read_bytes().count(b"\n") for path in files) if lines else len(files)
    return f"{count} {what}{'' if count == 1 else 's'}" if count else f"no {what} yet"
