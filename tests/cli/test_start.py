"""What every command waits for before it begins."""

import argparse
import importlib
import subprocess
import sys

import pytest

from amsx.cli import GROUPS


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


@pytest.mark.parametrize(
    ("line", "loaded"),
    [
        ("from amsx.cli import main; main(['evaluate', 'PREDICTIONS', 'TRUTH'])", False),
        ("import amsx.evaluation, amsx.evaluation.explain", False),
        ("import amsx; amsx.gather", True),
    ],
)
def test_evaluation_does_not_wait_for_torch(line, loaded):
    script = f"import sys\n{line}\nprint('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == str(loaded)


@pytest.mark.parametrize("imports", ["import amsx, torch", "import torch, amsx", "import amsx.ops.checks, torch"])
def test_the_ops_are_registered_in_whatever_order_amsx_and_torch_are_imported(imports):
    script = f"{imports}\nprint(hasattr(torch.ops.amsx, 'gather'))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


def test_the_command_line_knows_which_module_adds_a_command():
    for module, names in GROUPS.items():
        added = argparse.ArgumentParser().add_subparsers()
        importlib.import_module(f"amsx.cli.{module}").add_to(added)
        assert tuple(added.choices) == names
