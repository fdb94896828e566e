"""Fixtures that several test folders share."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# Makes the `benchmarks` folder beside `tests` importable: last, so that `import amsx` finds the installed one.
sys.path.append(str(Path(__file__).resolve().parents[1]))

settings.register_profile("amsx", deadline=None)  # shared machines are slow at times
settings.load_profile("amsx")

DATA = Path(os.environ.get("AMSX_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """The folder of a real data set by name; skips where the sets are absent (AMSX_TEST_DATA points at them)."""

    def find(name: str) -> Path:
        folder = DATA / name
        if not folder.is_dir():
            pytest.skip(f"real data set {name!r} is not at {folder} (set AMSX_TEST_DATA)")
        return folder

    return find
