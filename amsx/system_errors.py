"""What the operating system refuses, in sentences that name the file and say what can be done.

This module is the ground floor. It imports nothing else of amsx.
"""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import resource
except ImportError:  # no POSIX: no limits to ask for
    resource = None  # type: ignore[assignment]

# NumPy says this, without a number of an error, where fewer values could be written than it has.
CUT_SHORT = re.compile(r"\d+ requested and \d+ written")
NUMBERED = re.compile(r"os error (\d+)")  # Rust's name of an error number, in what safetensors says


def in_words(error: OSError) -> str:
    """A sentence on an error of the system; one that amsx raised is its own sentence already."""
    if error.errno is None:
        return str(error) or type(error).__name__
    names = [os.fspath(name) for name in (error.filename, error.filename2) if isinstance(name, (str, os.PathLike))]
    what = " and ".join(map(str, names)) or "the output"
    path = Path(names[0]) if names else None
    sentence = _sentence(error.errno, what, path)
    return sentence or f"{what}: the system says {error.strerror or os.strerror(error.errno)!r}"


def _sentence(number: int, what: str, path: Path | None) -> str | None:
    if number == errno.ENOENT:
        return f"{what}: no such file or folder"
    if number in (errno.EEXIST, errno.ENOTDIR):
        file = None if path is None else next((p for p in (path, *path.parents) if p.is_file()), None)
        if file is not None:
            return f"{file} is a file; expected a folder" + (f", for {what}" if file != path else "")
        return f"{what} exists already" if number == errno.EEXIST else f"{what} is no folder; expected one"
    if number == errno.EISDIR:
        return f"{what} is a folder; expected a file"
    if number == errno.ENOTEMPTY:
        return f"{what} is not empty; expected an empty folder or a new one"
    if number in (errno.EACCES, errno.EPERM):
        return f"{what}: permission denied{_owner(path)}; choose another place, or ask its owner for access"
    if number == errno.EROFS:
        return f"{what} lies on a read-only file system; choose another place to write to"
    if number in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        room = "no space is left on its file system" if number == errno.ENOSPC else "your quota of space is used up"
        return f"{what} could not be written: {room}; free some, or choose another place"
    if number == errno.EFBIG:
        return (
            f"{what} could not be written: it would be larger than files may be here (`ulimit -f` shows the limit of "
            "this process)"
        )
    if number == errno.ENAMETOOLONG:
        return (
            f"{what}: the name is too long for the file system, which usually takes 255 bytes for each part of a path"
        )
    if number in (errno.EMFILE, errno.ENFILE):
        return f"{what}: too many files are open at once (`ulimit -n` shows the limit)"
    if number == errno.ELOOP:
        return f"{what}: links lead in a circle"
    if number == errno.EIO:
        return f"{what}: the device failed to read or write it (an input/output error of the system)"
    if number == errno.ENOMEM:
        return f"{what}: the system has no memory left"
    return None


def _owner(path: Path | None) -> str:
    """Whose the nearest existing file or folder of a path is, where that is known and somebody else."""
    for place in () if path is None else (path, *path.parents):
        try:
            return f" ({place} is {'yours' if place.stat().st_uid == os.geteuid() else f'of {place.owner()!r}'})"
        except (OSError, KeyError, AttributeError, NotImplementedError):
            continue
    return ""


@contextmanager
def about(path: Path | str, temporary: Path | None = None) -> Iterator[None]:
    """Within the block, errors of the system that name no file, or a `temporary` one, are errors about `path`.

    Libraries that say in their own words that the disk is full or that a file may not grow are understood.
    """
    try:
        yield
    except OSError as error:
        number = error.errno or _number(str(error), Path(path))
        if number is None or error.filename not in (None, temporary, str(temporary)):
            raise
        raise OSError(number, os.strerror(number), str(path)) from error


def _number(message: str, path: Path) -> int | None:
    """The number of the error that a library tells of in its own words; None where it is none of the system."""
    if numbered := NUMBERED.search(message):
        return int(numbered[1])
    if not CUT_SHORT.search(message):
        return None
    limited = resource is not None and resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY
    try:
        full = os.statvfs(path.parent).f_bavail == 0
    except (OSError, AttributeError):
        full = False
    return errno.EFBIG if limited and not full else errno.ENOSPC
