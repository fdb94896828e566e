"""Names of videos and classes in pictures: drawn as they are spelt, in fonts that have their characters."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from matplotlib import font_manager, rc_context, rcParams
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

from amsx.text_columns import columns

_TOLD: list[str] = []  # the characters that the one warning of this process was given for


def short(text: str, most: int) -> str:
    """`text` with no line of more than `most` columns: what is too much is left out in the middle of the line."""
    return "\n".join(_short_line(line, most) for line in text.split("\n"))


def one_line(text: str, most: int) -> str:
    """`text` in one line, shortened as by `short`."""
    return _short_line(" ".join(text.split()), most)


@contextmanager
def as_spelt(figure: Figure) -> Iterator[None]:
    """Within the context `figure` can be saved, and its texts are drawn as they are spelt.

    `$` and `_` are themselves and no mathematics. Characters that the usual font lacks are taken from an installed font
    that has them. Where none has, an SVG file holds them as text, for the viewer's fonts, other files hold boxes, and a
    warning says so once.
    """
    texts = figure.findobj(Text)
    for text in texts:
        text.set_parse_math(False)
        text.set_usetex(False)
        text.set_text("".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text.get_text()))
    families, lacking = _fonts(frozenset(c for text in texts for c in text.get_text() if not c.isspace()))
    for text in texts:
        text.set_fontfamily(list(families))
    settings: dict[Any, Any] = {
        "text.parse_math": False,
        "text.usetex": False,
        "font.family": list(families),
        "svg.fonttype": "none" if lacking else "path",
    }
    with rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"\s*Glyph \d+")  # what is said below in one sentence
        yield
    if lacking and not _TOLD:
        _TOLD.append(lacking)
        warnings.warn(
            f"no installed font has {lacking[0]!r} and perhaps other characters of names in pictures, so PNG files "
            "show boxes in their place (fonts such as Noto Sans CJK have those of Chinese, Japanese and Korean)",
            stacklevel=1,
        )


@lru_cache
def _fonts(characters: frozenset[str]) -> tuple[tuple[str, ...], str]:
    """The families to draw these characters with, the usual ones first, and the characters that no font has."""
    usual = tuple(rcParams["font.family"])
    lacking = _lacking(font_manager.findfont(font_manager.FontProperties(family=list(usual))), characters)
    further: list[str] = []
    fonts = {font.fname: font.name for font in font_manager.fontManager.ttflist if _is_plain(font)} if lacking else {}
    left = {path: _lacking(path, lacking) for path in fonts}
    while lacking and left:
        best = min(left, key=lambda path: (len(left[path] & lacking), path))
        if not lacking - left[best]:
            break
        lacking &= left[best]
        further.append(fonts[best])
    return usual + tuple(further), "".join(sorted(lacking))


def _is_plain(font: font_manager.FontEntry) -> bool:
    """Whether a font is upright and of letters; Last Resort has a box for every character."""
    return font.style == "normal" and not font.name.startswith("Last Resort")


def _lacking(path: str, characters: frozenset[str]) -> frozenset[str]:
    """Those of the characters that the font in a file lacks; all of them where it cannot be drawn with."""
    try:
        font = FT2Font(path)
        font.set_size(10, 72)  # fails for fonts of coloured pictures
    except (RuntimeError, OSError):
        return characters
    return frozenset(c for c in characters if not font.get_char_index(ord(c)))


def _short_line(line: str, most: int) -> str:
    """`line`, or its beginning and its end as far as `most` columns reach, of which wide characters take two."""
    if columns(line) <= most:
        return line
    head, tail = line[:most], line[-most:]
    while columns(head) > most - 1 - most // 3:
        head = head[:-1]
    while columns(tail) > most // 3:
        tail = tail[1:]
    return f"{head}\u2026{tail}"
