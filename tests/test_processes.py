"""A worker does not outlive the process that started it."""

import subprocess
import sys
import time

import amsx.processes

PARENT = """
import multiprocessing, runpy, sys, time
end_with_parent = runpy.run_path(sys.argv[1])["end_with_parent"]

def work():
    end_with_parent()
    time.sleep(60)

worker = multiprocessing.get_context("fork").Process(target=work)
worker.start()
print(worker.pid, flush=True)
worker.join()
"""


def test_a_worker_ends_when_its_parent_is_killed():
    command = [sys.executable, "-c", PARENT, amsx.processes.__file__]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        assert _works(worker)
        parent.kill()
        parent.wait()
        deadline = time.monotonic() + 30
        while _works(worker) and time.monotonic() < deadline:
            time.sleep(0.01)
    assert not _works(worker)


def _works(process: int) -> bool:
    """Whether a process runs that has not ended: nobody may have asked for the status of one that has."""
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
