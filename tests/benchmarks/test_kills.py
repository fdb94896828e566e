"""Killed commands are compared by what they wrote, whenever they wrote it; slow: real commands are killed."""

import json
from pathlib import Path

import pytest
import torch

from amsx.training import checkpoint
from benchmarks.kills import COMMANDS, Watch, contents, difference, endure, main, make_inputs


def write_result(folder: Path, weight: float, seconds: float, detections: str) -> Path:
    header = {"history": [{"epoch": 1, "loss": 0.5, "seconds": seconds}]}
    checkpoint.save(folder / "rgb" / "checkpoint.safetensors", {"w": torch.tensor([weight])}, header, kind="checkpoint")
    (folder / "rgb" / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in header["history"]))
    (folder / "predictions.json").write_text(detections)
    return folder


def test_times_are_no_difference_and_a_bit_of_a_weight_is_one(tmp_path):
    expected = contents(write_result(tmp_path / "a", 1.0, 0.1, "[]"))
    assert set(expected) == {"rgb/checkpoint.safetensors", "rgb/log.jsonl", "predictions.json"}
    assert difference(expected, contents(write_result(tmp_path / "b", 1.0, 0.2, "[ ]"))) == []
    other = write_result(tmp_path / "c", 1.0000001, 0.2, "[1]")
    assert difference(expected, contents(other)) == [
        "predictions.json: not the same",
        "rgb/checkpoint.safetensors: not the same",
    ]
    (other / "predictions.json").rename(other / "extra.json")
    found = difference(expected, contents(other))
    assert found[:2] == ["predictions.json: missing", "extra.json: not there in the undisturbed run"]


def test_changes_in_a_folder_are_counted(tmp_path):
    with Watch(tmp_path / "out") as watch:
        write_result(tmp_path / "out", 1.0, 0.1, "[]")
        seen = watch.look()
        assert seen >= 3
        assert watch.look() == seen
        (tmp_path / "out" / "predictions.json").unlink()
        assert watch.look() == seen + 1


def test_unknown_commands_are_refused(capsys):
    with pytest.raises(SystemExit):
        main(["evaluate"])
    assert "unknown command 'evaluate'; expected some of train, reproduce" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_a_killed_command_run_again_gives_the_same_result(tmp_path, command):
    make_inputs(tmp_path, videos=command.name == "extract")
    tally = endure(command, tmp_path, kills=2, in_a_row=2, seed=0)
    assert tally.differences == () and tally.left == ()
