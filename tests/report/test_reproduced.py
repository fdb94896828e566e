"""Folders told apart, and what `amsx reproduce` left read back."""

import json
import shutil

import pytest
from report.conftest import HOSTILE_FOLDER

from amsx.cli import main
from amsx.experiments.reproduction import read_reproduction, sort_folders


def test_runs_and_reproduced_folders_are_sorted(runs, experiments_folder):
    assert sort_folders([runs[2], experiments_folder, runs[0]]) == ([runs[2], runs[0]], [experiments_folder])


def test_results_strips_and_trainings(experiments, experiments_folder):
    assert experiments.folder.name == HOSTILE_FOLDER
    assert [result.key for result in experiments.results] == ["table3", "figure4"]
    assert experiments.results[0].to_json() == json.loads((experiments_folder / "table3.json").read_text())
    assert list(experiments.strips) == ["rgb", "flow"]
    for stream, pictures in experiments.strips.items():
        assert len(pictures) == 1
        assert {path.parent.name for path in pictures} == {stream}
    whole = [t for t in experiments.trainings if t.part == "whole" and t.stream == "rgb"]
    assert {t.settings for t in whole} == {
        (),  # all of AMS is what the others are compared with
        ("phases.branches=base",),  # nobody is there to supervise: such settings do not count
        ("phases.supervision=none",),
    }
    for training in experiments.trainings:
        assert [folder.parts[2] for folder in training.folders] == ["seed0", "seed1"]
        assert all((experiments_folder / folder / "finished.json").exists() for folder in training.folders)
        assert len(training.seconds) == 2


def test_tables_can_be_carried_without_their_cells(experiments, experiments_folder, tmp_path):
    for path in experiments_folder.glob("*.json"):
        shutil.copy(path, tmp_path)
    assert sort_folders([tmp_path]) == ([], [tmp_path])
    carried = read_reproduction(tmp_path)
    assert carried.results == experiments.results
    assert (carried.trainings, carried.strips) == ((), {})


def test_what_is_neither_names_both(tmp_path, capsys):
    assert main(["report", str(tmp_path), "--out", str(tmp_path / "r.html")]) == 1
    said = capsys.readouterr().err
    assert "neither a run directory of amsx train" in said
    assert "nor a folder of amsx reproduce" in said
    (tmp_path / "config.json").write_text("{}")  # amsx tune leaves cells and settings, and is neither
    (tmp_path / "search.json").write_text("{}")
    (tmp_path / "cells").mkdir()
    with pytest.raises(FileNotFoundError, match="neither"):
        sort_folders([tmp_path])


def test_a_folder_without_a_result_yet(tmp_path):
    (tmp_path / "cells").mkdir()
    assert sort_folders([tmp_path]) == ([], [tmp_path])
    with pytest.raises(FileNotFoundError, match="no finished table or figure; amsx reproduce goes on"):
        read_reproduction(tmp_path)


def test_a_table_of_another_program_is_refused(experiments_folder, tmp_path):
    shutil.copy(experiments_folder / "config.json", tmp_path)
    (tmp_path / "table3.json").write_text('{"rows": []}')
    with pytest.raises(ValueError, match=r"table3\.json was not written by amsx reproduce; expected the keys"):
        read_reproduction(tmp_path)


def test_command(runs, experiments_folder, tmp_path, capsys):
    out = tmp_path / "r.html"
    assert main(["report", str(experiments_folder), "--out", str(out)]) == 0
    alone = out.read_text()
    assert 'id="experiments-1"' in alone
    assert 'id="videos"' not in alone
    assert main(["report", str(experiments_folder), str(runs[0]), "--out", str(out), "--videos", "2"]) == 0
    both = out.read_text()
    assert 'id="experiments-1"' in both
    assert 'id="videos"' in both
    assert both.count('class="video"') == 2
    capsys.readouterr()
    assert main(["report", str(experiments_folder), "--out", str(out), "--videos", "2", "--png", str(tmp_path)]) == 1
    assert "--videos, --png: expected a run directory of amsx train" in capsys.readouterr().err
    assert out.read_text() == both
