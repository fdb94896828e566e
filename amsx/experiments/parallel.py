"""Trains cells in several processes at once, beside other commands that train cells of the same folder.

Every cell is held by the process that trains it (`amsx.locks`). A cell that a process of another command holds is
passed over, and looked at again until it is finished, or free because that process is gone.
"""

import contextlib
import multiprocessing
import os
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from typing import Literal

import torch
from tqdm import tqdm

from amsx.data.videos import Dataset
from amsx.experiments.cell_trainer import CellTrainer
from amsx.experiments.cells import Cell, is_finished, unfinished
from amsx.locks import FolderInUse, let_go
from amsx.model.backbone_class import import_backbone
from amsx.processes import end_with_parent, stop, unmoved_by_interrupts
from amsx.system_errors import in_words
from amsx.training.setup import choose_device

LOOK = 2.0  # seconds between two looks at a cell that another command trains


@dataclass(frozen=True)
class Event:
    """Something that happened to a cell."""

    cell: Cell
    kind: Literal["begun", "epoch", "finished", "failed", "elsewhere"]  # "elsewhere": another command trains it
    done: int = 0  # of an "epoch": how many epochs of the schedule are trained
    goal: int = 0  # of an "epoch": after how many the cell ends
    seconds: float | None = None  # of "finished": how long the training took; None: another command trained it
    error: str = ""  # of "failed": why


def chosen_workers(jobs: int | None, device: str | None) -> tuple[str | None, ...]:
    """The device of each process that trains: `jobs` processes on `device`, or in turn on several (`cuda:0,cuda:1`).

    Where `jobs` is None there is one process for each of several devices, one where there is a GPU, and otherwise one
    for every core up to four. ValueError for a device that is not there, and for fewer processes than devices.
    """
    names = [name.strip() for name in device.split(",")] if device else [None]
    for name in names:
        choose_device(name)
    if jobs is None:
        on_gpu = device.startswith("cuda") if device else torch.cuda.is_available()
        jobs = len(names) if len(names) > 1 or on_gpu else min(_cores(), 4)
    if jobs < len(names):
        raise ValueError(f"jobs must be at least {len(names)}, one for each device, got {jobs}")
    return tuple(names[number % len(names)] for number in range(jobs))


def train_cells(
    cells: Sequence[Cell], dataset: Dataset, out: Path, *, workers: Sequence[str | None], wait: bool = True
) -> Iterator[Event]:
    """Train those of `cells` that are not finished in `out`, beginnings first, and yield every event when it happens.

    Cells that another command trains in `out` are left to it, and are waited for at the end unless `wait` is false.
    Where its process ends without finishing one, that cell is trained here.

    `workers` are the devices of the processes that work at once, as from `chosen_workers`. They share the cores evenly
    unless OMP_NUM_THREADS says how many threads each has. A cell whose training raises or whose process dies
    has the event "failed", and so have the cells that would have continued it; the others are trained. Processes are
    spawned, so a script that calls this needs the customary `if __name__ == "__main__":`.
    """
    todo = unfinished(cells, out)
    open_folders = {cell.folder for cell in todo}
    elsewhere: dict[Path, float] = {}  # the folders that other commands hold -> when to look at them again
    context = multiprocessing.get_context("spawn")
    threads = max(1, _cores() // len(workers))
    free = list(workers)  # the devices of processes that are not started yet, or died
    started: list[_Worker] = []
    try:
        while todo or any(worker.cell for worker in started):
            now = time.monotonic()
            ready = [
                cell
                for cell in todo
                if (cell.beginning is None or cell.beginning.folder not in open_folders)
                and elsewhere.get(cell.folder, now) <= now
            ]
            for cell in ready:
                if is_finished(cell, out):  # by another command
                    todo.remove(cell)
                    open_folders.discard(cell.folder)
                    yield Event(cell, "finished")
                    continue
                idle = next((worker for worker in started if worker.cell is None), None)
                if idle is None and free:
                    idle = _Worker(context, dataset, out, free.pop(0), threads)
                    started.append(idle)
                if idle is None:
                    break
                todo.remove(cell)
                idle.begin(cell)
                if cell.folder not in elsewhere:
                    yield Event(cell, "begun")
            busy = {worker.pipe: worker for worker in started if worker.cell is not None}
            if not busy and not ready:  # what is left waits for other commands
                if not wait:
                    return
                time.sleep(LOOK)
            for pipe in wait_for(list(busy), timeout=LOOK if elsewhere else None) if busy else []:
                worker = busy[pipe]  # type: ignore[index]  # `wait_for` gives back what it was given
                event = worker.event()
                if event.kind == "elsewhere":
                    todo.append(event.cell)
                    known = event.cell.folder in elsewhere
                    elsewhere[event.cell.folder] = time.monotonic() + LOOK
                    if known:
                        continue
                if event.kind == "finished":
                    open_folders.discard(event.cell.folder)
                if not worker.process.is_alive() and event.kind == "failed":
                    started.remove(worker)
                    free.append(worker.device)
                yield event
                if event.kind == "failed":
                    lost = [c for c in todo if _continues(c, event.cell)]
                    todo = [c for c in todo if c not in lost]
                    yield from (Event(c, "failed", error="what it continues failed") for c in lost)
    finally:
        for worker in started:
            worker.end()


def _continues(cell: Cell, other: Cell) -> bool:
    """Whether `cell` continues `other`, directly or through other cells."""
    while cell.beginning is not None:
        cell = cell.beginning
        if cell.folder == other.folder:
            return True
    return False


class _Worker:
    """A process that trains the cells it is sent and reports their events."""

    def __init__(
        self,
        context: multiprocessing.context.SpawnContext,
        dataset: Dataset,
        out: Path,
        device: str | None,
        threads: int,
    ) -> None:
        self.cell: Cell | None = None
        self.out, self.device = out, device
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, out, device, threads), daemon=True)
        with unmoved_by_interrupts():
            self.process.start()
        theirs.close()
        self._send(dataset)  # not among `args`: the process loads torch before it takes it, and Ctrl-C would wait

    def begin(self, cell: Cell) -> None:
        """Send the idle process a cell to train."""
        self.cell = cell
        self._send(cell)

    def _send(self, value: Dataset | Cell) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it died, which `event` will tell
            self.pipe.send(value)

    def event(self) -> Event:
        """Wait for the next event of its cell; where the process died, the cell has failed."""
        assert self.cell is not None  # only busy workers are asked
        try:
            event: Event = self.pipe.recv()
        except EOFError:
            self.process.join()
            let_go(self.out / self.cell.folder)
            event = Event(self.cell, "failed", error=f"its process died (exit code {self.process.exitcode})")
        if event.kind != "epoch":
            self.cell = None
        return event

    def end(self) -> None:
        """End the process, whether it trains or not: one that is idle would take its time to take torch apart."""
        self.pipe.close()
        stop([self.process])
        self.process.join()
        if self.cell is not None:
            let_go(self.out / self.cell.folder)


def _serve(pipe: Connection, out: Path, device: str | None, threads: int) -> None:
    """The work of a worker's process: train the cells that come through `pipe`, after the data, until it is closed."""
    end_with_parent()
    tqdm.set_lock(threading.RLock())  # tqdm's own is a semaphore, which is left behind where the process is killed
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(threads)
    trainer: CellTrainer | None = None
    dataset: Dataset | None = None
    while True:
        try:
            dataset = pipe.recv() if dataset is None else dataset
            cell: Cell = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            return
        try:
            import_backbone(cell.config.model.backbone)  # the process that sent the cell has it imported
            trainer = trainer or CellTrainer(dataset, device)
            seconds = trainer.train(cell, out, partial(_send_epoch, pipe, cell))
            event = Event(cell, "finished", seconds=seconds)
        except FolderInUse:
            event = Event(cell, "elsewhere")
        except KeyboardInterrupt:
            return
        except BrokenPipeError:  # the process that sent the cell is gone
            return
        except OSError as error:
            event = Event(cell, "failed", error=in_words(error))
        except Exception:
            event = Event(cell, "failed", error=traceback.format_exc())
        pipe.send(event)


def _send_epoch(pipe: Connection, cell: Cell, done: int, goal: int) -> None:
    pipe.send(Event(cell, "epoch", done, goal))


def _cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
