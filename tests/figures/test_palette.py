"""The colours: told apart by every kind of sight, and legible on their page."""

from itertools import combinations

import numpy as np
import pytest

from amsx.evaluation.errors import TYPES
from amsx.figures.palette import KINDS, MUTED, PAPER, SERIES, TIMELINE, Colour

# What who lacks a kind of cone sees of linear RGB (Machado, Oliveira and Fernandes 2009, severity 1).
SIGHTS = {
    "all cones": np.eye(3),
    "no red cones": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green cones": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "no blue cones": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def linear(colour: str) -> np.ndarray:
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIELAB of linear sRGB under D65."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ rgb.clip(0, 1) / [0.9505, 1, 1.089]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def contrast(a: str, b: str) -> float:
    """The ratio of WCAG 2."""
    low, high = sorted(float(linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (a, b))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("page", ["light", "dark"])
@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize(
    ("colours", "least"),
    # Series differ in the shapes of their marks, too.
    [(TIMELINE, 15), (KINDS, 15), (dict(enumerate(SERIES[:6])), 15), (dict(enumerate(SERIES)), 10)],
    ids=["timeline", "kinds", "six series", "series"],
)
def test_colours_of_one_picture_are_told_apart(
    colours: dict[object, Colour], least: float, sight: str, page: str
) -> None:
    seen = {name: lab(np.array(SIGHTS[sight]) @ linear(getattr(colour, page))) for name, colour in colours.items()}
    for a, b in combinations(seen, 2):
        assert np.linalg.norm(seen[a] - seen[b]) >= least, (a, b)


@pytest.mark.parametrize("page", ["light", "dark"])
def test_colours_stand_out_from_their_page(page: str) -> None:
    paper = getattr(PAPER, page)
    assert contrast(getattr(MUTED, page), paper) >= 4.5  # letters
    assert all(contrast(getattr(colour, page), paper) >= 3 for colour in (*TIMELINE.values(), *SERIES))


def test_every_kind_of_detection_has_a_colour() -> None:
    assert tuple(KINDS) == tuple(TYPES)
