"""The schedule of a run: which branch trains in which epochs, and which branch gives the pseudo-labels."""

from dataclasses import dataclass
from typing import Literal

from amsx.training.config import PhasesConfig

Branch = Literal["base", "supplementary"]


@dataclass(frozen=True)
class Phase:
    """A number of epochs in which one branch trains and the other stays as it is."""

    name: str  # "zero", "one" or "two"
    iteration: int  # 0 for phase zero, then 1, 2, ...
    trains: Branch
    teacher: Branch | None  # the branch that gives the pseudo-labels of Eq. 8; None: there are video labels alone
    epochs: int


def schedule(config: PhasesConfig) -> tuple[Phase, ...]:
    """The phases in order.

    Phase zero trains the base branch on video labels alone, and then the supplementary branch where
    `supplementary_epochs` is not 0. After that, every iteration has a phase one, which trains the supplementary branch,
    and a phase two, which trains the base branch. The pseudo-labels come from the frozen branch under mutual
    supervision and from the trained branch itself under self-supervision. Without supervision, training goes on with
    video labels alone, so that every row of Table III trains a branch for the same number of epochs.
    """
    phases = [Phase("zero", 0, "base", None, config.base_epochs)]
    both = config.branches == "both"
    if both and config.supplementary_epochs:
        phases.append(Phase("zero", 0, "supplementary", None, config.supplementary_epochs))
    teachers: dict[str, tuple[Branch | None, Branch | None]] = {
        "none": (None, None),
        "self": ("supplementary", "base"),
        "mutual": ("base", "supplementary"),
    }
    of_supplementary, of_base = teachers[config.supervision] if both else (None, None)
    for iteration in range(1, config.iterations + 1):
        if both:
            phases.append(Phase("one", iteration, "supplementary", of_supplementary, config.alternate_epochs))
        phases.append(Phase("two", iteration, "base", of_base, config.alternate_epochs))
    return tuple(phases)


def total_epochs(phases: tuple[Phase, ...]) -> int:
    """The number of epochs of all phases together."""
    return sum(phase.epochs for phase in phases)


def phase_of_epoch(phases: tuple[Phase, ...], epoch: int) -> tuple[Phase, bool]:
    """The phase of the epoch number `epoch`, counted from 0, and whether it is the first epoch of that phase."""
    for phase in phases:
        if epoch < phase.epochs:
            return phase, epoch == 0
        epoch -= phase.epochs
    raise IndexError(f"the schedule ends {epoch + 1} epochs before the one asked for")


def iteration_ends(phases: tuple[Phase, ...]) -> dict[int, int]:
    """Iteration -> how many epochs are finished when it is complete.

    0 stands for phase zero, which is left out where it leaves a branch untrained.
    """
    ends = _last_epochs(phases)
    if {p.trains for p in phases if p.iteration == 0} != {p.trains for p in phases}:
        del ends[0]
    return ends


def snapshot_epochs(phases: tuple[Phase, ...]) -> dict[int, int]:
    """How many epochs are finished -> the iteration that is complete then, for every iteration but the last.

    These are the epochs after which a run keeps its CASs. 0 stands for phase zero; the CASs after the last iteration
    are the result of the run itself.
    """
    return {epochs: iteration for iteration, epochs in _last_epochs(phases).items() if epochs < total_epochs(phases)}


def both_trained(phases: tuple[Phase, ...], epoch: int) -> bool:
    """Whether both branches have been trained once `epoch` epochs of the schedule are finished."""
    began = 0
    for phase in phases:
        if phase.trains == "supplementary":
            return began < epoch
        began += phase.epochs
    return False


def _last_epochs(phases: tuple[Phase, ...]) -> dict[int, int]:
    """Iteration, with phase zero as 0 -> how many epochs are finished at its end."""
    finished, ends = 0, {}
    for phase in phases:
        finished += phase.epochs
        ends[phase.iteration] = finished
    return ends
