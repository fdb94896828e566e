"""Strips of one video: every format that is asked for, whole, and only curves of the same video."""

import html
import re
import warnings
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from figures.test_explanation import texts

from amsx.data.videos import Timebase
from amsx.figures import lettering
from amsx.figures.palette import TIMELINE
from amsx.figures.strips import NAMES, Intervals, Kind, Strip, density_strip, draw_strips, truth_strip

TIMEBASE = Timebase(0.5)
TRUTH = [(2.0, 4.0), (7.0, 9.5)]
CURVE = np.linspace(0, 1.234, 20)


def strips() -> list[Strip]:
    pseudo_labels: dict[Kind, Intervals] = {"base": [(1.0, 3.0)], "supplementary": TRUTH}
    return [
        Strip("a CAS", CURVE, 0.5, {"proposal": TRUTH}, kind="base"),
        Strip("pseudo-labels", bars=pseudo_labels, shade=[(0.0, 1.0)]),
        truth_strip(TRUTH),
    ]


def test_both_formats_with_what_the_strips_are_called(tmp_path: Path) -> None:
    written = draw_strips(tmp_path / "new" / "video.1", "a title", strips(), TRUTH, TIMEBASE)
    assert [path.name for path in written] == ["video.1.png", "video.1.svg"]
    assert written[0].read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    text = texts(written[1])
    for expected in ("a title", "a CAS", "pseudo-labels", "ground truth", "1.23", "seconds"):
        assert expected in text


def test_the_legend_names_every_colour_in_use(tmp_path: Path) -> None:
    """The slowed regions are of a colour and a name of their own."""
    slow = density_strip("sampling", np.where(np.arange(20) < 10, 1.5, 0.5), TIMEBASE)
    assert slow.bars == {"slowed": [(0.0, 5.0)]}
    (path,) = draw_strips(tmp_path / "v", "t", [slow, *strips()], TRUTH, TIMEBASE, formats=["svg"])
    named = [*(NAMES | {"truth": "ground truth, also shaded"}).values(), "threshold"]
    assert set(named) <= {line.strip() for line in texts(path).split("\n")}
    drawn = path.read_text()
    assert all(TIMELINE[kind].light in drawn for kind in NAMES)
    assert len({TIMELINE[kind].light for kind in NAMES}) == len(NAMES)


def test_bars_lie_at_their_seconds(tmp_path: Path) -> None:
    """The bars of the ground truth, as wide as they are long, are drawn in its colour."""
    strips = [Strip("c", CURVE), truth_strip(TRUTH)]
    (path,) = draw_strips(tmp_path / "v", "t", strips, TRUTH, TIMEBASE, formats=["svg"])
    widths = []
    for element in ElementTree.parse(path).iter():
        style = element.get("style", "")
        if "fill: #0a9b6b" in style and "opacity" not in style:  # the shading behind the curve is translucent
            corners = [float(x) for x in re.findall(r"[ML] (\S+)", element.get("d", ""))]
            widths.append(max(corners) - min(corners))
    assert len(widths) == 3  # the last is the legend's
    assert widths[1] / widths[0] == pytest.approx(2.5 / 2.0, rel=1e-3)


@pytest.mark.parametrize(
    ("drawn", "message"),
    [
        ([], "at least one strip with a curve"),
        ([truth_strip(TRUTH)], "at least one strip with a curve"),
        ([Strip("a", CURVE), Strip("b", CURVE[1:])], "strip 'b' has 19 snippets, 'a' has 20"),
    ],
)
def test_what_cannot_be_drawn(tmp_path: Path, drawn: list[Strip], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw_strips(tmp_path / "v", "t", drawn, TRUTH, TIMEBASE)
    assert list(tmp_path.iterdir()) == []


def test_names_are_drawn_as_they_are_spelt_and_cut_where_they_are_long(tmp_path: Path) -> None:
    """No name is read as mathematics, none fails, and none pushes the curves out of the picture."""
    names = ["$\\frac{a_b^", "$_$", "new\nline\x07", "\ud800", "<&>", "l" * 300]
    named = [Strip(f"sampling, {name}", CURVE, 0.5) for name in names]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, svg = draw_strips(tmp_path / "v", ": ".join(names), named, TRUTH, TIMEBASE)
    lines = [line.strip() for line in html.unescape(texts(svg)).split("\n")]
    assert max(map(len, lines)) == 100
    assert {f"sampling, {name}" for name in ("$\\frac{a_b^", "$_$", "<&>", "\ufffd")} < set(lines)
    assert "$\\frac{a_b^: $_$: new line\ufffd: \ufffd: <&>: lll" in max(lines, key=len)


def test_characters_that_no_font_has_are_one_sentence_and_text_in_an_svg(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lettering, "_TOLD", [])
    monkeypatch.setattr(lettering, "_fonts", lambda characters: (("DejaVu Sans",), "篮"))
    with pytest.warns(UserWarning, match="no installed font has") as told:
        for name in ("a", "b"):
            _, svg = draw_strips(tmp_path / name, f"篮: {name}", strips(), TRUTH, TIMEBASE)
    assert len(told) == 1
    assert "篮: b" in svg.read_text(encoding="utf-8")
