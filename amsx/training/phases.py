"""The schedule of a run as data: who trains, who is frozen, and whose pseudo-labels are learned from."""

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
    teacher: Branch | None  # makes the pseudo-labels of Eq. 8; None: video labels alone
    epochs: int


def schedule(config: PhasesConfig) -> tuple[Phase, ...]:
    """The phases in order.

    Phase zero trains the base branch on video labels alone. Then every iteration has a phase one, which
    trains the supplementary branch, and a phase two, which trains the base branch; under mutual supervision
    the frozen branch teaches, under self supervision the branch teaches itself. Without supervision there is
    nothing to alternate: the supplementary branch trains on video labels alone, once, for as long as the base
    branch.
    """
    phases = [Phase("zero", 0, "base", None, config.base_epochs)]
    if config.branches == "base":
        return tuple(phases)
    if config.supervision == "none":
        phases.append(Phase("zero", 0, "supplementary", None, config.base_epochs))
        return tuple(phases)
    if config.supplementary_epochs:
        phases.append(Phase("zero", 0, "supplementary", None, config.supplementary_epochs))
    mutual = config.supervision == "mutual"
    for iteration in range(1, config.iterations + 1):
        base_teaches: Branch = "base" if mutual else "supplementary"
        supplementary_teaches: Branch = "supplementary" if mutual else "base"
        phases.append(Phase("one", iteration, "supplementary", base_teaches, config.alternate_epochs))
        phases.append(Phase("two", iteration, "base", supplementary_teaches, config.alternate_epochs))
    return tuple(phases)


def total_epochs(phases: tuple[Phase, ...]) -> int:
    """How many epochs the phases take together."""
    return sum(phase.epochs for phase in phases)


def phase_of_epoch(phases: tuple[Phase, ...], epoch: int) -> tuple[Phase, bool]:
    """The phase that 0-based `epoch` of the schedule belongs to, and whether it is the phase's first."""
    for phase in phases:
        if epoch < phase.epochs:
            return phase, epoch == 0
        epoch -= phase.epochs
    raise IndexError(f"the schedule ends {epoch + 1} epochs before the one asked for")


def iteration_ends(phases: tuple[Phase, ...]) -> dict[int, int]:
    """Iteration -> epochs after which it is complete; 0 stands for a schedule without iterations."""
    done, ends = 0, {}
    for phase in phases:
        done += phase.epochs
        ends[phase.iteration] = done
    return ends if len(ends) == 1 else {iteration: end for iteration, end in ends.items() if iteration}
