"""A folder is held by one process, and taken over from one that is gone."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

import pytest

from amsx import locks
from amsx.files import LOCK, is_hidden
from amsx.locks import STALE, FolderInUse, Owner, check_held, hold, hold_in_turn

HOLDING = """
import sys
from amsx.locks import hold
with hold(sys.argv[1], "amsx train"):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(folder) -> Owner:
    return Owner(**json.loads((folder / LOCK).read_text()))


@pytest.fixture
def other(tmp_path):
    """Another process, which holds the folder `run`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING, tmp_path / "run"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_process_is_told_who_holds_the_folder_and_takes_it_over_when_the_first_is_killed(tmp_path, other):
    run = tmp_path / "run"
    told = rf"run is in use by `amsx train` \(process {other.pid} on .+, since 20.+\); wait .+ \(kill {other.pid}\)"
    with pytest.raises(FolderInUse, match=told), hold(run):
        pytest.fail("two processes hold one folder")
    assert holder(run).process == other.pid
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert holder(run).process == other.pid  # nobody removed it
    with hold(run, "amsx test"):
        assert holder(run).what == "amsx test" and holder(run).process == os.getpid()
        (run / "a").touch()
    assert [path.name for path in run.iterdir()] == ["a"]


def test_without_locks_of_the_file_system_the_life_of_the_owner_decides(tmp_path, other, monkeypatch):
    run = tmp_path / "run"
    monkeypatch.setattr(locks, "_try", lambda file: None)
    with pytest.raises(FolderInUse, match=f"process {other.pid} on"), hold(run):
        pytest.fail("two processes hold one folder")
    (run / LOCK).write_text(json.dumps({**vars(holder(run)), "started": "1"}))  # its number belongs to a later process
    with hold(run):
        assert holder(run).process == os.getpid()
    with hold(run):
        pass


def test_a_process_of_another_machine_counts_as_gone_when_its_file_is_old(tmp_path):
    with hold(tmp_path):
        own = holder(tmp_path)
    lock = tmp_path / LOCK
    lock.write_text(json.dumps({**vars(own), "boot": "other", "host": "far"}))
    told = rf"on far, .*If you know that it is gone, remove {re.escape(str(lock))}"
    with pytest.raises(FolderInUse, match=told), hold(tmp_path):
        pytest.fail("two machines hold one folder")
    now = lock.stat().st_mtime
    os.utime(lock, (now, now - STALE - 1))
    with hold(tmp_path):
        assert holder(tmp_path).boot == own.boot


def test_a_clock_that_was_set_back_takes_no_folder_away(tmp_path, monkeypatch):
    """A machine that stopped leaves a file dated ahead, which the error says; one that goes on renews it."""
    with hold(tmp_path):
        own = holder(tmp_path)
    lock = tmp_path / LOCK
    lock.write_text(json.dumps({**vars(own), "boot": "other", "host": "far"}))
    ahead = time.time() + 86400
    os.utime(lock, (ahead, ahead))
    told = rf"sign of life is dated 86\d\d\d s ahead, as after a clock was set back; .* remove {re.escape(str(lock))}"
    with pytest.raises(FolderInUse, match=told), hold(tmp_path):
        pytest.fail("two machines hold one folder")
    lock.unlink()
    monkeypatch.setattr(locks, "BEAT", 0.01)
    with hold(tmp_path):
        os.utime(lock, (ahead, ahead))
        for _ in range(500):
            if lock.stat().st_mtime < ahead:
                return
            threading.Event().wait(0.01)
    pytest.fail("the lock file was not renewed")


def test_a_held_folder_stays_fresh(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "BEAT", 0.01)
    with hold(tmp_path):
        os.utime(tmp_path / LOCK, (0, 0))
        for _ in range(500):
            if (tmp_path / LOCK).stat().st_mtime > 0:
                return
            threading.Event().wait(0.01)
    pytest.fail("the lock file was not renewed")


def test_one_thread_may_hold_a_folder_twice_and_another_thread_may_not(tmp_path):
    faults = []

    def elsewhere():
        try:
            with hold(tmp_path / "run"):
                pass
        except FolderInUse as fault:
            faults.append(str(fault))

    with hold(tmp_path / "run", "amsx demo"):
        with hold(tmp_path / "run", "amsx train"):
            thread = threading.Thread(target=elsewhere)
            thread.start()
            thread.join()
        assert holder(tmp_path / "run").what == "amsx demo"
    assert len(faults) == 1 and "`amsx demo`" in faults[0]


def test_what_was_made_for_the_lock_alone_is_removed(tmp_path):
    with pytest.raises(ZeroDivisionError), hold(tmp_path / "a" / "b"):
        raise ZeroDivisionError
    with hold(tmp_path / "c" / "d", beside=True):
        assert [is_hidden(path.name) for path in (tmp_path / "c").iterdir()] == [True]
    assert not any(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_to_is_an_error_of_the_system(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError), hold(tmp_path / "file"):
        pytest.fail("a file is no folder")


def test_commands_of_one_kind_take_turns(tmp_path):
    held, order = threading.Event(), []

    def first() -> None:
        with hold(tmp_path, "amsx reproduce"):
            held.set()
            time.sleep(0.3)
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    held.wait()
    with pytest.raises(FolderInUse, match="in use by `amsx reproduce`"), hold_in_turn(tmp_path, "amsx tune"):
        pytest.fail("two commands hold one folder")
    with hold_in_turn(tmp_path, "amsx reproduce"):
        order.append("second")
        assert holder(tmp_path).what == "amsx reproduce"
    thread.join()
    assert order == ["first", "second"]
    assert not list(tmp_path.iterdir())


def test_who_was_taken_for_gone_is_told_before_it_writes_and_leaves_the_lock_to_its_successor(tmp_path):
    with hold(tmp_path):
        check_held(tmp_path)
        successor = json.dumps({**vars(holder(tmp_path)), "boot": "other", "host": "far", "what": "amsx tune"})
        (tmp_path / LOCK).write_text(successor)
        with pytest.raises(FolderInUse, match=r"in use by `amsx tune` .* on far"):
            check_held(tmp_path)
    assert (tmp_path / LOCK).read_text() == successor
