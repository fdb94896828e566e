"""Settings of extractors come as values or as texts of a command line; what does not fit is named."""

from dataclasses import dataclass
from typing import Literal

import pytest

from amsx.video.extractors import FrameSize, make_extractor
from amsx.video.settings import read_settings


@dataclass(frozen=True)
class Settings:
    path: str
    frames: int = 4
    scale: float = 1.0
    size: int | None = None
    exact: bool = False
    method: Literal["dis", "tvl1"] = "dis"


def test_texts_and_values_are_read_alike() -> None:
    texts = {"path": "3", "frames": "8", "scale": "2", "size": "none", "exact": "True", "method": "tvl1"}
    values = {"path": "3", "frames": 8, "scale": 2, "size": None, "exact": True, "method": "tvl1"}
    expected = Settings("3", 8, 2.0, None, True, "tvl1")
    assert read_settings(Settings, texts, "it") == read_settings(Settings, values, "it") == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "it needs the setting 'path'"),
        ({"path": "a", "frame": 3}, "it has no setting 'frame'; did you mean 'frames'"),
        ({"path": "a", "zzz": 3}, "it has no setting 'zzz'; it has path, frames"),
        ({"path": "a", "frames": "many"}, "it: frames must be a whole number, got 'many'"),
        ({"path": "a", "frames": 1.5}, "it: frames must be a whole number, got 1.5"),
        ({"path": "a", "exact": "yes"}, "it: exact must be true or false, got 'yes'"),
        ({"path": "a", "method": "farneback"}, "it: method must be one of 'dis', 'tvl1', got 'farneback'"),
    ],
)
def test_what_does_not_fit_is_named(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_settings(Settings, values, "it")


def test_an_unknown_extractor_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown extractor 'i4d'; expected one of"):
        make_extractor("i4d")


def test_a_crop_larger_than_the_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="a crop of 224 pixels needs a short side of at least as many"):
        FrameSize(short_side=112, crop=224)
