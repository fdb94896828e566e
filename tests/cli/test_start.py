"""What every command waits for before it begins."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("arguments", [["--help"], ["evaluate", "--help"], ["info"]])
def test_a_command_that_draws_nothing_does_not_wait_for_matplotlib(arguments):
    script = f"""
import sys
from amsx.cli import main
try:
    main({arguments!r})
finally:
    print("matplotlib loaded:", "matplotlib" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "matplotlib loaded: False"
