"""Tables and figures in miniature: complete, sharing their cells, resumed by the cell, whatever happens to a worker."""

import io
import json
import multiprocessing
import os
import signal
import xml.etree.ElementTree
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from amsx.cli import main
from amsx.data.features import FeatureArray
from amsx.experiments.cells import Cell
from amsx.experiments.parallel import train_cells
from amsx.experiments.plans import FIGURES, TABLES, cells_of, chosen_rows
from amsx.experiments.progress import ProgressDisplay
from amsx.experiments.reproduce import reproduce
from amsx.experiments.results import read_result
from amsx.experiments.single_videos import example_videos
from amsx.files import read_json
from amsx.training.config import override

ASKED: dict[str, Any] = {"tables": (3, 4, 5), "figures": (4, 5), "seeds": 2, "streams": ["rgb"]}
QUIET: dict[str, Any] = {"jobs": 2, "quiet": True, "say": lambda _: None}


@pytest.fixture(scope="module")
def short(config):
    """One iteration, so that the many cells of all tables take seconds."""
    return override(config, ["phases.iterations=1", "phases.base_epochs=1"])


@pytest.fixture(scope="module")
def everything(dataset, short, tmp_path_factory):
    out = tmp_path_factory.mktemp("reproduce")
    return out, reproduce(dataset, short, out, **ASKED, **QUIET)


def times(out):
    return {path: path.stat().st_mtime_ns for path in out.rglob("finished.json")}


def test_rows_and_numbers(everything):
    out, results = everything
    assert list(results) == ["table3", "table4", "table5", "figure4", "figure5"]
    rows = [(row.key, row.iteration) for row in results["table3"].rows]
    assert rows == [(key, i) for key in "ABC" for i in (0, 1)] + [(key, 1) for key in "DEF"]
    assert [row.key for row in results["table4"].rows] == [
        "uniform",
        "random",
        "erase",
        "rolled",
        "reversed",
        "adaptive",
    ]
    assert [row.key for row in results["table5"].rows] == ["random", "average", "maximum"]
    assert [row.iteration for row in results["figure4"].rows] == [0, 1]
    assert [float(row.key) for row in results["figure5"].rows] == [i / 4 for i in range(9)]
    for result in results.values():
        assert json.loads((out / f"{result.key}.json").read_text()) == result.to_json()
        assert read_result(out / f"{result.key}.json") == result
        for row in result.rows:
            assert list(row.scores) == ["rgb"]
            for score in row.scores.values():
                a, b = score.average.seeds
                assert score.average.mean == pytest.approx((a + b) / 2)
                assert score.average.deviation == pytest.approx(abs(a - b) / 2**0.5)
                assert score.average.mean == pytest.approx(sum(s.mean for s in score.per_tiou) / 7)
                assert bool(score.branches) == ("branches" in score.to_json()) == (row.key != "A")


def test_rows_that_are_the_same_training_agree(everything):
    _, results = everything
    of = {(key, row.key): row.scores for key, result in results.items() for row in result.rows if row.iteration == 1}
    assert of["table3", "F"] == of["table4", "adaptive"] == of["table5", "maximum"]
    assert of["table3", "F"] == of["figure4", "F"] == of["figure5", "0.75"]
    assert of["table3", "E"] == of["table4", "uniform"]
    assert of["table4", "random"] != of["table4", "adaptive"] != of["table4", "erase"]


def test_streams_are_fused_where_there_are_several(dataset, short, tmp_path):
    result = reproduce(dataset, short, tmp_path, tables=[5], seeds=1, **QUIET)["table5"]
    for row in result.rows:
        assert list(row.scores) == ["rgb", "flow", "fused"]
        assert set(row.scores["fused"].branches) == {"base", "supplementary"}
    assert "; weights rgb 0.5, flow 0.5; one seed" in (tmp_path / "table5.txt").read_text()


def test_the_warp_of_time_stands_beside_every_row_of_table_iv(everything):
    out, results = everything
    warps = {row.key: row.warp["rgb"] for row in results["table4"].rows}
    assert (warps["uniform"].ratio, warps["uniform"].displacement) == (1.0, 0.0)
    assert 1 < warps["adaptive"].ratio <= 1.75 / 0.75
    assert warps["rolled"].ratio == pytest.approx(warps["adaptive"].ratio, rel=0.2)  # another model, the same rule
    assert warps["random"].displacement > 0
    assert "warp, rgb" in (out / "table4.md").read_text()
    assert not any(row.warp for row in results["table3"].rows)


def test_every_training_is_done_once(everything, short):
    out, _ = everything
    plans = [*TABLES.values(), FIGURES[4], FIGURES[5]]
    assert len(cells_of(plans, short, 2, ["rgb"])) == 20 * 2  # rows that differ, seeds
    finished = list((out / "cells").glob("*/*/*/finished.json"))
    assert sum(path.parent.name.startswith("whole") for path in finished) == 20 * 2
    assert sum(path.parent.name.startswith("base") for path in finished) == 2
    # without a sampler, and with each of the fifteen samplers
    assert sum(path.parent.name.startswith("supplementary") for path in finished) == 16 * 2


def test_the_text_names_protocol_and_rows(everything):
    out, _ = everything
    text = (out / "table3.txt").read_text()
    assert "protocol activitynet" in text
    assert "8 test videos; 2 seeds" in text
    assert text.count("one branch") == 4  # phase zero, iteration 1; what row B adds to it; and per tIoU
    assert "B: two branches minus A: one branch" in text
    assert "paper" not in text  # the set is not the paper's
    lines = (out / "table4.md").read_text().splitlines()
    assert [line for line in lines if line.startswith("| hard erasing")]
    assert {line.count("|") for line in lines[2:8]} == {4}  # the weights, the score, the warp


def test_figures_are_drawn(everything):
    out, _ = everything
    for name in ("figure4", "figure5"):
        assert (out / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert xml.etree.ElementTree.parse(out / f"{name}.svg").getroot().tag.endswith("svg")


def test_finished_cells_are_not_trained_again(everything, dataset, short):
    out, results = everything
    before = times(out)
    assert reproduce(dataset, short, out, **ASKED, **QUIET) == results
    assert times(out) == before
    cell = cells_of([TABLES[3]], short, 2, ["rgb"])[-1]
    (out / cell.folder / "finished.json").unlink()  # as if killed in this cell
    assert reproduce(dataset, short, out, **ASKED, **QUIET) == results
    after = times(out)
    assert {path for path in after if after[path] != before[path]} == {out / cell.folder / "finished.json"}


def test_late_settings_may_change_and_others_not(everything, dataset, short):
    out, results = everything
    before = times(out)
    late = override(short, ["localization.threshold=1.5"])
    again = reproduce(dataset, late, out, tables=[5], seeds=2, streams=["rgb"], **QUIET)["table5"]
    assert again.rows != results["table5"].rows
    assert times(out) == before
    reproduce(dataset, short, out, tables=[5], seeds=2, streams=["rgb"], **QUIET)  # as the other tests expect it
    with pytest.raises(ValueError, match=r"model\.hidden is 16 in the run and 8 in this command"):
        reproduce(dataset, override(short, ["model.hidden=8"]), out, tables=[5], **QUIET)


def test_warnings_of_the_evaluation_are_said_once_with_how_many_scores_they_are_of(everything, dataset, short):
    out, _ = everything
    nothing = override(short, ["localization.threshold=1e9"])
    said: list[str] = []
    reproduce(dataset, nothing, out, tables=[5], seeds=2, streams=["rgb"], **{**QUIET, "say": said.append})
    warned = [text.strip() for text in said if "warning" in text]
    assert len(warned) == 1 and warned[0].startswith("warning of 18 of 18 scores, e.g. that of cells/rgb/seed0/whole-")
    assert "there is no detection to score" in warned[0]
    reproduce(dataset, short, out, tables=[5], seeds=2, streams=["rgb"], **QUIET)  # as the other tests expect it


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "nothing to reproduce"),
        ({"tables": [3], "seeds": 0}, "seeds must be at least 1"),
        ({"tables": [6]}, "unknown table 6; expected one of 3, 4, 5"),
        ({"tables": [3], "rows": ["G"]}, "unknown row 'G'; Table III has A, B, C, D, E, F"),
        ({"tables": [4], "rows": ["A"]}, "rows are those of Table III"),
        ({"tables": [3], "jobs": 0}, "jobs must be at least 1"),
        ({"tables": [3], "device": "gpu"}, "unknown device 'gpu'"),
        ({"tables": [3], "streams": ["depth"]}, "unknown stream 'depth'"),
    ],
)
def test_what_cannot_be_is_refused(dataset, short, tmp_path, asked, message):
    with pytest.raises(ValueError, match=message):
        reproduce(dataset, short, tmp_path, **{**QUIET, **asked})


def beginning(cell: Cell) -> Cell:
    assert cell.beginning is not None
    return cell.beginning


def test_a_failure_names_its_cell_and_spares_the_others(dataset, short, tmp_path):
    cells = cells_of([TABLES[3]], short, 1, ["rgb"])
    broken = next(b for c in cells if (b := beginning(c)).part == "supplementary" and c.config.phases.sampler)
    path = tmp_path / broken.folder / "checkpoint.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(RuntimeError, match=rf"3 cells failed.*{broken.folder.name}.*not a complete safetensors"):
        reproduce(dataset, short, tmp_path, tables=[3], seeds=1, streams=["rgb"], **QUIET)
    done = {path.parent for path in tmp_path.rglob("finished.json")}
    assert {tmp_path / cell.folder for cell in cells} - done == {
        tmp_path / cell.folder for cell in cells if beginning(cell).folder == broken.folder
    }
    path.unlink()
    assert reproduce(dataset, short, tmp_path, tables=[3], seeds=1, streams=["rgb"], **QUIET)["table3"].rows


def test_a_killed_worker_loses_its_own_cell_alone(dataset, short, tmp_path, monkeypatch, forked_workers):
    monkeypatch.setattr(multiprocessing, "get_context", forked_workers)  # spawned, as outside of tests
    plan = chosen_rows(TABLES[3], ["A", "B"])
    cells = cells_of([plan], override(short, ["phases.iterations=3"]), 1, ["rgb"])
    kinds, killed = [], None
    for event in train_cells(cells, dataset, tmp_path, workers=["cpu"]):
        kinds.append(event.kind)
        if killed is None and event.cell.part == "whole" and event.kind == "epoch":
            (child,) = multiprocessing.active_children()
            assert child.pid is not None
            os.kill(child.pid, signal.SIGKILL)
            killed = event.cell
        if event.kind == "failed":
            assert event.cell == killed
            assert "its process died (exit code -9)" in event.error
    assert kinds.count("failed") == 1
    assert killed is not None
    done = {path.parent for path in tmp_path.rglob("finished.json")}
    assert {tmp_path / cell.folder for cell in cells} - done == {tmp_path / killed.folder}


def test_nine_strips_of_single_videos(dataset, short, tmp_path):
    assert reproduce(dataset, short, tmp_path, figures=[6], seeds=1, streams=["rgb"], **QUIET) == {}
    chosen = example_videos(dataset)
    assert [label for _, label in chosen] == sorted(
        dataset.classes, key=lambda c: (-max(count(v, c) for v in dataset.subset("test")), c)
    )
    pictures = sorted((tmp_path / "figure6" / "rgb").iterdir())
    assert {path.stem for path in pictures} == {video.id for video, _ in chosen}
    assert {path.suffix for path in pictures} == {".png", ".svg"}
    svg = next(path for path in pictures if path.suffix == ".svg").read_text()
    names = ["input:", "ground truth", "base CAS,", "sampling weights", "sampling density", "in sampled time"]
    for name in [*names, "aligned, proposals", "pseudo-labels", "fused CAS,"]:
        assert f"<!-- {name}" in svg or name in svg, name


def count(video, label):
    return sum(segment.label == label for segment in video.segments)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_a_table(dataset, short, tmp_path):
    plan = chosen_rows(TABLES[3], ["A", "C"])
    shown = Terminal()
    display = ProgressDisplay([plan], short, 1, ["rgb"], tmp_path, file=shown)
    cells = cells_of([plan], short, 1, ["rgb"])
    for event in train_cells(cells, dataset, tmp_path, workers=["cpu"] * 2):
        display.update(event)
    last = shown.getvalue().split("\x1b[J")[-1].splitlines()
    assert last[0].split() == ["rgb/0"]
    assert [line.split() for line in last[1:3]] == [["table3", key, "done"] for key in "AC"]
    assert last[3].startswith("2/2 cells")
    assert "%" in shown.getvalue()


def test_the_command(tmp_path, capsys, data_folder):
    settings = ["model.hidden=8", "phases.base_epochs=1", "phases.supplementary_epochs=0", "phases.alternate_epochs=1"]
    sets = [part for setting in [*settings, "phases.iterations=1"] for part in ("--set", setting)]
    arguments = ["reproduce", str(data_folder), "--table", "3", "--row", "A", "--seeds", "1", "--jobs", "1"]
    assert main([*arguments, "--out", str(tmp_path), *sets]) == 0
    said = capsys.readouterr().out
    assert "1 cells, 0 of them already trained" in said
    assert "A  one branch, iteration 1" in said
    assert Path(tmp_path / "table3.json").exists()
    assert read_json(tmp_path / "config.json")["config"]["model"]["hidden"] == 8


def test_features_that_cannot_be_used_are_said_before_anything_is_trained(dataset, short, tmp_path):
    last = dataset.subset("test")[-1]
    spoilt = replace(last, streams={**last.streams, "rgb": FeatureArray(last.streams["rgb"].array * np.nan)})
    videos = tuple(spoilt if video is last else video for video in dataset.videos)
    with pytest.raises(ValueError, match="NaN or infinite values"):
        reproduce(replace(dataset, videos=videos), short, tmp_path, tables=[5], **QUIET)
    assert not (tmp_path / "cells").exists()


def test_the_command_takes_no_seed(capsys):
    """Its trainings have seeds 0, 1, ...; an abbreviated --seeds would train five of them."""
    with pytest.raises(SystemExit):
        main(["reproduce", "synthetic", "--table", "3", "--seed", "5", "--out", "out"])
    assert "unknown option --seed; did you mean --seeds" in capsys.readouterr().err
