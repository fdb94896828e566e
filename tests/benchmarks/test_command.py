"""The command line, its record and its pictures."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import ROOT
from benchmarks.__main__ import GROUPS, Group, main
from benchmarks.plots import draw
from benchmarks.rows import Row
from benchmarks.timing import Spread
from benchmarks.workloads import Workload


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=300, env=dict(os.environ)
    )


def test_list_names_every_group(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert listed == [group.name for group in GROUPS]


def test_a_run_leaves_a_record(tmp_path: Path) -> None:
    path = tmp_path / "new" / "record.json"
    done = command("benchmarks", "run", "postprocessing", "overhead", "--quick", "--threads", "1", "--json", str(path))
    assert done.returncode == 0, done.stderr
    document = json.loads(path.read_text())
    assert set(document) == {"environment", "settings", "rows", "goals"}
    assert document["rows"][0]["group"] == "postprocessing"  # in the order that was asked for
    environment = document["environment"]
    assert {"date", "device", "cpu", "threads", "allocator", "versions", "build", "git", "load_average"} <= set(
        environment
    )
    assert environment["threads"] == 1
    assert set(environment["versions"]) == {"amsx", "torch", "numpy", "python"}
    assert document["settings"]["quick"] is True
    assert document["goals"] == []  # of quick figures nothing is claimed
    row = next(row for row in document["rows"] if row["spread"])
    assert set(row["spread"]) == {"minimum", "lower", "median", "upper", "count"}


def test_goals_are_printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import __main__ as program

    monkeypatch.setattr(program, "keep_freed_memory", lambda: "left alone")
    monkeypatch.setattr(program, "GROUPS", (Group("nothing", lambda settings: [], ""),))
    monkeypatch.setattr(torch, "set_num_threads", lambda n: None)
    assert main(["all"]) == 0
    goals = [line for line in capsys.readouterr().out.splitlines() if line.startswith("goal: ")]
    assert "goal: CPU forward <= 1.15 x clone: not measured" in goals


def test_a_group_that_fails_leaves_the_figures_of_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks import __main__ as program
    from benchmarks.measuring import measure
    from benchmarks.settings import Settings
    from benchmarks.timing import Contender, ready

    def case(settings: Settings, name: str) -> list[Row]:
        return measure(name, "a case", {}, [Contender("amsx", ready(lambda: None))], settings)

    def broken(settings: Settings) -> list[Row]:
        case(settings, "broken")
        assert len(json.loads(path.read_text())["rows"]) == 1  # there at once
        raise RuntimeError("on purpose")

    path = tmp_path / "record.json"
    groups = (Group("broken", broken, ""), Group("fine", lambda settings: case(settings, "fine"), ""))
    monkeypatch.setattr(program, "keep_freed_memory", lambda: "left alone")
    monkeypatch.setattr(program, "GROUPS", groups)
    monkeypatch.setattr(torch, "set_num_threads", lambda n: None)
    with pytest.raises(SystemExit, match="FAILED in broken"):
        main(["all", "--quick", "--json", str(path)])
    assert [row["group"] for row in json.loads(path.read_text())["rows"]] == ["broken", "fine"]
    assert "on purpose" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [["run", "speed"], ["run"], ["all", "--threads", "0"], ["all", "--device", "tpu"]])
def test_bad_arguments(wrong: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(wrong)
    assert stopped.value.code == 2


def test_pictures(tmp_path: Path) -> None:
    rows = []
    for axis, values in {"B": (1, 2, 4), "T": (10, 20), "D": (8, 16), "H": (1, 20)}.items():
        for value in values:
            for direction in ("forward", "backward"):
                workload = Workload(**{**vars(Workload()), axis: value})
                parameters = {"axis": axis, **workload.parameters(direction)}
                for i, rival in enumerate(("clone", "amsx", "eager gather")):
                    spread = Spread.of([1e-4 * value * (i + 1)])
                    rows.append(Row("scaling", "", rival, parameters, clock="wall", spread=spread, bytes=1000 * value))
    environment = {"device": "cpu", "cpu": "a processor", "threads": 2}
    pictures = draw(rows, tmp_path / "plots", environment)
    assert [p.name for p in pictures] == ["scaling.png", "roofline.png"]
    for picture in pictures:
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert picture.stat().st_size > 10_000
    assert draw([], tmp_path, environment) == []
