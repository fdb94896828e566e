"""Three streams of two rates from training to the report: each is trained by itself, and they are fused by time."""

import json
from dataclasses import replace

import numpy as np
import pytest

from amsx.cli import main
from amsx.data.features import FeatureArray
from amsx.data.synthetic import StreamConfig, SyntheticConfig, make_dataset
from amsx.data.videos import Timebase
from amsx.inference.model import load
from amsx.localization.smoothing import smoothed
from amsx.report.run_groups import read_groups
from amsx.report.timelines import Timelines, unpack
from amsx.training import run as runs
from amsx.training.config import override
from amsx.training.presets import for_dataset
from amsx.training.run import fuse_streams, train_run
from amsx.training.run_directory import read_activations

SETTINGS = [
    "model.hidden=16",
    "phases.base_epochs=2",
    "phases.supplementary_epochs=0",
    "phases.alternate_epochs=1",
    "phases.iterations=1",
]


def slower(video):
    """The video with its stream rgb at half of the rate: a row for every two."""
    rows = video.streams["rgb"].load()[: video.length // 2 * 2]
    half = FeatureArray(rows.reshape(-1, 2, rows.shape[1]).mean(axis=1))
    own = {"rgb": Timebase(2 * video.timebase.snippet_seconds)}
    return replace(video, streams={**video.streams, "rgb": half}, own_timebases=own)


@pytest.fixture(scope="module")
def dataset():
    streams = {name: StreamConfig(dim=16) for name in ("rgb", "flow", "audio")}
    made = make_dataset(SyntheticConfig(classes=2, train_videos=8, test_videos=4, length=(30, 41), streams=streams))
    return replace(made, videos=tuple(map(slower, made.videos)))


@pytest.fixture(scope="module")
def trained(dataset, tmp_path_factory):
    settings = [*SETTINGS, "localization.weights=rgb:0.5,flow:0.3,audio:0.2"]
    config, notes = for_dataset(dataset, settings=settings)
    assert "late fusion: rgb 0.5, flow 0.3, audio 0.2" in notes
    return train_run(dataset, config, tmp_path_factory.mktemp("runs") / "run", progress=False, say=lambda _: None)


def test_each_stream_keeps_its_own_axis_and_the_fusion_is_on_the_finest(trained, dataset):
    rgb, flow, _ = parts = read_activations(trained.out, ["rgb", "flow", "audio"])
    test = dataset.subset("test")
    assert [part.base.lengths.tolist() for part in parts] == [
        [video.length_of(part.stream) for video in test] for part in parts
    ]
    assert rgb.timebases == tuple(video.own_timebases["rgb"] for video in test)
    config = override(for_dataset(dataset)[0], ["localization.weights=rgb:0.5,flow:0.3,audio:0.2"])
    fused, timebases = fuse_streams(parts, config)
    assert timebases == flow.timebases and fused.lengths.tolist() == flow.base.lengths.tolist()
    # By hand, in the first video: the second snippet of flow lies at 3/4 of the first snippet of rgb.
    share = config.localization.supplementary_weight
    by_stream = [part.fused(share).cas for part in parts]
    slow = 0.75 * by_stream[0][0] + 0.25 * by_stream[0][1]
    np.testing.assert_allclose(fused.cas[1], 0.5 * slow + 0.3 * by_stream[1][1] + 0.2 * by_stream[2][1], rtol=1e-5)


def test_a_stream_of_weight_zero_is_left_out_and_its_axis_with_it(trained, tmp_path):
    parts = read_activations(trained.out, ["rgb", "flow", "audio"])
    config = override(for_dataset_config(trained), ["localization.weights=rgb:1,flow:0,audio:0"])
    _, timebases = fuse_streams(parts, config)
    assert timebases == parts[0].timebases
    runs.test_run(trained.out, ["localization.weights=rgb:1,flow:0,audio:0"], tmp_path)
    predictions = [json.loads((folder / "predictions.json").read_text()) for folder in (tmp_path, tmp_path / "rgb")]
    assert predictions[0] == predictions[1]


def for_dataset_config(trained):
    return read_groups([trained.out])[0].runs[0].config


def test_a_loaded_run_knows_the_times_of_its_streams(trained, dataset):
    model = load(trained.out)
    video = dataset.subset("test")[0]
    assert model.own_timebases == video.own_timebases and model.timebase == video.timebase
    found = model.localize({name: stream.load() for name, stream in video.streams.items()})
    saved = json.loads((trained.out / "predictions.json").read_text())["results"][video.id]
    assert [(d.label, d.start, d.end) for d in found] == [(d["label"], *d["segment"]) for d in saved]
    with pytest.raises(ValueError, match="have rates of their own, which one length of snippets cannot say"):
        model.localize({name: stream.load() for name, stream in video.streams.items()}, snippet_seconds=0.64)


def test_wrong_names_are_an_error_before_the_training(dataset, tmp_path):
    config = override(for_dataset(dataset)[0], ["localization.weights=rgb:0.5,flow:0.5"])
    with pytest.raises(ValueError, match="no weight for 'audio'"):
        train_run(dataset, config, tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


def test_the_report_shows_all_streams_on_the_axis_of_the_fusion(trained, dataset):
    timelines = Timelines(read_groups([trained.out])[0].runs[0])
    lengths = np.diff(timelines.edges).tolist()
    assert lengths == [video.length for video in dataset.subset("test")]
    outcome = timelines.outcome(0, list(dataset.classes))
    assert [len(unpack(packed)) for packed in outcome["density"].values()] == [lengths[0]] * 3
    assert {len(unpack(packed)) for packed in timelines.change(0).values()} == {lengths[0]}


def test_a_trained_run_is_tested_loaded_and_drawn_with_a_smoothed_cas(trained, dataset, tmp_path):
    settings = ["localization.smoothing=1.5"]
    retest = runs.test_run(trained.out, settings, tmp_path)
    parts = read_activations(trained.out, ["rgb", "flow", "audio"])
    config = for_dataset_config(trained)
    raw, timebases = fuse_streams(parts, config)
    fused, same = fuse_streams(parts, override(config, settings))
    assert same == timebases
    np.testing.assert_array_equal(fused.cas, smoothed(raw, 1.5).cas)
    assert not np.allclose(fused.cas, raw.cas)
    rgb, _ = fuse_streams(parts[:1], override(config, settings))  # a stream alone: in snippets of its own
    np.testing.assert_array_equal(rgb.cas, smoothed(parts[0].fused(config.localization.supplementary_weight), 1.5).cas)

    video = dataset.subset("test")[0]
    model = load(trained.out, overrides=settings)
    found = model.localize({name: stream.load() for name, stream in video.streams.items()})
    saved = json.loads((retest.out / "predictions.json").read_text())["results"]
    assert [(d.label, d.start, d.end) for d in found] == [(d["label"], *d["segment"]) for d in saved[video.id]]
    assert saved != json.loads((trained.out / "predictions.json").read_text())["results"]

    run = read_groups([trained.out])[0].runs[0]
    shown = Timelines(replace(run, config=override(config, settings))).outcome(0, dataset.classes)["views"]["fused"]
    drawn = unpack(shown["cas"][dataset.classes[0]]["fused"])
    np.testing.assert_allclose(drawn, fused.cas[: video.length, 0], atol=drawn.max() / 500)


def test_snippets_are_scored_on_the_axis_of_each_view(trained, capsys):
    main(["test", str(trained.out), "--snippets", "--json"])
    assert {"rgb base", "audio both", "fused"} <= json.loads(capsys.readouterr().out)["snippets"].keys()
