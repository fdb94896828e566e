"""What every command waits for before it begins."""

import argparse
import importlib
import json
import subprocess
import sys

import numpy as np
import pytest

from amsx.cli.commands import COMMANDS, HELP

SLOW = ("torch", "matplotlib", "h5py", "cv2", "av", "optuna")  # packages that take long to import


def loaded_by(commands: list[list[str]]) -> str:
    """Which of SLOW are imported by commands that one process runs one after the other."""
    script = f"""
import contextlib, io, sys
from amsx.cli import main
for arguments in {commands!r}:
    told = io.StringIO()
    try:
        with contextlib.redirect_stdout(told):
            status = main(arguments)
    except SystemExit as end:
        status = end.code
    if status:
        sys.exit(f"{{arguments}} failed: {{told.getvalue()}}")
print([name for name in {SLOW!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def test_help_waits_for_nothing_that_the_commands_work_with():
    assert loaded_by([["--help"], ["--version"], ["info", "--help"], *([name, "--help"] for name in HELP)]) == "[]"


def test_commands_that_only_read_do_not_wait_for_torch(tmp_path):
    truth = {"database": {"a": {"subset": "test", "annotations": [{"label": "x", "segment": [0, 2]}]}}}
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    found = {"results": {"a": [{"label": "x", "score": 0.5, "segment": [0, 2]}]}}
    (tmp_path / "found.json").write_text(json.dumps(found))
    data = tmp_path / "data"
    (data / "features" / "rgb").mkdir(parents=True)
    (data / "labels.csv").write_text("video,labels,subset\na,x,train\nb,x,test\n")
    for name in "ab":
        np.save(data / "features" / "rgb" / f"{name}.npy", np.ones((4, 3), dtype=np.float32))
    files = [str(tmp_path / "found.json"), str(tmp_path / "truth.json")]
    timing = ["--data-option", "snippet_seconds=0.5"]
    commands = [
        ["evaluate", *files],
        ["evaluate", *files, "--explain", "--classification", "--json"],
        ["evaluate", *files, "--all-protocols"],
        ["compare", files[1], "--a", files[0], "--b", files[0], "--resamples", "2"],
        ["data", str(data), *timing],
        ["convert", str(data), *timing, str(tmp_path / "converted"), "--to", "labels"],
    ]
    assert loaded_by(commands) == "[]"


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
    for module, names in COMMANDS.items():
        added = argparse.ArgumentParser().add_subparsers()
        importlib.import_module(f"amsx.cli.{module}").add_to(added)
        assert list(added.choices) == list(names)
