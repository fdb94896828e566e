"""An Optuna study in a folder that several processes of `amsx tune` share, on one machine or on several.

OUT/study.log                Optuna's record of the trials: JSON, one operation a line
OUT/.trial<n>.amsx.lock      held by the process that measures trial n (`amsx.locks`)

Whatever is written into the study is written by a process that holds OUT, for a moment. The lock of a trial says
whether its process lives: a trial of one that is gone is marked as failed and drawn again, and one of a living process
never is.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import optuna
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import TrialState

from amsx.locks import FolderInUse, hold, hold_in_turn

STUDY_FILE = "study.log"
NAME = "amsx"  # of the study
DRAW = "draw"  # the attribute of a trial that says which of the search's draws it is
COMMAND = "amsx tune"


@dataclass(frozen=True)
class Trials:
    """The trials of a study that count."""

    complete: tuple[optuna.trial.FrozenTrial, ...]
    running: tuple[optuna.trial.FrozenTrial, ...]  # by processes that live

    @property
    def next_draw(self) -> int:
        """The first draw that nobody made or is at."""
        taken = {trial.user_attrs.get(DRAW) for trial in (*self.complete, *self.running)}
        return next(number for number in count() if number not in taken)


class SharedStudy:
    """The study in a folder. Every method but `alone` is for the block of `alone`."""

    def __init__(self, out: Path) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.out = out
        self._journal = out / STUDY_FILE

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes from the study. FolderInUse where another command writes the folder."""
        with hold_in_turn(self.out, COMMAND):
            # What a process left that was killed while it wrote: half a line, and Optuna's own lock.
            if self._journal.exists():
                whole = self._journal.read_bytes().rpartition(b"\n")
                if whole[2]:
                    with self._journal.open("r+b") as file:
                        file.truncate(len(whole[0]) + len(whole[1]))
            Path(f"{self._journal}.lock").unlink(missing_ok=True)
            yield

    def open(self) -> None:
        """Open the study, or begin one."""
        backend = JournalFileBackend(str(self._journal), lock_obj=JournalFileOpenLock(str(self._journal)))
        self.study = optuna.create_study(
            storage=optuna.storages.JournalStorage(backend), study_name=NAME, direction="maximize", load_if_exists=True
        )

    def trials(self) -> Trials:
        """The trials that count. Those of processes that are gone are marked as failed."""
        complete, running = [], []
        for trial in self.study.get_trials(deepcopy=False):
            if trial.state == TrialState.COMPLETE:
                complete.append(trial)
            elif trial.state == TrialState.RUNNING:
                try:
                    with self._held(trial.number):
                        self.study.tell(trial.number, state=TrialState.FAIL)
                except FolderInUse:
                    running.append(trial)
        return Trials(tuple(complete), tuple(running))

    def begin(
        self, trials: Trials, first: Mapping[str, Any], draw: Callable[[optuna.Trial], list[str]], held: ExitStack
    ) -> tuple[optuna.Trial, list[str]]:
        """Begin the next trial, which is this process's until `held` is closed, and return it and what `draw` drew.

        Draw 0 has the parameters `first`. Any other depends on its number and on the other trials that count alone: a
        killed search goes on as it would have gone.
        """
        number = trials.next_draw
        if number == 0 and not self.study.get_trials(deepcopy=False, states=[TrialState.WAITING]):
            self.study.enqueue_trial(dict(first))
        self.study.sampler = optuna.samplers.TPESampler(seed=number)
        trial = self.study.ask()
        held.enter_context(self._held(trial.number))
        trial.set_user_attr(DRAW, number)
        return trial, draw(trial)

    def finish(self, trial: optuna.Trial, value: float, settings: list[str]) -> bool:
        """Record the value and settings of a trial; False where it was taken for one of a process that is gone."""
        if self.study.get_trials(deepcopy=False)[trial.number].state != TrialState.RUNNING:
            return False
        trial.set_user_attr("settings", settings)
        self.study.tell(trial, value)
        return True

    def _held(self, number: int) -> Any:
        return hold(self.out / f"trial{number}", COMMAND, beside=True)
