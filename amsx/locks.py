"""Holding a folder for one process, so that two that are given the same `--out` cannot spoil each other's files.

A process that holds a folder has locked the file `.amsx.lock` in it, in which it says who it is. The operating system
gives the lock back when the process ends, however it ends, and the next one takes the folder over. The times of the
file are renewed while the folder is held. That is for two kinds of file system: those that share files among machines
but not their locks, and those without locks. There a folder counts as held by

- a process of this machine that is alive: its number is taken, and by a process that began when it did;
- a process of another machine whose file was renewed in the last `STALE` seconds, by the clock of the file system.

Nobody can see more of another machine. Who knows that its process is gone removes the file. A process that stood still
for longer than `STALE` and went on may have lost its folder: `check_held` tells it before it writes.
"""

import contextlib
import json
import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from amsx.files import LOCK

try:
    import fcntl
except ImportError:  # no POSIX: whether the owner is alive is all that can be asked
    fcntl = None  # type: ignore[assignment]

BEAT = 15.0  # seconds between two renewals of the file's times
TURN = 0.2  # seconds between two looks at a folder that another process holds for a moment
STALE = 180.0  # seconds without a renewal after which a process of another machine counts as gone


class FolderInUse(RuntimeError):
    """Another process, or another thread of this one, holds the folder."""

    def __init__(self, folder: Path, lock: Path, owner: "Owner | None", age: float) -> None:
        self.folder = folder
        self.owner = owner  # None: it has not said yet who it is
        if owner is None:
            super().__init__(f"{folder} is in use by another process; wait until it ends, or choose another folder")
            return
        who = f"`{owner.what}` (process {owner.process} on {owner.host}, since {owner.since})"
        if owner.boot == _boot():
            remedy = f"wait until it ends, stop it (kill {owner.process}), or choose another folder"
        else:
            sign = f"is {age:.0f} s old" if age >= 0 else f"is dated {-age:.0f} s ahead, as after a clock was set back"
            remedy = (
                f"wait until it ends, or choose another folder. Its last sign of life {sign}; after "
                f"{STALE:g} s it counts as gone. If you know that it is gone, remove {lock}"
            )
        super().__init__(f"{folder} is in use by {who}; {remedy}")


@dataclass(frozen=True)
class Owner:
    """The content of a lock file: the process that holds the folder."""

    what: str  # the command, such as "amsx train"
    process: int  # its number
    host: str  # the name of its machine
    since: str  # when it took the folder, ISO 8601
    boot: str  # what tells one start of one machine from all others
    namespace: str  # where the number of the process counts: containers of one machine number theirs apart
    started: str  # when the process began, in units of its machine; "": not known

    @property
    def is_alive(self) -> bool:
        """Whether a process of this start of this machine runs with the owner's number, and began when it did."""
        return _runs(self.process) and self.started == _started(self.process)


@contextmanager
def hold_in_turn(folder: Path | str, what: str) -> Iterator[None]:
    """Hold `folder` as `hold` does, and wait for a process or thread that holds it for the same `what`.

    This is for commands that may share a folder and hold it only while they write what they have in common.
    """
    with contextlib.ExitStack() as held:
        while True:
            try:
                held.enter_context(hold(folder, what))
                break
            except FolderInUse as error:
                if error.owner is not None and error.owner.what != what:
                    raise
            time.sleep(TURN)
        yield


def let_go(folder: Path | str) -> None:
    """Remove the lock file that a process of this machine left in `folder`, if it is gone and nobody else holds it.

    Processes of other machines need not wait then until its sign of life is old.
    """
    if (Path(folder) / LOCK).exists():
        with contextlib.suppress(FolderInUse, OSError), hold(folder):
            pass


def check_held(folder: Path | str) -> None:
    """FolderInUse where another process took over a folder that this one holds, or FileNotFoundError where it is gone.

    That happens to a process that stood still for longer than `STALE` on a file system without locks.
    """
    folder = Path(folder)
    lock = folder.resolve() / LOCK
    file = os.open(lock, os.O_RDONLY)
    try:
        owner = _read(file)
    finally:
        os.close(file)
    if owner != _owners.get(lock):
        raise FolderInUse(folder, lock, owner, _age(lock))


@contextmanager
def hold(folder: Path | str, what: str = "amsx", *, beside: bool = False) -> Iterator[None]:
    """Hold `folder`, which is made if there is none, for this process until the block ends.

    `what` is the command that others are told of. With `beside`, the lock file lies beside the folder, which may then
    be made or replaced in the block. The same thread may hold a folder again inside the block. A folder that was made
    here and in which nothing was written is removed at the end. FolderInUse where another process or thread holds it;
    OSError where its lock file cannot be written.
    """
    folder = Path(folder)
    place = folder.parent if beside else folder
    made = _make(place)
    lock = place.resolve() / (f".{folder.name}{LOCK}" if beside else LOCK)
    with _registering:
        outer = _threads.get(lock)
        if outer is None:
            _threads[lock] = threading.get_ident()
    if outer == threading.get_ident():
        yield
        return
    if outer is not None:
        raise FolderInUse(folder, lock, _owners.get(lock), 0.0)
    try:
        file = _acquire(folder, lock, what)
        ended = threading.Event()
        beat = threading.Thread(target=_renew, args=(file, ended), daemon=True, name=f"lock of {folder}")
        beat.start()
        try:
            yield
        finally:
            ended.set()
            beat.join()
            own = _owners.pop(lock, None)
            if _read(file) == own:  # else another process took the folder over, and the file is its
                lock.unlink(missing_ok=True)  # before the lock is given back, so that nobody else's file is removed
            os.close(file)
    finally:
        _threads.pop(lock, None)
        with contextlib.suppress(OSError):  # something was written there
            for path in reversed(made):
                path.rmdir()


_registering = threading.Lock()
_threads: dict[Path, int] = {}  # lock file -> the thread of this process that holds it or is about to
_owners: dict[Path, Owner] = {}  # lock file -> this process, where it holds it


def _make(folder: Path) -> list[Path]:
    """Make a folder and those above it that do not exist; those that were made, from the top."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing[::-1]


def _acquire(folder: Path, lock: Path, what: str) -> int:
    """Open the lock file, lock it where that is possible, and write into it that this process is its owner."""
    own = Owner(
        what=what,
        process=os.getpid(),
        host=socket.gethostname(),
        since=datetime.now().astimezone().isoformat(sep=" ", timespec="seconds"),
        boot=_boot(),
        namespace=_namespace(),
        started=_started(os.getpid()),
    )
    while True:
        file = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            locked = _try(file)
            owner = _read(file) or (_read_soon(file) if locked is False else None)
            if locked is False or (owner is not None and _is_taken(owner, locked, lock)):
                raise FolderInUse(folder, lock, owner, _age(lock))
            if _is_still(file, lock):  # else its last owner removed it after it was opened here
                os.ftruncate(file, 0)
                os.pwrite(file, json.dumps(asdict(own)).encode(), 0)
                if locked or _read_soon(file, unlike=own) == own:  # without locks, whoever wrote last has the folder
                    _owners[lock] = own
                    return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)


def _try(file: int) -> bool | None:
    """Lock an open file; whether that was possible, None where the file system has no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # ENOLCK, ENOSYS or EOPNOTSUPP, by the file system
        return None
    return True


def _is_taken(owner: Owner, locked: bool | None, lock: Path) -> bool:
    """Whether `owner` holds the folder still, if `locked` is what `_try` said of its lock file."""
    if owner.boot != _boot():  # another machine, whose locks may not reach this one
        return locked is False or _age(lock) < STALE
    if locked is not None:
        return not locked
    if owner.namespace != _namespace():  # another container of this machine: its numbers mean nothing here
        return _age(lock) < STALE
    return owner.is_alive


def _is_still(file: int, lock: Path) -> bool:
    """Whether an open file is the one at `lock`."""
    try:
        return os.path.samestat(os.fstat(file), os.stat(lock))
    except FileNotFoundError:
        return False


def _read(file: int) -> Owner | None:
    """The owner in an open lock file; None where nobody has written into it, or not yet all."""
    try:
        return Owner(**json.loads(os.pread(file, 1 << 16, 0)))
    except (ValueError, TypeError):
        return None


def _read_soon(file: int, unlike: Owner | None = None) -> Owner | None:
    """What `_read` reads as soon as it is another owner than `unlike`, or after a moment."""
    for _ in range(10):
        time.sleep(0.02)
        owner = _read(file)
        if owner != unlike:
            return owner
    return unlike


def _age(lock: Path) -> float:
    """Seconds since a lock file was renewed. Both times are of its file system: clocks of machines differ."""
    try:
        with tempfile.TemporaryFile(dir=lock.parent) as probe:
            return os.fstat(probe.fileno()).st_mtime - lock.stat().st_mtime
    except OSError:  # it is gone, or nothing can be written there
        return STALE


def _renew(file: int, ended: threading.Event) -> None:
    while not ended.wait(BEAT):
        with contextlib.suppress(OSError):  # a full disk or a lost connection is found by those who write
            os.utime(file)


@cache
def _boot() -> str:
    """What tells one start of one machine from all others; without /proc, the machine's name."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return socket.gethostname()


@cache
def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        return True
    return True


def _started(process: int) -> str:
    """When a process began, in clock ticks since the machine's start; "" where that cannot be known."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
