"""The axis of scores: within what a score can be, and not finer than ten points."""

import pytest

from amsx.figures.score_axis import NARROWEST, score_axis, score_ticks


@pytest.mark.parametrize(
    ("extent", "axis"),
    [
        ((-20, 120), (0, 100)),  # a mean and a deviation may lead out of what a score can be
        ((54.9, 56.2), (50, 60)),  # of noise
        ((30, 69), (0, 70)),  # 0 is not far
        ((99.5, 100), (90, 100)),
        ((0, 0), (0, 10)),
        ((0, 3), (0, 10)),
        ((41, 44), (35, 45)),
    ],
)
def test_the_ends(extent: tuple[float, float], axis: tuple[float, float]) -> None:
    assert score_axis(*extent) == axis


def test_every_score_is_on_its_axis() -> None:
    for low in range(0, 101, 3):
        for high in range(low, 101, 7):
            bottom, top = score_axis(low, high)
            assert 0 <= bottom <= low
            assert high <= top <= 100
            assert top - bottom >= NARROWEST
            ticks = score_ticks(bottom, top)
            assert ticks[0] == bottom
            assert 3 <= len(ticks) <= 7
            assert ticks[-1] <= top
