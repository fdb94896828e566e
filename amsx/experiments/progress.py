"""Progress while cells are trained: a table that is drawn anew on a terminal, plain lines elsewhere."""

import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from amsx.data.videos import Dataset
from amsx.experiments.cells import Cell, is_finished, unfinished
from amsx.experiments.parallel import Event, train_cells
from amsx.experiments.plans import Plan, cell_of
from amsx.text_columns import columns, cut, left, right
from amsx.training.config import Config


class ProgressDisplay:
    """Shows the progress of every cell: a line for every row of the plans, a column for every stream and seed."""

    def __init__(
        self,
        plans: Sequence[Plan],
        config: Config,
        seeds: int,
        streams: Sequence[str],
        out: Path,
        *,
        quiet: bool = False,
        file: TextIO | None = None,
    ) -> None:
        self.file = file or sys.stdout
        self.drawn = 0  # lines of the table on the terminal
        self.redraws = self.file.isatty() and not quiet
        self.quiet = quiet
        self.began = time.perf_counter()
        self.columns = [(stream, seed) for stream in streams for seed in range(seeds)]
        self.lines: dict[str, list[Path]] = {}
        self.state: dict[Path, str] = {}  # of the cells in the table
        self.at_work: dict[Path, str] = {}  # the cells that are being trained -> their name and epoch
        for plan in plans:
            for row in plan.rows:
                cells = [cell_of(config, row, seed, stream) for stream, seed in self.columns]
                if not any([cell.folder for cell in cells] == folders for folders in self.lines.values()):
                    self.lines[f"{plan.key} {row.key}"] = [cell.folder for cell in cells]
                for cell in cells:
                    self.state[cell.folder] = "done" if is_finished(cell, out) else "."
        self.total = len(self.state)
        self.done = sum(state == "done" for state in self.state.values())
        if not quiet:
            print(f"{self.total} cells, {self.done} of them already trained", file=self.file, flush=True)

    def update(self, event: Event) -> None:
        """Record an event and show the new state."""
        folder = event.cell.folder
        if event.kind in ("finished", "failed", "elsewhere"):
            self.at_work.pop(folder, None)
        else:
            progress = f"{event.done}/{event.goal}" if event.goal else "begins"
            self.at_work[folder] = f"{event.cell.label} {progress}"
        if folder in self.state:
            percent = f"{100 * event.done // event.goal}%" if event.goal else "0%"
            self.state[folder] = {"finished": "done", "failed": "FAILED", "elsewhere": "other"}.get(event.kind, percent)
            self.done += event.kind == "finished"
        if self.redraws:
            self._draw()
        if event.kind == "failed":
            self._print(f"FAILED: {event.cell.label}: {event.error}")
        elif event.kind == "finished" and not self.redraws and not self.quiet:
            elapsed = time.perf_counter() - self.began
            what = self._description(event.cell)
            took = "was trained by another process" if event.seconds is None else f"took {event.seconds:.1f} s"
            self._print(f"{self.done}/{self.total} cells, {elapsed:.0f} s: {what} {took}")
        elif event.kind == "elsewhere" and not self.redraws and not self.quiet:
            self._print(f"another process trains {self._description(event.cell)}")

    def _description(self, cell: Cell) -> str:
        for line, folders in self.lines.items():
            if cell.folder in folders:
                return f"{line}, {cell.stream}, seed {cell.seed}"
        return f"beginning ({cell.part}), {cell.stream}, seed {cell.seed}"

    def _print(self, text: str) -> None:
        print(text, file=self.file, flush=True)
        self.drawn = 0  # the table is drawn anew below

    def _draw(self) -> None:
        """The table, over the one that was drawn before."""
        first = max(map(columns, self.lines), default=0)
        heads = [f"{stream}/{seed}" for stream, seed in self.columns]
        width = max(6, *map(columns, heads))
        lines = [" " * first + "".join(right(head, width + 1) for head in heads)]
        for name, folders in self.lines.items():
            lines.append(left(name, first) + "".join(f"{self.state[folder]:>{width + 1}}" for folder in folders))
        lines.append(f"{self.done}/{self.total} cells, {time.perf_counter() - self.began:.0f} s")
        lines += sorted(self.at_work.values())
        room = shutil.get_terminal_size().columns - 1  # a line that wraps would throw off the way back up
        lines = [cut(line, room) for line in lines]
        if self.drawn:
            self.file.write(f"\x1b[{self.drawn}F\x1b[J")  # up to its first line, and clear from there
        self.file.write("\n".join(lines) + "\n")
        self.file.flush()
        self.drawn = len(lines)


def train_shown(
    cells: Sequence[Cell],
    plans: Sequence[Plan],
    config: Config,
    dataset: Dataset,
    out: Path,
    streams: Sequence[str],
    seeds: int,
    *,
    workers: Sequence[str | None],
    quiet: bool = False,
    wait: bool = True,
) -> None:
    """Train those of the plans' `cells` that are not finished in `out`, and show the progress.

    Without `wait`, cells that another command trains there are not waited for. RuntimeError, naming the cells, where
    some failed: the others are kept.
    """
    if not unfinished(cells, out):
        return
    display = ProgressDisplay(plans, config, seeds, streams, out, quiet=quiet)
    failed = []
    for event in train_cells(cells, dataset, out, workers=workers, wait=wait):
        display.update(event)
        failed += [event] if event.kind == "failed" else []
    if failed:
        listed = "; ".join(f"{out / e.cell.folder}: {e.error.strip().splitlines()[-1]}" for e in failed)
        raise RuntimeError(f"{len(failed)} cells failed, run again to try them again: {listed}")
