"""The recipe "add a protocol" of CONTRIBUTING.md, followed in a copy of the package: one `Protocol`, one entry."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import amsx
from amsx.evaluation import evaluate
from amsx.evaluation.protocols import Protocol

DUMMY = 'DUMMY = Protocol("dummy", "detection", strict=True, interpolated=False, ambiguous="unused")\n\n'
TRUTH: dict[str, Any] = {"database": {"a": {"annotations": [{"label": "run", "segment": [0, 10]}]}}}
# tIoU 0.5 with the instance: enough under the ActivityNet rules, not above the threshold under those of the dummy.
FOUND: dict[str, Any] = {"results": {"a": [{"label": "run", "score": 0.5, "segment": [0, 5]}]}}

SCRIPT = """
from amsx.cli import main
from amsx.evaluation import evaluate, evaluate_all
from amsx.training.config import Config, override

files = ["found.json", "truth.json"]
assert evaluate(*files, "dummy", 0.5).mean_ap == [0.0]
assert list(evaluate_all(*files, 0.5))[-1] == "dummy"
assert override(Config(), ["evaluation.protocol=dummy"]).evaluation.protocol == "dummy"
assert main(["evaluate", *files, "--all-protocols", "--tiou", "0.5"]) == 0
assert main(["compare", files[1], "--a", files[0], "--protocol", "dummy", "--resamples", "2", "--json"]) == 0
assert main(["evaluate", *files, "--protocol", "dummy", "--tiou", "0.5", "--json"]) == 0
"""


def test_rules_of_one_s_own_are_evaluated_with() -> None:
    dummy = Protocol("dummy", "detection", strict=True, interpolated=False, ambiguous="unused")
    result = evaluate(FOUND, TRUTH, dummy, [0.4, 0.5])
    assert (result.protocol, result.mean_ap) == ("dummy", [100.0, 0.0])
    assert evaluate(FOUND, TRUTH, "activitynet", [0.4, 0.5]).mean_ap == [100.0, 100.0]


def test_one_protocol_and_one_entry_are_all_that_it_takes(tmp_path: Path) -> None:
    package = Path(shutil.copytree(Path(amsx.__file__).parent, tmp_path / "amsx"))
    module = package / "evaluation" / "protocols.py"
    before, listed, after = module.read_text().partition("PROTOCOLS = (")
    names, closed, rest = after.partition(")")
    module.write_text(f"{before}{DUMMY}{listed}{names}, DUMMY{closed}{rest}")

    for name, content in (("found.json", FOUND), ("truth.json", TRUTH)):
        (tmp_path / name).write_text(json.dumps(content))
    command = [sys.executable, "-c", SCRIPT]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    *table, compared, evaluated = run.stdout.splitlines()
    assert any(line.startswith("dummy ") for line in table)
    assert json.loads(compared)["protocol"] == "dummy"
    assert json.loads(evaluated)["protocol"] == "dummy"
    assert json.loads(evaluated)["mAP"] == [0.0]
