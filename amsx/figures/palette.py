"""The colours of everything that is drawn: in the HTML report on a light and on a dark page, and in pictures on white.

One thing has one colour wherever it is shown. Colours that stand in one picture are told apart by readers who lack one
kind of cone, too: `tests/figures/test_palette.py` holds their distances to a minimum. This module needs no matplotlib.
"""

from typing import NamedTuple


class Colour(NamedTuple):
    """A colour as #rrggbb."""

    light: str  # on the light page and in pictures
    dark: str  # on the dark page


PAPER, INK = Colour("#fcfcfb", "#14171a"), Colour("#1b2026", "#e6e9eb")
MUTED = Colour("#56606a", "#a3adb6")  # letters of second rank, thresholds, and curves that belong to no branch
GRID = Colour("#e3e6e8", "#2c3238")

# What the timeline of a video shows.
TIMELINE = {
    "truth": Colour("#0a9b6b", "#3fcf92"),
    "base": Colour("#0058a3", "#4a94d6"),
    "supplementary": Colour("#a03c00", "#d9702f"),
    "fused": INK,
    "proposal": Colour("#cf5f9e", "#ee93c4"),
    "slowed": Colour("#b08d10", "#f0cc33"),  # where the sampler takes more than one sample a snippet
}

# The kinds of detections, by the names of `amsx.evaluation.errors.TYPES`; true positives are of the truth's colour.
KINDS = {
    "true positive": TIMELINE["truth"],
    "double detection": Colour("#7cc4ea", "#2c5f86"),
    "wrong label": Colour("#cf5f9e", "#ee93c4"),
    "localization": Colour("#0058a3", "#4a94d6"),
    "confusion": Colour("#e0a020", "#c08410"),
    "background": Colour("#c3c9ce", "#4c5359"),
}

# Series that are compared, such as configurations: the first is what is drawn where there is one alone. The first two
# are the branches' colours and the fifth is ink, so that the curves of both branches match their timelines.
SERIES = (
    TIMELINE["base"],
    TIMELINE["supplementary"],
    TIMELINE["truth"],
    TIMELINE["proposal"],
    Colour("#3b3f45", "#e6e9eb"),
    TIMELINE["slowed"],
    Colour("#3f90cc", "#9fd3f5"),
    Colour("#7a5c3e", "#a97b55"),
)
MISSED = Colour("#7a5c3e", "#a97b55")  # instances that no detection finds
