"""What worker processes have in common."""

import multiprocessing
import os
import threading


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
