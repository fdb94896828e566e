"""One version number, and `python -m amsx`."""

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import amsx

ROOT = Path(__file__).parents[2]


def test_the_version_is_written_once() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'dynamic = ["version"]' in project
    assert not re.search(r"^version\s*=", project, re.MULTILINE)
    source = re.search(r'^metadata\.version\.input = "(.*)"$', project, re.MULTILINE)
    assert source is not None
    written = re.findall(r'^__version__ = "(.*?)"', (ROOT / source[1]).read_text(encoding="utf-8"), re.MULTILINE)
    assert written == [amsx.__version__]


def test_what_is_installed_has_this_version() -> None:
    """Where the tests run on the sources beside them, nothing is installed that could have another."""
    installed = [distribution.version for distribution in metadata.distributions(name="amsx")]
    assert set(installed) <= {amsx.__version__}


def test_the_module_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "amsx", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"amsx {amsx.__version__}\n"
