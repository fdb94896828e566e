"""What worker processes have in common: they end with the process that started them, and at its word.

A terminal sends Ctrl-C to all processes of a command. The one that a person started decides what becomes of the others.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess


def end_with_parent() -> None:
    """Let this worker process end as soon as the process that started it has ended, however that came.

    A process that is killed cannot end its workers. Left to themselves they would wait for work for ever, or go on
    writing into a folder in which the next process already works.
    """
    parent = multiprocessing.parent_process()
    if parent is None:  # no worker
        return

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True, name="end-with-parent").start()


@contextmanager
def unmoved_by_interrupts() -> Iterator[None]:
    """Processes that are started within the block do not see Ctrl-C; this one sees it when the block ends."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    former = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # which the started ones inherit
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


def stop(processes: Iterable[BaseProcess]) -> None:
    """End processes on the spot. What they write appears whole or not at all, so nothing is spoilt."""
    for process in processes:
        process.kill()
