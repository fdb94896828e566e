"""What the report says about single videos, beside the run's own files and the method's own operations."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from amsx.data.batching import FeatureSet
from amsx.experiments.single_videos import method_strips
from amsx.report.run_groups import read_groups
from amsx.report.timeline_pictures import draw_timelines
from amsx.report.timelines import Timelines, pack, unpack
from amsx.training.config import override
from amsx.training.setup import build_model


@pytest.fixture(scope="module")
def timelines(groups):
    return Timelines(groups[0].runs[0])


def test_packing_keeps_values_to_half_a_step():
    values = np.random.default_rng(0).random(1000) * 3.7
    assert np.abs(unpack(pack(values)) - values).max() <= values.max() / 510 * 1.001
    assert unpack(pack(np.zeros(4))).tolist() == [0, 0, 0, 0]
    assert unpack(pack([])).tolist() == []


def test_proposals_are_the_run_s_predictions(timelines, runs):
    predictions = json.loads((runs[0] / "predictions.json").read_text())["results"]
    for video, name in enumerate(timelines.ids):
        shown = timelines.outcome(video, timelines.classes)["views"]["fused"]["proposals"]
        assert sum(map(len, shown.values())) == len(predictions[name])
        for found in predictions[name]:
            wanted = [*found["segment"], found["score"]]
            assert any(row == pytest.approx(wanted, rel=1e-4, abs=6e-3) for row in shown[found["label"]])


def test_the_fused_cas_and_its_threshold_give_the_proposals(timelines):
    """What the page draws and what it says was detected are the same thing."""
    compared = 0
    for video in range(len(timelines.ids)):
        view = timelines.outcome(video, timelines.classes)["views"]["fused"]
        centres = timelines.timebases[video].to_seconds(np.arange(np.diff(timelines.edges)[video]) + 0.5)
        for label, proposals in view["proposals"].items():
            largest, _, (threshold,) = view["cas"][label]["fused"]
            cas = unpack(view["cas"][label]["fused"])
            inside = np.array([any(s <= t < e for s, e, _ in proposals) for t in centres])
            near = np.abs(cas - threshold) <= largest / 255  # within the rounding of what is stored
            assert ((cas > threshold) == inside)[~near].all()
            compared += (~near).sum()
    assert compared > 100


def test_lessons_are_equation_8_on_the_teacher_s_cas(timelines, groups):
    run = groups[0].runs[0]
    stream = run.streams.index("flow")
    for video in range(3):
        lessons = timelines.outcome(video, timelines.classes)["taught"]
        told = [(x["stream"], x["iteration"], x["teacher"], x["student"]) for x in lessons]
        mutual = [(i, *pair) for i in (1, 2) for pair in (("base", "supplementary"), ("supplementary", "base"))]
        assert told == [(s, *lesson) for s in ("rgb", "flow") for lesson in mutual]
        lesson = lessons[told.index(("flow", 2, "base", "supplementary"))]
        assert set(lesson["intervals"]) == set(timelines.truth(video))
        teacher = run.snapshots[stream][1].base
        begin = int(teacher.lengths[:video].sum())
        for label, intervals in lesson["intervals"].items():
            cas = teacher.cas[begin : begin + teacher.lengths[video], timelines.classes.index(label)]
            centres = timelines.timebases[video].to_seconds(np.arange(len(cas)) + 0.5)
            inside = np.array([any(s < t < e for s, e in intervals) for t in centres])
            assert (inside == (cas > run.config.loss.pseudo_threshold * cas.mean())).all()


def test_strips_that_a_run_cannot_fill_say_why(groups, runs, tmp_path):
    alone = Timelines(groups[1].runs[0])
    assert alone.notes() == dict.fromkeys(("density", "supplementary", "taught"), "this run has the base branch alone")
    outcome = alone.outcome(0, alone.classes)
    assert outcome["density"] == {}
    assert outcome["taught"] == []
    old = tmp_path / "old"  # as an earlier version left it
    shutil.copytree(runs[0], old)
    for stream in ("rgb", "flow"):
        shutil.rmtree(old / stream / "iterations")
        (old / stream / "input.safetensors").unlink()
    (group,) = read_groups([old])
    timelines = Timelines(group.runs[0])
    assert "kept its last iteration only" in timelines.notes()["taught"]
    assert "nothing of its input" in timelines.notes()["input"]
    assert timelines.change(0) == {}
    assert {(x["iteration"], x["teacher"]) for x in timelines.outcome(0, timelines.classes)["taught"]} == {
        (2, "supplementary")
    }
    assert group.runs[0].iteration_scores("fused") == {}


def test_stills(groups, tmp_path):
    drawn = draw_timelines(tmp_path / "png", groups, [0, 1], "png")
    truth = Timelines(groups[0].runs[0])
    assert len(drawn) == sum(len(truth.truth(video)) for video in (0, 1))
    assert all(path.parent == tmp_path / "png" and path.read_bytes()[:4] == b"\x89PNG" for path in drawn)
    (svg, *_) = draw_timelines(tmp_path / "svg", groups, [1], "svg")
    assert "<svg" in svg.read_text()


def test_thresholds_of_a_range(groups):
    run = groups[0].runs[0]
    config = override(run.config, ["localization.thresholds=0.25,0.5", "localization.threshold_of=range"])
    shown = Timelines(replace(run, config=config)).outcome(0, ["action_02"])["views"]["fused"]["cas"]["action_02"]
    cas = unpack(shown["fused"])
    span = cas.max() - cas.min()
    assert shown["fused"][2] == pytest.approx([cas.min() + 0.25 * span, cas.min() + 0.5 * span], abs=span / 100)


def test_a_changed_class_threshold_changes_whose_pseudo_labels_are_shown(groups):
    """A video without annotation has the pseudo-labels of its predicted classes."""
    run = groups[0].runs[0]
    database = {name: {**entry, "annotations": []} for name, entry in run.truth["database"].items()}
    shown = {}
    for threshold in (0.0, 1.0):
        config = override(run.config, [f"sampling.class_threshold={threshold}"])
        timelines = Timelines(replace(run, config=config, truth={"database": database}))
        shown[threshold] = [set(entry["intervals"]) for entry in timelines.outcome(0, timelines.classes)["taught"]]
    assert all(labels == set(run.parts[0].classes) for labels in shown[0.0])
    assert all(len(labels) == 1 for labels in shown[1.0])  # no probability reaches 1: the likeliest class


def test_fig_6_and_the_report_show_the_same_change_of_the_input(groups, dataset):
    run = groups[0].runs[0]
    timelines = Timelines(run)
    for index, video in enumerate(dataset.subset("test")[:3]):
        label = video.segments[0].label
        for stream, packed in timelines.change(index).items():
            model = build_model(dataset.dims[stream], len(dataset.classes), run.config).eval()
            features = FeatureSet.load([video], stream, dataset.classes, storage=run.config.optimization.storage)
            channel = dataset.classes.index(label)
            strip = method_strips(model, features, video, label, channel, run.config)[0]
            assert strip.name.startswith("input")
            half_a_step = packed[0] / 510 * 1.001  # of the 256 that the values are packed in
            assert np.abs(unpack(packed) - np.asarray(strip.curve, np.float64)).max() <= half_a_step
