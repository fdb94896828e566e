"""A run directory from end to end on synthetic data, and tests re-run from it."""

import json
import shutil
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from amsx.data.features import FeatureArray
from amsx.data.synthetic import SyntheticConfig, make_dataset
from amsx.data.videos import Dataset, Video
from amsx.evaluation import Evaluation, evaluate
from amsx.training import checkpoint
from amsx.training import run as runs
from amsx.training.activations import load_activations, load_input, load_snapshots
from amsx.training.config import Config, from_dict, override
from amsx.training.presets import for_dataset
from amsx.training.retests import read_retests
from amsx.training.run import chosen_streams
from amsx.training.run_directory import read_run

SETTINGS = [
    "phases.base_epochs=8",
    "phases.supplementary_epochs=0",
    "phases.alternate_epochs=3",
    "phases.iterations=2",
    "optimization.learning_rate=2e-3",
]


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return make_dataset(SyntheticConfig(classes=4, train_videos=48, test_videos=24, length=(40, 80)))


@pytest.fixture(scope="module")
def config(dataset) -> Config:
    return override(for_dataset(dataset)[0], SETTINGS)


@pytest.fixture(scope="module")
def trained(dataset, config, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    return runs.train_run(dataset, config, out, progress=False)


def test_the_files_of_a_run(trained, config, dataset):
    out = trained.out
    described = json.loads((out / "config.json").read_text())
    assert from_dict(described["config"]) == config
    assert described["data"]["classes"] == list(dataset.classes)
    results = {"predictions.json", "metrics.json"}
    assert {p.name for p in out.iterdir()} == results | {
        "warnings.json",
        "config.json",
        "ground_truth.json",
        "rgb",
        "flow",
    }
    kept = {"activations.safetensors", "checkpoint.safetensors", "log.jsonl", "iterations", "input.safetensors"}
    for stream in ("rgb", "flow"):
        assert {p.name for p in (out / stream).iterdir()} == results | kept
        assert len((out / stream / "log.jsonl").read_text().splitlines()) == 20
        assert {p.name for p in (out / stream / "iterations").iterdir()} == {"0.safetensors", "1.safetensors"}
    for folder, metrics in ((out, trained.metrics), (out / "rgb", trained.streams["rgb"])):
        assert json.loads((folder / "metrics.json").read_text()) == metrics.to_json()
        assert evaluate(folder / "predictions.json", out / "ground_truth.json") == metrics
    predictions = json.loads((out / "predictions.json").read_text())
    assert set(predictions["results"]) == {v.id for v in dataset.subset("test")}


def scored(result: runs.RunResult) -> Evaluation:
    assert result.metrics is not None
    return result.metrics


def test_it_learns_to_localize(trained, dataset, config, tmp_path):
    """Far above a branch without training, which has the videos' statistics alone to go by."""
    brief = ["phases.base_epochs=1", "phases.alternate_epochs=1", "phases.iterations=1"]
    untrained = override(config, [*brief, "optimization.learning_rate=1e-12"])
    chance = scored(runs.train_run(dataset, untrained, tmp_path / "chance", progress=False)).average
    assert trained.metrics.average > chance + 15
    for metrics in trained.streams.values():
        assert metrics.average > chance + 10


def test_raw_activations(trained, dataset):
    raw = load_activations(trained.out / "flow" / "activations.safetensors")
    test = dataset.subset("test")
    assert raw.ids == tuple(v.id for v in test)
    assert raw.timebases == tuple(v.timebase for v in test)
    assert raw.base.lengths.tolist() == [v.length for v in test]
    assert raw.supplementary is not None
    assert raw.base.cas.shape == raw.supplementary.cas.shape == (sum(v.length for v in test), 4)
    assert raw.base.probs.sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    assert (raw.base.cas != raw.supplementary.cas).any()


def test_snapshots_of_the_iterations(trained, dataset):
    raw = load_activations(trained.out / "flow" / "activations.safetensors")
    kept = load_snapshots(trained.out / "flow")
    assert list(kept) == [0, 1]
    assert kept[0].supplementary is None  # not trained yet
    for snapshot in kept.values():
        assert snapshot.ids == raw.ids
        assert snapshot.base.cas.dtype == np.float32
        assert snapshot.base.probs.sum(axis=1) == pytest.approx(1.0, abs=1e-2)
    score = {k: evaluate_base(part, trained) for k, part in {**kept, 2: raw}.items()}
    assert score[0] < score[2]  # phase zero is not the end
    assert kept[1].supplementary is not None
    change = load_input(trained.out / "flow" / "input.safetensors")
    assert change is not None
    assert change.shape == (len(raw.base.cas),)


def evaluate_base(part, trained):
    """mAP of a stream's base branch alone."""
    config = override(read_run(trained.out).config, ["localization.supplementary_weight=0"])
    score = runs.score([part], config, json.loads((trained.out / "ground_truth.json").read_text()))
    assert score is not None
    return score.average


def test_a_test_can_be_repeated_without_features_or_checkpoints(trained, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(trained.out, copy)
    for stream in ("rgb", "flow"):
        (copy / stream / "checkpoint.safetensors").unlink()
    before = (copy / "predictions.json").read_text()
    again = runs.test_run(copy)
    assert again.metrics == trained.metrics
    assert (copy / "predictions.json").read_text() == before


def test_overrides_go_to_a_folder_of_their_own(trained):
    before = (trained.out / "metrics.json").read_text()
    rgb_alone = runs.test_run(trained.out, ["localization.beta=1", "evaluation.tiou=0.5"])
    assert rgb_alone.out == trained.out / "retest"
    assert rgb_alone.metrics == rgb_alone.streams["rgb"]
    assert scored(rgb_alone).tiou == [0.5]
    assert scored(rgb_alone).mean_ap[0] == pytest.approx(trained.streams["rgb"].mean_ap[4])
    assert (trained.out / "metrics.json").read_text() == before
    config = from_dict(json.loads((rgb_alone.out / "config.json").read_text())["config"])
    assert config.localization.beta == 1.0
    shutil.rmtree(rgb_alone.out)


def test_no_retest_is_written_over_another(trained, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained.out, run)
    said: list[str] = []

    def test(value: float, **where: Any) -> str:
        return runs.test_run(run, [f"localization.beta={value}"], say=said.append, **where).out.name

    assert [test(1), test(0.4)] == ["retest", "retest-2"]
    before = (run / "retest" / "metrics.json").read_text()
    assert not said
    assert test(0.4) == "retest-2"
    assert said == [
        f"{run}/retest-2 holds a retest with these settings already; it is made anew, from the run as it is"
    ]
    assert [test(0.25, name="quarter"), test(0.25, name="quarter")] == ["retest-quarter"] * 2
    with pytest.raises(
        ValueError, match=r"retest-quarter is a retest with other settings \(localization\.beta is 0\.25 "
    ):
        test(0.75, name="quarter")
    with pytest.raises(ValueError, match=r"retest-2 holds something else \(localization\.beta is 0\.4 "):
        test(0.75, out=run / "retest-2")
    with pytest.raises(ValueError, match="--name 'a/b': it holds a slash"):
        test(0.75, name="a/b")
    with pytest.raises(ValueError, match="expected it with --set, without --out"):
        runs.test_run(run, name="mine")
    assert (run / "retest" / "metrics.json").read_text() == before
    (run / "retest-3").mkdir()  # something else
    assert test(0.75) == "retest-4"
    listed = read_retests(run)
    assert [r.name for r in listed] == ["retest", "retest-2", "retest-4", "retest-quarter"]
    assert listed[1].changes == (f"localization.beta: {read_run(run).config.localization.beta!r}, 0.4",)
    assert listed[0].average == json.loads(before)["average"]


def test_postprocessing_can_be_another(trained, tmp_path):
    """Several thresholds, contrast and suppression: other detections from the same activations."""
    thresholds = ["localization.thresholds=0.05,0.1,0.15,0.2,0.3,0.4", "localization.threshold_of=range"]
    scores = ["localization.score=outer-inner-contrast", "localization.class_weight=0.2", "localization.nms=soft"]
    other = runs.test_run(trained.out, [*thresholds, *scores], tmp_path / "other")
    assert scored(other).counts.detections > trained.metrics.counts.detections
    assert scored(other).average != trained.metrics.average
    hard = runs.test_run(trained.out, [*thresholds, *scores, "localization.nms=hard"], tmp_path / "hard")
    assert scored(hard).counts.detections < scored(other).counts.detections


def test_training_settings_cannot_be_overridden_after_training(trained):
    with pytest.raises(ValueError, match=r"only the sections localization and evaluation .* model.hidden: 256, 8"):
        runs.test_run(trained.out, ["model.hidden=8"])


def test_an_existing_run_is_not_overwritten(trained, dataset, config):
    with pytest.raises(FileExistsError, match="already holds a run"):
        runs.train_run(dataset, config, trained.out, progress=False)
    with pytest.raises(
        ValueError, match=r"cannot be resumed: optimization\.seed is 0 in the run and 1 in this command"
    ):
        other = override(config, ["optimization.seed=1"])
        runs.train_run(dataset, other, trained.out, resume=True, progress=False)
    with pytest.raises(ValueError, match=r"data.streams is \['rgb', 'flow'\] in the run and \['rgb'\] in"):
        runs.train_run(dataset, config, trained.out, streams=["rgb"], resume=True, progress=False)


def test_a_killed_run_resumes_to_the_same_bytes(trained, dataset, config, tmp_path, monkeypatch):
    saves = []
    real = checkpoint.save

    def killing(path, tensors, header, *, kind):
        real(path, tensors, header, kind=kind)
        saves.append(path.parts[-2:])
        if saves.count(("flow", "checkpoint.safetensors")) == 6:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "save", killing)
    with pytest.raises(KeyboardInterrupt):
        runs.train_run(dataset, config, tmp_path / "run", progress=False)
    monkeypatch.undo()
    said: list[str] = []
    resumed = runs.train_run(dataset, config, tmp_path / "run", resume=True, progress=False, say=said.append)
    assert said == ["rgb: resumed after epoch 20", "flow: resumed after epoch 6"]
    assert resumed.metrics == trained.metrics
    written = ["predictions.json", "flow/input.safetensors"]
    for stream in ("rgb", "flow"):
        written += [f"{stream}/{name}.safetensors" for name in ("activations", "iterations/0", "iterations/1")]
    for name in written:
        assert (tmp_path / "run" / name).read_bytes() == (trained.out / name).read_bytes()


def test_what_cannot_be_trained_is_said_before_anything_is_written(dataset, config, tmp_path):
    """Above all what only the test at the end would trip over."""
    last = dataset.subset("test")[-1]
    features = last.streams["flow"].array.copy()
    features[3, 0] = np.nan
    broken = replace(last, streams={**last.streams, "flow": FeatureArray(features)})
    videos = tuple(broken if video is last else video for video in dataset.videos)
    with pytest.raises(ValueError, match=r"NaN or infinite values in 1 of .* rows, first in row 3"):
        runs.train_run(replace(dataset, videos=videos), config, tmp_path / "run", progress=False)
    videos = tuple(video if video.subset == "train" else _relabelled(video) for video in dataset.videos)
    message = r"no class of the training videos is a label of a test video.*'action_01'.*'other action_01'"
    with pytest.raises(ValueError, match=message):
        runs.train_run(replace(dataset, videos=videos), config, tmp_path / "run", progress=False)
    for device, message in (("gpu", "unknown device 'gpu'"), ("meta", "device 'meta' holds no values")):
        with pytest.raises(ValueError, match=message):
            runs.train_run(dataset, config, tmp_path / "run", device=device, progress=False)
    assert not (tmp_path / "run").exists()


def _relabelled(video: Video) -> Video:
    labels = tuple(f"other {label}" for label in video.labels)
    return replace(video, labels=labels, segments=tuple(replace(s, label=f"other {s.label}") for s in video.segments))


def test_unknown_streams(dataset, config, tmp_path):
    with pytest.raises(ValueError, match="unknown stream 'audio'; the data has rgb, flow"):
        runs.train_run(dataset, config, tmp_path, streams=["audio"], progress=False)


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"config.json"):
        runs.test_run(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="was not written by amsx"):
        runs.test_run(tmp_path)
    (tmp_path / "config.json").write_text('{"data": {}, "config": {}}')
    with pytest.raises(ValueError, match="its 'data' names no streams"):
        runs.test_run(tmp_path)
    (tmp_path / "config.json").write_text('{"data": {"streams": []}, "config": {}}')
    (tmp_path / "ground_truth.json").write_text("{}")
    with pytest.raises(ValueError, match=r"ground_truth.json was not written by amsx train"):
        runs.test_run(tmp_path)


def test_a_run_that_has_not_ended(trained, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(trained.out, copy)
    (copy / "flow" / "activations.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="the training did not end yet, or there were no test videos"):
        runs.test_run(copy)


def test_without_test_videos_a_run_trains_and_says_so(dataset, config, tmp_path):
    alone = Dataset(None, "memory", dataset.classes, dataset.subset("train"))
    quick = override(config, ["phases.base_epochs=1", "phases.branches=base"])
    said: list[str] = []
    result = runs.train_run(alone, quick, tmp_path / "run", streams=["rgb"], progress=False, say=said.append)
    assert result.metrics is None
    assert said == ["no test videos: nothing was tested"]
    assert (tmp_path / "run" / "rgb" / "checkpoint.safetensors").is_file()


@pytest.mark.parametrize("name", ["fused", "retest", "retest-2", "a/b", ".."])
def test_a_stream_whose_name_can_be_no_folder_of_a_run_is_refused(dataset, name):
    videos = tuple(replace(v, streams={name: v.streams["rgb"]}) for v in dataset.videos)
    with pytest.raises(ValueError, match=f"stream '{name}' of .* cannot have a folder of its name"):
        chosen_streams(replace(dataset, videos=videos), None)
