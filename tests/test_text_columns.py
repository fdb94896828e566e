"""Widths in a terminal, and the tables that are aligned by them."""

import pytest

from amsx.evaluation import evaluate
from amsx.evaluation.tables import format_table
from amsx.text_columns import columns, cut, left, right


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("", 0),
        ("abc", 3),
        ("動作", 4),
        ("ｶﾅ", 2),
        ("e\u0301", 1),
        ("한국", 4),
        ("رمي", 3),
        ("a\u200bb", 2),
    ],
)
def test_columns(text: str, width: int) -> None:
    assert columns(text) == width
    assert columns(left(text, 12)) == columns(right(text, 12)) == 12
    assert left(text, 12).startswith(text)
    assert right(text, 12).endswith(text)


def test_what_is_cut_fits() -> None:
    assert cut("動作ab", 3) == "動"
    assert cut("動作ab", 5) == "動作a"
    assert cut("ab", 5) == "ab"


def test_a_table_of_classes_of_every_script_lines_up() -> None:
    labels = ["run", "投げる", "رمي"]
    truth = {"database": {"v": {"annotations": [{"label": x, "segment": [i, i + 1]} for i, x in enumerate(labels)]}}}
    found = {"results": {"v": [{"label": x, "segment": [i, i + 1], "score": 1} for i, x in enumerate(labels)]}}
    rows = [line for line in format_table(evaluate(found, truth), per_class=True).split("\n") if "100.0" in line]
    assert len(rows) == 4
    assert len({columns(row) for row in rows}) == 1
