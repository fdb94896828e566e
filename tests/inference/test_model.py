"""A run loaded as a model says what `amsx test` says, of arrays in memory, wherever its folder lies."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

import amsx
from amsx.data.synthetic import SyntheticConfig, make_dataset
from amsx.data.videos import Timebase
from amsx.inference.model import load
from amsx.inference.outputs import records
from amsx.training import checkpoint
from amsx.training.config import override
from amsx.training.presets import for_dataset
from amsx.training.run import test_run as retest
from amsx.training.run import train_run


def features_of(video):
    return {name: stream.load() for name, stream in video.streams.items()}


def predictions(folder):
    return json.loads((folder / "predictions.json").read_text())["results"]


def assert_close(found, expected):
    assert [d["label"] for d in found] == [d["label"] for d in expected]
    assert [d["segment"] for d in found] == [d["segment"] for d in expected]
    assert [d["score"] for d in found] == pytest.approx([d["score"] for d in expected], abs=1e-5)


def test_the_detections_are_those_of_the_test(run, model, dataset):
    expected = predictions(run)
    assert sum(map(len, expected.values())) > 10
    for video in dataset.subset("test"):
        found = model.localize(features_of(video))
        assert_close(records(found), expected[video.id])
        assert [d.score for d in found] == sorted((d.score for d in found), reverse=True)


def test_overrides_are_those_of_the_test(run, dataset, tmp_path):
    overrides = ["localization.thresholds=0.9", "localization.beta=0.8", "localization.nms=none"]
    retest(run, overrides, out=tmp_path)
    model = amsx.load(run, overrides=overrides)
    for video in dataset.subset("test"):
        assert_close(records(model.localize(features_of(video))), predictions(tmp_path)[video.id])
    with pytest.raises(ValueError, match="only the sections localization and evaluation can change"):
        amsx.load(run, overrides=["model.hidden=8"])


def test_a_run_that_read_its_features_from_files_takes_others_from_memory(run, model, dataset, tmp_path):
    other = shutil.copytree(run, tmp_path / "run")
    config = json.loads((other / "config.json").read_text())
    config["config"]["optimization"]["storage"] = "files"
    (other / "config.json").write_text(json.dumps(config))
    features = features_of(dataset.subset("test")[0])
    assert load(other).localize(features) == model.localize(features)


def test_what_a_run_knows(run, model, dataset):
    assert model.classes == dataset.classes
    assert model.streams == ("rgb", "flow")
    assert model.widths == dataset.dims
    assert model.timebase == dataset.videos[0].timebase == Timebase(0.64)
    assert model.extractors == {}
    assert model.device == torch.device("cpu")
    assert model.to("cpu") is model
    with pytest.raises(ValueError, match="unknown device 'gpu'"):
        model.to("gpu")


def test_tensors_are_taken_like_arrays(model, dataset):
    arrays = features_of(dataset.subset("test")[0])
    expected = model.localize(arrays)
    tensors = {name: torch.from_numpy(values).requires_grad_() for name, values in arrays.items()}
    assert model.localize(tensors) == expected
    assert model.localize({name: values[None] for name, values in arrays.items()}) == expected  # a batch of one
    half = {name: values.to(torch.bfloat16) for name, values in tensors.items()}
    same = {name: values.to(torch.bfloat16).float() for name, values in tensors.items()}
    assert model.localize(half) == model.localize(same)


def test_the_activations_behind_the_detections(model, dataset):
    arrays = features_of(dataset.subset("test")[0])
    n = len(arrays["rgb"])
    curves = model.cas(arrays, fps=30, stride=15, offset=2)
    assert curves.cas.shape == (n, 3)
    assert curves.classes == model.classes
    assert curves.probs.sum() == pytest.approx(1, abs=1e-5)
    assert curves.seconds == pytest.approx(2 + 0.5 * (np.arange(n) + 0.5))


def test_time_scales_and_shifts_the_detections(model, dataset):
    arrays = features_of(dataset.subset("test")[0])
    usual = model.localize(arrays)
    for found in (model.localize(arrays, snippet_seconds=1.28), model.localize(arrays, fps=12.5, stride=16)):
        assert [(d.label, d.start, d.end) for d in found] == [(d.label, 2 * d.start, 2 * d.end) for d in usual]
    shifted = model.localize(arrays, offset=10)
    assert [d.start for d in shifted] == pytest.approx([d.start + 10 for d in usual])


def test_streams_may_differ_by_two_snippets(model, dataset):
    arrays = features_of(dataset.subset("test")[0])
    cut = {name: values[:-2] for name, values in arrays.items()}
    assert model.localize({**arrays, "flow": arrays["flow"][:-2]}) == model.localize(cut)
    with pytest.raises(ValueError, match="snippets, expected equal"):
        model.localize({**arrays, "flow": arrays["flow"][:-3]})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x["rgb"], "got one array, but .* was trained on the streams rgb, flow"),
        (lambda x: {"rgb": x["rgb"]}, "there are no features of flow"),
        (lambda x: {**x, "audio": x["rgb"]}, "unknown stream 'audio'"),
        (lambda x: {**x, "rgb": x["rgb"][:, :7]}, "features of width 7 in the stream rgb, but .* of width 64"),
        (lambda x: {**x, "rgb": np.full_like(x["rgb"], np.nan)}, "NaN"),
        (lambda x: {**x, "rgb": x["rgb"][:0]}, "empty"),
        (lambda x: {**x, "rgb": np.stack([x["rgb"]] * 10)}, "axis counts crops"),
    ],
)
def test_features_that_do_not_fit(model, dataset, change, message):
    with pytest.raises(ValueError, match=message):
        model.localize(change(features_of(dataset.subset("test")[0])))


def test_a_run_of_one_stream_takes_an_array(dataset, tmp_path):
    """It is moved, and the branches are one: whatever the configuration, nothing but the folder is needed."""
    settings = ["phases.branches=base", "phases.supervision=none", "phases.base_epochs=1", "model.hidden=8"]
    config = override(for_dataset(dataset)[0], settings)
    train_run(dataset, config, tmp_path / "a", streams=["flow"], progress=False, say=lambda _: None)
    expected = predictions(tmp_path / "a")
    (tmp_path / "elsewhere").mkdir()
    moved = shutil.move(tmp_path / "a", tmp_path / "elsewhere" / "b")
    model = amsx.load(moved)
    for video in dataset.subset("test"):
        assert_close(records(model.localize(video.streams["flow"].load())), expected[video.id])


def test_a_run_holds_no_code(run):
    """Every file is text, JSON or safetensors."""
    kinds = {path.suffix for path in run.rglob("*") if path.is_file()}
    assert kinds == {".json", ".jsonl", ".safetensors"}


def test_a_run_with_an_unknown_timebase_asks_for_it(dataset, run, tmp_path):
    old = shutil.copytree(run, tmp_path / "old")
    described = json.loads((old / "config.json").read_text())
    features = described["data"].pop("features")
    (old / "config.json").write_text(json.dumps(described))
    arrays = features_of(dataset.subset("test")[0])
    model = load(old)
    assert model.widths == features["widths"]
    assert model.timebase is None
    with pytest.raises(ValueError, match="did not record it; give snippet_seconds, or fps and stride"):
        model.localize(arrays)
    assert_close(records(model.localize(arrays, snippet_seconds=0.64)), predictions(run)[dataset.subset("test")[0].id])
    described["data"]["features"] = {**features, "timebase": None}
    (old / "config.json").write_text(json.dumps(described))
    with pytest.raises(ValueError, match="snippets of different lengths; give snippet_seconds"):
        load(old).localize(arrays)
    described["data"]["features"] = {"widths": {}}
    (old / "config.json").write_text(json.dumps(described))
    with pytest.raises(ValueError, match="its 'features' are none that amsx writes"):
        load(old)


def test_an_interrupted_training_is_no_model(run, tmp_path):
    part = shutil.copytree(run, tmp_path / "part")
    path = part / "flow" / "checkpoint.safetensors"
    tensors, header = checkpoint.load(path, kind="checkpoint")
    header = {key: value for key, value in header.items() if key not in ("kind", "version")}
    checkpoint.save(path, tensors, {**header, "epoch": 2}, kind="checkpoint")
    with pytest.raises(ValueError, match=r"flow/checkpoint.safetensors: the training did not end, 2 of \d epochs"):
        load(part)
    path.unlink()
    with pytest.raises(FileNotFoundError, match="no checkpoint at"):
        load(part)
    with pytest.raises(FileNotFoundError, match=r"no such file: .*config.json"):
        load(tmp_path)


def test_videos_of_different_rates_leave_the_run_without_a_timebase(tmp_path):
    mixed = make_dataset(SyntheticConfig(classes=2, train_videos=4, test_videos=2, length=(20, 24)))
    videos = list(mixed.videos)
    videos[0] = replace(videos[0], timebase=Timebase(0.5))
    mixed = replace(mixed, videos=tuple(videos))
    config = override(for_dataset(mixed)[0], ["phases.base_epochs=1", "phases.branches=base", "model.hidden=4"])
    config = override(config, ["phases.supervision=none"])
    train_run(mixed, config, tmp_path / "run", streams=["rgb"], progress=False, say=lambda _: None)
    assert load(tmp_path / "run").timebase is None
