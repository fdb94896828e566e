"""tIoU thresholds as text and as numbers."""

import pytest

from amsx.evaluation.protocols import DEFAULT_TIOU, check_tiou, parse_tiou


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.5", [0.5]),
        ("0.1,0.3, 0.5", [0.1, 0.3, 0.5]),
        ("0.5:0.05:0.95", [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]),
        (DEFAULT_TIOU, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]),
        ("0.1:0.2:0.6", [0.1, 0.3, 0.5]),
        ("1", [1.0]),
        ("0.5:1:0.5", [0.5]),
    ],
)
def test_parse(text: str, expected: list[float]) -> None:
    assert parse_tiou(text) == expected  # to the last bit


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a number"),
        ("half", "'half': expected a number .0.5., a list .* or a range"),
        ("0.5,,0.6", "expected a number"),
        ("0.5:0.95", "or a range start:step:stop"),
        ("0.5:0.05:0.95:1", "or a range"),
        ("0.1:nan:0.5", "or a range"),
        ("0.5:0:0.95", "positive step"),
        ("0.5:-0.1:0.1", "positive step"),
        ("0.9:0.1:0.5", "start <= stop"),
        ("0.1:1e-9:0.9", "more than 1000"),
        ("0", "0 is outside"),
        ("0.5,1.01", "1.01 is outside"),
        ("0:0.1:0.5", "0 is outside"),
        ("nan", "nan is outside"),
        ("-0.5", "-0.5 is outside"),
        ("0.5,0.5", "twice"),
    ],
)
def test_parse_refuses(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_tiou(text)


def test_check_refuses_none_at_all() -> None:
    with pytest.raises(ValueError, match="no tIoU threshold"):
        check_tiou([])
