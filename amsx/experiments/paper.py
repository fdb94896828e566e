"""The scores that the paper reports on THUMOS14, to stand beside one's own.

They are the results of all of AMS in arXiv:2104.02357: mAP at tIoU 0.1 and 0.5, and the averages over 0.1:0.5, 0.1:0.7
and 0.3:0.7. The paper's scores for the other rows of Tables III to V are not known here and are left empty.
"""

from collections.abc import Sequence

from amsx.data.videos import Dataset

THUMOS14_MAP = {0.1: 69.1, 0.5: 33.1}  # all of AMS, percent, at tIoU
THUMOS14_AVERAGE = {  # the same over several tIoU
    (0.1, 0.2, 0.3, 0.4, 0.5): 52.0,
    (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7): 42.3,
    (0.3, 0.4, 0.5, 0.6, 0.7): 32.4,
}
THUMOS14_CLASSES = frozenset(
    {
        "BaseballPitch",
        "BasketballDunk",
        "Billiards",
        "CleanAndJerk",
        "CliffDiving",
        "CricketBowling",
        "CricketShot",
        "Diving",
        "FrisbeeCatch",
        "GolfSwing",
        "HammerThrow",
        "HighJump",
        "JavelinThrow",
        "LongJump",
        "PoleVault",
        "Shotput",
        "SoccerPenalty",
        "TennisSwing",
        "ThrowDiscus",
        "VolleyballSpiking",
    }
)
ALL_OF_AMS = {"table3": "F", "table4": "adaptive", "table5": "maximum"}  # plan -> the row that is the paper's method


def is_thumos14(dataset: Dataset) -> bool:
    """Whether the data set is THUMOS14, judged by its classes."""
    return set(dataset.classes) == THUMOS14_CLASSES


def reported(plan: str, row: str, tiou: Sequence[float]) -> tuple[list[float | None], float | None]:
    """The paper's mAP on THUMOS14 at every tIoU and their average; None where it is not known here."""
    if ALL_OF_AMS.get(plan) != row:
        return [None] * len(tiou), None
    rounded = tuple(round(t, 4) for t in tiou)
    return [THUMOS14_MAP.get(t) for t in rounded], THUMOS14_AVERAGE.get(rounded)
