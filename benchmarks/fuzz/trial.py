"""One changed file given to one reader, and the judgement."""

import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from benchmarks.fuzz.formats import Format
from benchmarks.fuzz.mutations import CANARY, SECRET, SECRET_FILE

CLEAR = (ValueError, TypeError, OSError)  # errors that a reader may raise
SECONDS = 10.0  # of processor time that one file may take
MEMORY = 512 << 20  # bytes that reading one small file may take beyond what the process has
# How NumPy, torch, libhdf5, C++ and the system say that memory was not to be had. The word "allocation" alone does not
# say it: libhdf5 calls the bytes of a file its allocation.
NO_MEMORY = re.compile(
    r"bad.?alloc|out of memory|allocation failed|(unable|fail\w*) to allocate|(cannot|can't|could not) allocate", re.I
)
# libhdf5 takes the length of a block of metadata from the file, asks for that much, and refuses a block that reaches
# beyond the file before it touches the memory: what it asked for and did not get fills nothing.
NEVER_TOUCHED = "memory allocation failed for on disk image buffer"
# What no reader of data does, by the names of Python's audit events.
FORBIDDEN = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.connect", "ctypes.dlopen")

_watching = False
_events: list[str] = []


class TooLongError(BaseException):
    """A reader took longer than it may. It is no Exception, so that no reader takes it for a fault of the file."""


def prepare(folder: Path) -> None:
    """Make the place where files are tried, with the files beside it that no reader may open; watch what is run."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "inside").mkdir(parents=True)
    np.save(folder / SECRET_FILE, np.full((5, 4), SECRET, np.float32))
    with h5py.File(folder / "outside.h5", "w") as file:
        file["feats"] = np.full((5, 4), SECRET, np.float32)
    Path(CANARY).unlink(missing_ok=True)
    sys.addaudithook(_hook)
    warnings.simplefilter("ignore")


def changed(form: Format, number: int) -> bytes:
    """The file of that number, which is always the same; an empty one where the change could not be made."""
    chance = random.Random(f"{form.name} {number}")
    try:
        return form.change(chance, chance.choice(form.seeds))
    except (RecursionError, MemoryError, ValueError, OverflowError):
        return b""


def judge(form: Format, content: bytes, folder: Path) -> str:
    """ "error", "accepted", or what is bad about how the reader took the file."""
    global _watching
    inside = folder / "inside"
    path = inside / f"file{form.suffix}"
    path.write_bytes(content)
    before = _peak()
    signal.signal(signal.SIGPROF, _too_long)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    _events.clear()
    _watching = True
    try:
        value, error = form.read(path), None
    except CLEAR as raised:
        value, error = None, raised
    except BaseException as raised:
        if isinstance(raised, KeyboardInterrupt):
            raise
        return f"BAD: {type(raised).__name__} {str(raised)[:200]!r}{_place(raised)}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        _watching = False
    if _events or os.path.exists(CANARY):
        Path(CANARY).unlink(missing_ok=True)
        return f"BAD: it ran {', '.join(_events) or 'what the file says'}"
    if _peak() - before > MEMORY or _memory_was_short(error):
        return f"BAD: more than {MEMORY >> 20} MiB of memory for a file of {len(content)} bytes ({error})"
    if error is not None:
        return "error" if str(error).strip() else f"BAD: {type(error).__name__} without a word{_place(error)}"
    try:
        right = form.right(path, value)
    except Exception as other:  # the other reader could not read it at all
        return f"BAD: accepted what its other reader refuses: {type(other).__name__} {str(other)[:150]!r}"
    return "accepted" if right else f"BAD: accepted with wrong values: {str(value)[:200]}"


def _memory_was_short(error: BaseException | None) -> bool:
    """Whether an error comes from memory that was not to be had; a MemoryError without a word is the parser's."""
    for _ in range(5):
        if error is not None:
            if NO_MEMORY.search(str(error).replace(NEVER_TOUCHED, "")):
                return True
            error = error.__cause__
    return False


def _place(error: BaseException) -> str:
    """The last line of amsx that the error passed."""
    place, step = "", error.__traceback__
    while step is not None:
        if "/amsx/" in step.tb_frame.f_code.co_filename:
            place = f" at {Path(step.tb_frame.f_code.co_filename).name}:{step.tb_lineno}"
        step = step.tb_next
    return place


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _too_long(*_: Any) -> None:
    raise TooLongError(f"it took more than {SECONDS:g} s")


def _hook(event: str, arguments: Sequence[Any]) -> None:
    if not _watching:
        return
    if event in FORBIDDEN:
        _events.append(event)
    elif event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wxa+"):
        path = str(arguments[0])
        if path == CANARY or not path.startswith(("/dev/", tempfile.gettempdir())):
            _events.append(f"open {arguments[0]!s:.80} to write")
