"""`amsx info` says which packages for videos are installed."""

import numpy
import pytest

from amsx import info


def test_packages_for_videos_are_named_with_their_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(info, "VIDEO_PACKAGES", ("numpy", "no-such-package"))
    assert dict(info.describe())["video"] == f"numpy {numpy.__version__}, no-such-package not installed"
