"""The schedule: who trains, whose pseudo-labels, and when an iteration is complete."""

import pytest

from amsx.training.config import PhasesConfig
from amsx.training.phases import (
    both_trained,
    iteration_ends,
    phase_of_epoch,
    schedule,
    snapshot_epochs,
    total_epochs,
)


def summary(config: PhasesConfig) -> list[tuple]:
    return [(p.name, p.iteration, p.trains, p.teacher, p.epochs) for p in schedule(config)]


def test_the_papers_schedule():
    assert summary(PhasesConfig(iterations=2)) == [
        ("zero", 0, "base", None, 20),
        ("one", 1, "supplementary", "base", 5),
        ("two", 1, "base", "supplementary", 5),
        ("one", 2, "supplementary", "base", 5),
        ("two", 2, "base", "supplementary", 5),
    ]


def test_one_branch():
    assert summary(PhasesConfig(branches="base", iterations=2)) == [
        ("zero", 0, "base", None, 20),
        ("two", 1, "base", None, 5),
        ("two", 2, "base", None, 5),
    ]


def test_without_supervision_both_branches_go_on_with_video_labels():
    assert summary(PhasesConfig(supervision="none", base_epochs=7, iterations=1)) == [
        ("zero", 0, "base", None, 7),
        ("one", 1, "supplementary", None, 5),
        ("two", 1, "base", None, 5),
    ]


def test_self_supervision():
    assert summary(PhasesConfig(supervision="self", iterations=1)) == [
        ("zero", 0, "base", None, 20),
        ("one", 1, "supplementary", "supplementary", 5),
        ("two", 1, "base", "base", 5),
    ]


def test_a_start_of_its_own_for_the_supplementary_branch():
    phases = summary(PhasesConfig(supplementary_epochs=3, iterations=1))
    assert phases[1] == ("zero", 0, "supplementary", None, 3)
    assert [p[0] for p in phases] == ["zero", "zero", "one", "two"]


def test_epochs_find_their_phase():
    phases = schedule(PhasesConfig(base_epochs=2, alternate_epochs=1, iterations=2))
    assert total_epochs(phases) == 6
    found = [phase_of_epoch(phases, epoch) for epoch in range(6)]
    assert [(phase.name, first) for phase, first in found] == [
        ("zero", True),
        ("zero", False),
        ("one", True),
        ("two", True),
        ("one", True),
        ("two", True),
    ]
    with pytest.raises(IndexError):
        phase_of_epoch(phases, 6)


def test_iterations_end_after_phase_two():
    assert iteration_ends(schedule(PhasesConfig(iterations=3))) == {1: 30, 2: 40, 3: 50}
    assert iteration_ends(schedule(PhasesConfig(branches="base", iterations=1))) == {0: 20, 1: 25}
    both_begun = PhasesConfig(supplementary_epochs=20, iterations=1)
    assert iteration_ends(schedule(both_begun)) == {0: 40, 1: 50}


def test_a_shorter_run_is_the_beginning_of_a_longer_one():
    short, long = schedule(PhasesConfig(iterations=2)), schedule(PhasesConfig(iterations=4))
    assert long[: len(short)] == short


def test_which_epochs_end_an_iteration():
    phases = schedule(PhasesConfig(base_epochs=20, alternate_epochs=5, iterations=3))
    assert snapshot_epochs(phases) == {20: 0, 30: 1, 40: 2}  # the last is the run's own
    assert not both_trained(phases, 20)
    assert both_trained(phases, 30)
    alone = schedule(PhasesConfig(branches="base", base_epochs=20, alternate_epochs=5, iterations=3))
    assert snapshot_epochs(alone) == {20: 0, 25: 1, 30: 2}
    assert not both_trained(alone, 30)
    both = schedule(PhasesConfig(base_epochs=20, supplementary_epochs=10, alternate_epochs=5, iterations=1))
    assert snapshot_epochs(both) == {30: 0}
    assert both_trained(both, 30)
