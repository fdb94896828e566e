"""Tables in a terminal: how many columns a text takes there, and cells that are filled up to a width.

Chinese, Japanese and Korean letters take two columns, and marks that stand on the letter before take none. Like
`amsx.files`, this module imports nothing above the ground floor.
"""

import unicodedata


def columns(text: str) -> int:
    """How many columns a terminal shows `text` in."""
    return sum(map(_width, text))


def left(text: str, width: int) -> str:
    """`text` filled up with spaces to the right to `width` columns."""
    return text + " " * (width - columns(text))


def right(text: str, width: int) -> str:
    """`text` filled up with spaces to the left to `width` columns."""
    return " " * (width - columns(text)) + text


def cut(text: str, width: int) -> str:
    """The beginning of `text` that fits into `width` columns."""
    taken = 0
    for i, character in enumerate(text):
        taken += _width(character)
        if taken > width:
            return text[:i]
    return text


def _width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
